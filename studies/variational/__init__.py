"""A distribution of images: how probable the test images are, and which new images are drawn from it."""

# Weight of the divergence in the bound of the log-likelihood itself: that network's likelihood is estimated.
BETA = 1.0
# Each with a seed, so that no two draw the same random numbers.
BOUND, LIKELIHOOD, SAMPLES, CHOICE = 1, 2, 3, 4
# Rows of the table of log-likelihoods.
OURS = "VAE with a Gaussian prior, this network"
FLOOR = "floor: every pixel's own probability"
