"""Side-by-side timings: ours against stock Keras and PyTorch."""
