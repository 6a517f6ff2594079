"""Rate and distortion: how much of an image is lost, by the size of its code and by the bits of its code."""
