"""The prepared images: what every stage after prepare reads.

`SPLIT_images.npy` holds the images of a split, or their tiles, float32 (N, H, W, C) in [0, 1], for train,
validation, test and, where normal images are held out to set a threshold, threshold. Beside them lie, of
Fashion-MNIST, `SPLIT_labels.npy` uint8 (N,), `SPLIT_indices.npy` int64 (N,) and `class_names.json`; of other
images `samples.json`, which describes every image.

All reading functions raise UserError where a file is missing, damaged or holds something else.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cae.core import files
from cae.core.arrays import Images, Indices, Labels
from cae.core.errors import UserError
from cae.datasets.intensity import Image
from cae.datasets.preprocessing import Preprocessing
from cae.datasets.safety import quote
from cae.datasets.samples import Sample, Source, check_uniform
from cae.datasets.splits import Splits

SPLITS = ("train", "validation", "threshold", "test")
CLASS_NAMES = "class_names.json"
SAMPLES = "samples.json"
# The class of images that have none.
NO_CLASS = "images"
# Labels are bytes.
MOST_CLASSES = 255
# Images that are checked at once: memory stays bounded.
BLOCK = 5000
# As `files.write_json` writes.
ENCODER = json.JSONEncoder(indent=2, sort_keys=True, allow_nan=False)


class SampleInfo(NamedTuple):
    """What is known of an image besides its pixels."""

    name: str
    label: str | None
    # The split that the source itself assigns it to.
    given_split: str | None
    # What must stay together in one split: its file, patient or volume.
    group: str
    # The file of its mask, from the source.
    mask: str | None
    # Height and width as stored, and after preprocessing, without tiles and mirrored edges.
    size: tuple[int, int]
    preprocessed_size: tuple[int, int]
    # How many tiles it gives, and their shape (h, w, C).
    tiles: int
    shape: tuple[int, ...]
    # The type of its pixels as stored.
    dtype: str
    split: str = ""
    # Whether it is of the class that is learned.
    normal: bool = True

    @property
    def class_name(self) -> str:
        """The name of its class."""
        return NO_CLASS if self.label is None else self.label


class PreparedSplit(NamedTuple):
    """The tiles of one split, and the samples that they are cut from, in one order."""

    images: Images
    samples: Sequence[SampleInfo]

    def iterate(self) -> Iterator[tuple[SampleInfo, Images]]:
        """Yield every sample with its tiles (n, h, w, C)."""
        start = 0
        for sample in self.samples:
            yield sample, self.images[start : start + sample.tiles]
            start += sample.tiles

    def find_normal(self) -> Indices:
        """Return the indices of the tiles of normal samples."""
        normal = [sample.normal for sample in self.samples]
        return np.flatnonzero(np.repeat(normal, [sample.tiles for sample in self.samples]))


class Classes(NamedTuple):
    """The labels of all tiles, and what they mean."""

    labels: Splits[Labels]
    names: tuple[str, ...]

    @property
    def learnable(self) -> bool:
        """Whether training images have at least two classes."""
        return len(np.unique(self.labels.train)) > 1


def normalise(images: npt.NDArray[np.uint8]) -> Images:
    """Rescale pixels by 1/255, as Keras's Rescaling: uint8 (N, H, W) → float32 (N, H, W, 1)."""
    return images[..., np.newaxis].astype(np.float32) * np.float32(1 / 255)


def read_images(folder: Path, split: str) -> Images:
    """Map the images of a split from the disk: float32 (N, H, W, C) in [0, 1], read only."""
    path = folder / f"{split}_images.npy"
    array = map_array(path)
    if array.dtype != np.float32 or array.ndim != 4:
        raise build_error(path, f"{array.dtype} {array.shape}")
    for start in range(0, len(array), BLOCK):
        part = array[start : start + BLOCK]
        low, high = float(part.min()), float(part.max())
        # A minimum is NaN where any value is.
        if not (low >= 0 and high <= 1):
            raise build_error(path, f"values from {low:g} to {high:g} in images from {start} on")
    return array


def read_all_images(folder: Path) -> Splits[Images]:
    """Map the images of training, validation and test."""
    return Splits(*(read_images(folder, split) for split in Splits._fields))


def read_labels(folder: Path, split: str) -> Labels:
    """Map the labels of Fashion-MNIST from the disk: uint8 (N,), indices of `read_class_names`, read only."""
    path = folder / f"{split}_labels.npy"
    array = map_array(path)
    classes = len(read_class_names(folder))
    if array.dtype != np.uint8 or array.ndim != 1:
        raise build_error(path, f"{array.dtype} {array.shape}")
    if len(array) and array.max() >= classes:
        raise build_error(path, f"the label {array.max()}, but there are {classes} classes")
    return array


def read_class_names(folder: Path) -> tuple[str, ...]:
    """Read what the labels of Fashion-MNIST mean, in label order."""
    names = read_json(folder / CLASS_NAMES)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise build_error(folder / CLASS_NAMES, "something else than names")
    return tuple(names)


def read_classes(folder: Path) -> Classes | None:
    """Read the labels of all splits into memory; None unless all images have one of 2 to 255 classes."""
    if not (folder / SAMPLES).exists():
        labels = Splits(*(np.array(read_labels(folder, split)) for split in Splits._fields))
        return Classes(labels, read_class_names(folder))
    samples = read_samples(folder)
    names = sorted({sample.class_name for sample in samples})
    unlabelled = any(sample.label is None for sample in samples)
    if unlabelled or not 1 < len(names) <= MOST_CLASSES:
        return None
    indices = {name: index for index, name in enumerate(names)}
    found = {split: list[int]() for split in SPLITS}
    for sample in samples:
        found[sample.split] += [indices[sample.class_name]] * sample.tiles
    return Classes(Splits(*(np.array(found[split], np.uint8) for split in Splits._fields)), tuple(names))


