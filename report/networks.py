"""The networks that the page shows."""

from cae.core.arrays import Images
from cae.networks.autoencoder import Autoencoder, load
from stages.runner.project import Project

DEFAULT = "../models/autoencoder.keras"
RESIDUAL = "../studies/rate/models/128.keras"
SELF_SUPERVISED = "../studies/self_supervised/models/prototypes.keras"
PREPARED = "../data/prepared"


def load_network(project: Project, path: str, images: Images) -> Autoencoder:
    """Load a network for images (N, H, W, 1)."""
    return load(project.path(path), images.shape[1:])
