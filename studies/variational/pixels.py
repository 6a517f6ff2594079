"""Binary images: each pixel is white with the probability that its grey value says."""

import numpy as np

from cae.core.arrays import Images
from stages.prepared_images import read_images
from stages.runner.project import Project

PREPARED = "../../data/prepared"


def read_test_images(project: Project, seed: int) -> tuple[Images, Images]:
    """Read the grey test images and make the binary ones, (N, H, W, 1) each."""
    validation, test = (read_images(project, PREPARED, split) for split in ("validation", "test"))
    return test, binarise(validation, test, seed)


def binarise(validation: Images, test: Images, seed: int) -> Images:
    """Draw every test pixel from Bernoulli(grey value): 0 or 1, of the images' shape and dtype.

    As in the published protocol: `RandomState(seed).binomial(1, x)` on the validation split, then on the
    test split (sajadn/Exemplar-VAE, utils/load_data/base_load_data.py).
    """
    generator = np.random.RandomState(seed)
    generator.binomial(1, validation)
    return generator.binomial(1, test).astype(np.float32)
