"""Ways to reconstruct pieces from what normal ones look like, and the error maps of pictures that follow."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

from cae.core.arrays import Images
from cae.core.blocks import split_blocks
from cae.datasets.intensity import Image
from cae.datasets.prepared import Listed, Prepared
from cae.datasets.preprocessing import Preprocessing
from cae.metrics import error_maps
from cae.metrics.baselines import MeanImage, NearestImage, PrincipalComponents
from cae.metrics.error_maps import ErrorMap
from cae.metrics.principal_components import sample_rows
from cae.networks.autoencoder import Autoencoder, predict

Reconstruct = Callable[[Images], Images]
"""Pieces (N, h, w, C) → what normal pieces like them would look like."""
OURS = "autoencoder"


def detectors(autoencoder: Autoencoder, train: Images, seed: int) -> Mapping[str, Reconstruct]:
    """Make the network's way and those it has to beat, fitted to normal training pieces alone."""
    return {
        OURS: partial(predict, autoencoder.network),
        "PCA": PrincipalComponents.fit_sample(train, autoencoder.code_size, seed).reconstruct,
        "nearest neighbour": NearestImage(sample_rows(train, seed)).reconstruct,
        "mean picture": MeanImage.fit(train).reconstruct,
    }


class Found(NamedTuple):
    """A picture, and how wrong what would be normal in its place is."""

    picture: Listed
    # Both as the network saw it, or in the size that the picture came in.
    image: Image  # (H, W, C)
    errors: ErrorMap  # (H, W)


def squared_errors(side: Prepared, preprocessing: Preprocessing, reconstruct: Reconstruct) -> Iterator[Found]:
    """Yield each picture of a side with the squared error of each pixel, as the network saw it."""
    made = chain.from_iterable(reconstruct(block) for block in split_blocks(side.images))
    for picture, pieces in side.of_each():
        original = preprocessing.stitch(iter(pieces), *picture.seen)
        reconstruction = preprocessing.stitch(islice(made, picture.pieces), *picture.seen)
        yield Found(picture, original, error_maps.compute_error_map(original, reconstruction))
