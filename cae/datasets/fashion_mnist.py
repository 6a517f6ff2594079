"""Where images come from: the verified files of Fashion-MNIST, fetched from the first mirror that has them.

Xiao, Rasul, Vollgraf: Fashion-MNIST (2017), https://arxiv.org/abs/1708.07747.
"""

import hashlib
import itertools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cae.core.errors import UserError
from cae.datasets import idx
from cae.datasets.mirrors import KERAS_URL, MIRRORS, PACKAGE, Mirror, MirrorError

# Of the unpacked IDX files, header included: the gzip wrapper differs from mirror to mirror.
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

Array = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class FashionMnist:
    """Fashion-MNIST as published: pixels uint8 in 0..255, labels uint8 in 0..9; the arrays are read only."""

    train_images: Array  # (60000, 28, 28)
    train_labels: Array  # (60000,)
    test_images: Array  # (10000, 28, 28)
    test_labels: Array  # (10000,)
    class_names: tuple[str, ...]
    # In words: where the files came from, and what went wrong on the way (rejected files, silent mirrors).
    origin: str
    notes: tuple[str, ...]


def fetch(
    raw: Path, mirrors: Sequence[Mirror] = MIRRORS, checksums: Mapping[str, str] = CHECKSUMS
) -> FashionMnist:
    """Read Fashion-MNIST from the folder `raw`, after fetching what is missing there from a mirror.

    A file whose content is wrong is renamed to NAME.rejected in `raw` and never used.

    Args:
        raw: the download cache; it may hold the four IDX files already, gzipped or plain.
        mirrors: asked in turn until all files are there.
        checksums: name of each file → SHA-256 of its unpacked content, in the order train images,
            train labels, test images, test labels.

    Raises:
        UserError: no mirror had the files, `raw` cannot be written, a file in it cannot be read, or images
            and labels do not pair.
    """
    try:
        arrays, origins, notes = gather(raw, mirrors, checksums)
    except OSError as error:
        raise UserError(
            f"{raw} cannot be written: {error.strerror or error}. "
            f"Make the folder writable, or put {', '.join(checksums)} there, plain or gzipped, and run again."
        ) from error
    if missing := [name for name in checksums if name not in arrays]:
        raise UserError(nothing_worked(raw, missing, notes))
    train_images, train_labels, test_images, test_labels = (arrays[name] for name in checksums)
    check_pair("train", train_images, train_labels)
    check_pair("test", test_images, test_labels)
    origin = " and ".join(origins)
    return FashionMnist(
        train_images, train_labels, test_images, test_labels, CLASS_NAMES, origin, tuple(notes)
    )


def gather(
    raw: Path, mirrors: Sequence[Mirror], checksums: Mapping[str, str]
) -> tuple[dict[str, Array], list[str], list[str]]:
    """Collect the verified arrays by name, with the names of those who served them, and notes."""
    arrays, rejected = take(raw, raw, checksums)
    origins = [str(raw)] if arrays else []
    notes = [f"{raw}: {reason}" for reason in rejected]
    for mirror in mirrors:
        missing = {name: checksums[name] for name in checksums if name not in arrays}
        if not missing:
            break
        raw.mkdir(parents=True, exist_ok=True)
        # Inside `raw`, because a rename is atomic only within one file system.
        with tempfile.TemporaryDirectory(dir=raw, prefix=".fetching-") as scratch:
            try:
                mirror.serve(Path(scratch), list(missing))
            except (MirrorError, OSError) as error:
                notes.append(f"{mirror.name}: {error}")
            served, rejected = take(Path(scratch), raw, missing)
        arrays |= served
        origins += [mirror.name] if served else []
        notes += [f"{mirror.name}: {reason}" for reason in rejected]
    return arrays, origins, notes


def take(folder: Path, raw: Path, checksums: Mapping[str, str]) -> tuple[dict[str, Array], list[str]]:
    """Verify the files in `folder`: the good ones go to `raw`, the others to NAME.rejected there."""
    arrays: dict[str, Array] = {}
    rejected = []
    for name, checksum in checksums.items():
        for path in (folder / name, folder / f"{name}.gz"):
            if name in arrays or not path.exists():
                continue
            try:
                arrays[name] = verified(path, checksum)
            except ValueError as error:
                rejected.append(f"{path.name}: {error}; set aside as {set_aside(path, raw)}")
            else:
                if folder != raw:  # a read-only cache is as good as any
                    path.replace(raw / path.name)
    return arrays, rejected


def verified(path: Path, checksum: str) -> Array:
    """Decode an IDX file; ValueError where its content is wrong, UserError where it cannot be read."""
    try:
        content = idx.content(path)
    except OSError as error:
        # Nothing is known of its content: it stays where it is.
        raise UserError(
            f"{path} cannot be read: {error.strerror or error}. "
            "Make it readable, or move it away to have it fetched again."
        ) from error
    array = idx.decode(content)
    actual = hashlib.sha256(content).hexdigest()
    if actual != checksum:
        raise ValueError(
            f"the SHA-256 of its unpacked content is {actual}, not {checksum} "
            "(MNIST's digits, for one, come in files of the same names)"
        )
    return array


def set_aside(path: Path, raw: Path) -> Path:
    """Rename to a free NAME.rejected, NAME.rejected2, … in `raw`: the file may be someone's only copy."""
    numbers = itertools.chain([""], itertools.count(2))
    candidates = (raw / f"{path.name}.rejected{number}" for number in numbers)
    return path.rename(next(candidate for candidate in candidates if not candidate.exists()))


def check_pair(split: str, images: Array, labels: Array) -> None:
    """Raise UserError unless every image has a label."""
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise UserError(
            f"The {split} images have shape {images.shape} and the {split} labels {labels.shape}; "
            "(N, rows, columns) and (N,) with the same N are needed. Take both files from one release."
        )


def nothing_worked(raw: Path, missing: Sequence[str], notes: Sequence[str]) -> str:
    """Say what was tried and what would mend it."""
    return "\n".join(
        [
            f"Fashion-MNIST could not be had: {raw} lacks {', '.join(missing)} and no source served them:",
            *(f"  - {note}" for note in notes),
            "Any one of these mends it:",
            f"  1. let this machine reach {KERAS_URL} and run again;",
            f"  2. put {', '.join(CHECKSUMS)} into {raw}, plain or gzipped (.gz), and run again;",
            f"  3. on Debian or Ubuntu, install the package {PACKAGE} (sudo apt-get install) and run again.",
        ]
    )