def read_split(folder: Path, split: str) -> PreparedSplit:
    """Map the tiles of a split, and read its samples; of Fashion-MNIST every image is a normal sample."""
    images = read_images(folder, split)
    if (folder / SAMPLES).exists():
        return PreparedSplit(images, [sample for sample in read_samples(folder) if sample.split == split])
    height, width = images.shape[1:3]
    names = [f"{split}#{index}" for index in range(len(images))]
    size, shape = (height, width), images.shape[1:]
    rest = (None, size, size, 1, shape, "uint8", split)
    return PreparedSplit(images, [SampleInfo(name, None, split, name, *rest) for name in names])


def read_samples(folder: Path) -> list[SampleInfo]:
    """Read the descriptions of all samples."""
    rows = read_json(folder / SAMPLES)
    try:
        return [SampleInfo(**{name: to_tuple(value) for name, value in row.items()}) for row in rows]
    except (TypeError, AttributeError) as error:
        raise build_error(folder / SAMPLES, f"something else than samples ({error})") from error


def to_tuple(value: Any) -> Any:
    """Turn JSON's lists back into tuples."""
    return tuple(value) if isinstance(value, list) else value


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise build_error(path, f"nothing that can be read ({error})") from error


def map_array(path: Path, remake: str = "dvc repro --force prepare") -> npt.NDArray[Any]:
    """Map one `.npy` file, which the command `remake` makes."""
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} cannot be read ({error}). Make it again: {remake}") from error


def build_error(path: Path, content: str) -> UserError:
    """Say what a file holds, and what it should hold."""
    needed = {
        CLASS_NAMES: "a list of names",
        SAMPLES: "a list of samples",
    }.get(path.name, "uint8 (N,)" if path.stem.endswith("labels") else "float32 (N, H, W, C) in [0, 1]")
    return UserError(
        f"{path} holds {content}, but {needed} is needed. Make it again: dvc repro --force prepare"
    )


def describe_samples(source: Source, preprocessing: Preprocessing) -> list[SampleInfo]:
    """Read all samples of a source once, and describe them.

    Raises:
        UserError: an image cannot be read, or differs from the first where all must be alike.
    """
    return [
        describe(sample, preprocessing.apply(sample), source.path, preprocessing)
        for sample in check_samples(source, preprocessing)
    ]


def check_samples(source: Source, preprocessing: Preprocessing) -> Iterator[Sample]:
    """Pass samples on while they are alike in what preprocessing does not make alike."""
    sizes = preprocessing.size is None and preprocessing.tiling is None
    # Scanners store each image in the type that suits its slope; a window is in the units of measurement.
    same_units = source.calibrated and preprocessing.window is not None
    return check_uniform(source, sizes=sizes, channels=preprocessing.channels is None, dtypes=not same_units)


def describe(sample: Sample, image: Image, root: Path, preprocessing: Preprocessing) -> SampleInfo:
    """Describe a sample that preprocessing turned into `image`."""
    height, width = image.shape[:2]
    return SampleInfo(
        sample.name,
        sample.label,
        sample.split,
        sample.group,
        None if sample.mask is None else sample.mask.relative_to(root).as_posix(),
        (sample.pixels.shape[0], sample.pixels.shape[1]),
        (height, width),
        preprocessing.count_tiles(height, width),
        next(preprocessing.cut(image)).shape,
        str(sample.pixels.dtype),
    )


def write(folder: Path, source: Source, preprocessing: Preprocessing, samples: Sequence[SampleInfo]) -> None:
    """Read the samples of a source once more, and write their tiles, by splits, and their descriptions.

    Raises:
        UserError: the source is no longer what was described, or a file cannot be written.
    """
    counts = Counter[str]()
    for info in samples:
        counts[info.split] += info.tiles
    with ExitStack() as stack:
        arrays = {
            split: stack.enter_context(files.open_atomically(folder / f"{split}_images.npy"))
            for split in SPLITS
        }
        descriptions = stack.enter_context(files.open_atomically(folder / SAMPLES))
        for split, file in arrays.items():
            files.write_array_header(file, (counts[split], *samples[0].shape))
        for info, sample in zip_longest(samples, check_samples(source, preprocessing)):
            image = None if sample is None else preprocessing.apply(sample)
            if (
                image is None
                or info is None
                or info != describe_again(info, sample, image, source, preprocessing)
            ):
                raise UserError(f"{quote(source.path)} changed while it was read: run again")
            for tile in preprocessing.cut(image):
                arrays[info.split].write(tile.astype("<f4").tobytes())
        # In parts: as one text, the list would take more memory than everything else.
        for part in ENCODER.iterencode([info._asdict() for info in samples]):
            descriptions.write(part.encode())
        descriptions.write(b"\n")


def describe_again(
    info: SampleInfo, sample: Sample, image: Image, source: Source, preprocessing: Preprocessing
) -> SampleInfo:
    """Describe a sample once more, in the split that it was given."""
    return describe(sample, image, source.path, preprocessing)._replace(split=info.split, normal=info.normal)
