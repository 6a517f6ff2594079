"""A reproducible convolutional autoencoder for grey-scale images."""
