"""What random numbers of training are drawn for: each purpose has its own, by (seed, epoch, purpose).

The order of the images in an epoch is drawn by (seed, epoch) alone.
"""

TRAINING = 1  # augmentations, noise and defects of training images
VALIDATION = 2  # likewise of validation images, the same in every epoch
VISUAL_WORDS = 3
PROTOTYPES = 4
