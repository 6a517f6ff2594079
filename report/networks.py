"""The networks that the page shows."""

import numpy as np
import numpy.typing as npt

from cae.core.arrays import Images, Rows
from cae.networks.autoencoder import Autoencoder, load, predict
from stages.runner.project import Project

DEFAULT = "../models/autoencoder.keras"
RESIDUAL = "../studies/rate/models/128.keras"
SELF_SUPERVISED = "../studies/self_supervised/models/prototypes.keras"
PREPARED = "../data/prepared"


def load_network(project: Project, path: str, images: Images) -> Autoencoder:
    """Load a network for images (N, H, W, 1)."""
    return load(project.path(path), images.shape[1:])


def encode(network: Autoencoder, images: Images) -> Rows:
    """Images (N, H, W, 1) → codes (N, D)."""
    return np.asarray(predict(network.encoder, images)).reshape(len(images), -1)


def decode(network: Autoencoder, codes: Rows) -> npt.NDArray[np.float32]:
    """Codes (N, D) → images (N, H, W)."""
    return np.asarray(predict(network.decoder, codes.reshape(-1, *network.code_shape)))[..., 0]
