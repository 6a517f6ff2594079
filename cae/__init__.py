"""A reproducible convolutional autoencoder for grey-scale images."""

# First of all: the environment must be pinned before NumPy or TensorFlow is loaded.
from cae import runtime as runtime
