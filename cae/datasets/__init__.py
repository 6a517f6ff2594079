"""Where images come from: sources of images, preprocessing, augmentation and splits.

`fashion_mnist.fetch` returns Fashion-MNIST as verified arrays. `sources.open_source` opens a file or folder
of images in any of the `formats`; iterating over it yields `samples`. A `Preprocessing` turns a sample into
an image in [0, 1] and cuts it into tiles, and `group_splits` assigns samples to splits.
"""
