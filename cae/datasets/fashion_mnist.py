"""Fashion-MNIST: the published files, fetched from a mirror and verified.

Xiao, Rasul, Vollgraf: Fashion-MNIST (2017), https://arxiv.org/abs/1708.07747.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cae.core.errors import UserError
from cae.datasets.downloads import AptDownload, InstalledPackage, KerasDownload, Mirror, fetch_files
from cae.datasets.formats import idx
from cae.datasets.safety import describe_error, open_unpacked

# SHA-256 of the unpacked IDX files, header included: the gzip wrapper differs from mirror to mirror.
CHECKSUMS: Mapping[str, str] = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
# In label order, as in the dataset's README.
CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
# Where keras.datasets.fashion_mnist.load_data downloads from.
KERAS_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
PACKAGE, PACKAGE_FOLDER = "dataset-fashion-mnist", Path("/usr/share/datasets/fashion-mnist")
MIRRORS: Sequence[Mirror] = (
    KerasDownload(KERAS_URL),
    InstalledPackage(PACKAGE_FOLDER),
    AptDownload(PACKAGE, PACKAGE_FOLDER),
)
Array = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class FashionMnist:
    """Fashion-MNIST as published: pixels uint8 in 0..255, labels uint8 in 0..9."""

    train_images: Array  # (60000, 28, 28)
    train_labels: Array  # (60000,)
    test_images: Array  # (10000, 28, 28)
    test_labels: Array  # (10000,)
    class_names: tuple[str, ...]
    # In words: where the files came from, and what failed on the way.
    origin: str
    notes: tuple[str, ...]


def fetch(
    raw: Path, mirrors: Sequence[Mirror] = MIRRORS, checksums: Mapping[str, str] = CHECKSUMS
) -> FashionMnist:
    """Read Fashion-MNIST from the folder `raw`, after fetching what is missing there from a mirror.

    A file with the wrong content is renamed to NAME.rejected in `raw` and never used.

    Args:
        raw: the download cache; it may hold some of the four IDX files already, gzipped or plain.
        mirrors: tried in turn until all files are there.
        checksums: name of each file → SHA-256 of its unpacked content, in the order train images,
            train labels, test images, test labels.

    Raises:
        UserError: no mirror has the files, `raw` cannot be written, a file in it cannot be read, or images
            and labels do not match.
    """
    remedies = [
        f"let this machine reach {KERAS_URL}",
        f"put {', '.join(CHECKSUMS)} into {raw}, plain or gzipped (.gz)",
        f"on Debian or Ubuntu, install the package {PACKAGE} (sudo apt-get install)",
    ]
    fetched = fetch_files(
        raw,
        mirrors,
        list(checksums),
        lambda name, path: read_verified(path, name, checksums[name]),
        "Fashion-MNIST",
        remedies,
    )
    train_images, train_labels, test_images, test_labels = (fetched.contents[name] for name in checksums)
    check_pair("train", train_images, train_labels)
    check_pair("test", test_images, test_labels)
    origin, notes = " and ".join(fetched.origins), tuple(fetched.notes)
    return FashionMnist(train_images, train_labels, test_images, test_labels, CLASS_NAMES, origin, notes)


def read_verified(path: Path, name: str, checksum: str) -> Array:
    """Read an IDX file; ValueError if its content is wrong, UserError if it cannot be read."""
    magic = idx.LABELS_MAGIC if "labels" in name else idx.IMAGES_MAGIC
    try:
        with open_unpacked(path) as stream:
            content = stream.read()
        array = np.stack(list(idx.decode(io.BytesIO(content), magic)))
    except Exception as error:  # gzip raises many kinds for a damaged file
        if isinstance(error, OSError) and error.strerror:
            # Nothing is known of its content, so it is not set aside.
            raise UserError(
                f"{path} cannot be read: {error.strerror}. "
                "Make it readable, or move it away to have it fetched again."
            ) from error
        raise ValueError(describe_error(error)) from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != checksum:
        raise ValueError(
            f"the SHA-256 of its unpacked content is {actual}, not {checksum} "
            "(MNIST's digits, for example, come in files of the same names)"
        )
    return array


def check_pair(split: str, images: Array, labels: Array) -> None:
    """Raise UserError unless every image has a label."""
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise UserError(
            f"The {split} images have shape {images.shape} and the {split} labels {labels.shape}, but "
            "(N, rows, columns) and (N,) with the same N are needed. Use both files of one release."
        )
