"""The methods, and what tables and figures call them."""

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
# Without training: validation images choose only the strength.
FILTERS = ("gaussian", "median", "total_variation", "wavelet", "nonlocal_means")
# Trained for all kinds of noise at once, with a bottleneck and without.
AUTOENCODERS = ("convolutional", "residual")
WITHOUT_BOTTLENECK = "residual_cnn"
