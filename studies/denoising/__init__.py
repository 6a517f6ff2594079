"""Denoising: how much of a picture comes back from under noise, by networks and by filters."""

from pathlib import Path

STUDY = Path("studies/denoising")
# What tables and legends call the methods, in their order.
TITLES = {
    "noisy": "noisy input",
    "gaussian": "Gaussian filter",
    "median": "median filter",
    "total_variation": "total variation",
    "wavelet": "wavelets",
    "nonlocal_means": "non-local means",
    "wiener": "Wiener filter in the PCA basis",
    "convolutional": "convolutional autoencoder",
    "residual": "residual autoencoder",
    "residual_cnn": "residual CNN, no bottleneck",
}
# What learned nothing but its strength.
FILTERS = ("gaussian", "median", "total_variation", "wavelet", "nonlocal_means")
# What learned from all noises at once, with a bottleneck and without.
AUTOENCODERS = ("convolutional", "residual")
WITHOUT_BOTTLENECK = "residual_cnn"
NETWORKS = (*AUTOENCODERS, WITHOUT_BOTTLENECK)
