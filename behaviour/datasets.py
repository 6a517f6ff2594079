"""How images are read, prepared and split: datasets.json."""

import gzip
import inspect
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from behaviour import Cases, examples
from cae.datasets import group_splits, intensity, prepared, resizing, sources, splits, tiles
from cae.datasets.formats import dicom, nifti
from cae.datasets.preprocessing import Preprocessing
from cae.datasets.samples import Sample, Source

Pixels = npt.NDArray[Any]
GREY, COLOUR = (
    (255 * examples.images(6, 11, 15, channels)).round().astype(np.uint8).squeeze() for channels in (1, 3)
)


def in_folder(write: Callable[[Path], Any]) -> Any:
    """Return what a function returns that may fill a folder."""
    with tempfile.TemporaryDirectory() as folder:
        return write(Path(folder))


def save(path: Path, pixels: Pixels, mode: str | None = None, **options: Any) -> None:
    """Write an image in the format that its name says, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path, **options)


def read(source: Source) -> Any:
    """Describe all pictures of a source."""
    pictures = [
        [*picture[:5], None if picture.mask is None else str(picture.mask.relative_to(source.path))]
        for picture in source
    ]
    return [source.kind.split()[0].lower(), pictures, [skipped.name for skipped in source.skipped]]


def formats() -> Any:
    """Read grey, deep and coloured images of every format that needs no further package; one is damaged."""

    def write(folder: Path) -> Any:
        turned = Image.Exif()
        turned[274] = 6
        for name, pixels in (("grey", GREY), ("colour", COLOUR)):
            for ending in ("png", "bmp", "ppm", "tif"):
                save(folder / f"{name}.{ending}", pixels[0])
            save(folder / f"{name}.jpg", pixels[1], exif=turned)
        deep = 200 * GREY[2].astype(np.uint16)
        for name, options in (("deep.png", {}), ("deep.tif", {"compression": "tiff_lzw"})):
            Image.fromarray(deep).save(folder / name, **options)
        Image.fromarray(GREY[2] / np.float32(255)).save(folder / "float.tif")
        save(folder / "palette.png", COLOUR[3], "P")
        save(folder / "opaque.png", COLOUR[3], "RGBA")
        (folder / "plain.pgm").write_bytes(b"P2\n# x\n3 2\n900\n0 1 2\n300 400 900\n")
        (folder / "damaged.png").write_bytes((folder / "grey.png").read_bytes()[:60])
        return read(sources.open_source(folder, skip_bad=True))

    return in_folder(write)


def layouts_of_folders() -> Any:
    """Read flat folders, classes, parts, masks, and the pictures inside .npz and IDX files."""

    def write(folder: Path) -> Any:
        for name in ("b", "a 10", "a 2"):
            save(folder / f"flat/{name}.png", GREY[0])
        for place, label in enumerate(("bags", "bags", "shirts")):
            save(folder / f"classes/{label}/{place}.png", GREY[place])
            save(folder / f"parts/{('train', 'val', 'test')[place]}/{label}/{place}.png", COLOUR[place])
        for place, above in enumerate(("train/good", "test/good", "test/hole")):
            save(folder / f"masks/{above}/{place}.png", GREY[place])
        save(folder / "masks/ground_truth/hole/2_mask.png", GREY[2] // 128)
        np.savez(
            folder / "arrays.npz",
            train_images=COLOUR[:3],
            train_labels=examples.labels(3),
            val_images=COLOUR[3:],
        )
        header = struct.pack(">4I", 0x803, *GREY.shape)
        (folder / "idx").mkdir()
        (folder / "idx/train-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + GREY.tobytes()))
        labels = struct.pack(">2I", 0x801, len(GREY)) + examples.labels(len(GREY)).tobytes()
        (folder / "idx/train-labels-idx1-ubyte").write_bytes(labels)
        return [read(sources.open_source(path)) for path in sorted(folder.iterdir())]

    return in_folder(write)


def source_of_medical_formats() -> Any:
    """Take the source itself: reading DICOM and NIfTI needs packages that are not installed everywhere."""
    return [inspect.getsource(module) for module in (dicom, nifti)]


def preprocessing() -> Any:
    """Scale grey values, change channels and sizes, cut tiles and join them, and write all of it to files."""
    frames = [GREY[0], GREY[1].astype(np.uint16) * 257, GREY[2] / np.float32(255), COLOUR[0]]
    pictures = [Sample(str(place), pixels) for place, pixels in enumerate(frames)]
    scaled = [intensity.apply_window(picture) for picture in pictures]
    windows = [
        intensity.apply_window(Sample("w", GREY[3]), (20, 200)),
        intensity.apply_slope(GREY[3], 1.5, -1024.0),
    ]
    channels = [intensity.convert_channels(scaled[3], 1), intensity.convert_channels(scaled[0], 3)]
    image = scaled[3]
    padded = resizing.pad_by_mirroring(image, 18, 17)
    resized = [resizing.resize(image, 7, 40), padded, resizing.next_valid_side(11)]
    tiled = []
    for tiling in (tiles.Tiling(5, 3), tiles.Tiling(13, 13)):
        cut = list(tiling.cut(image))
        tiled.append([cut, tiling.stitch([tile**2 for tile in cut], 11, 15)])

    def write(folder: Path) -> Any:
        for place, pixels in enumerate(COLOUR):
            save(folder / f"source/{place}.png", pixels)
        source = sources.open_source(folder / "source")
        preprocessing = Preprocessing((10, 250), 1, (12, 20), tiles.Tiling(12, 8))
        samples = [
            sample._replace(split=prepared.SPLITS[place % 4])
            for place, sample in enumerate(prepared.describe_samples(source, preprocessing))
        ]
        prepared.write(folder / "prepared", source, preprocessing, samples)
        return files_of(folder / "prepared")

    return [scaled, windows, channels, resized, tiled, in_folder(write)]


def split() -> Any:
    """Draw splits of images and of groups."""
    groups = [f"patient {index // 3}" for index in range(31)]
    parts = [None if index % 9 else "test" for index in range(31)]
    shares = group_splits.Shares(0.5, 0.2, 0.2, 0.1)
    return [
        splits.draw_indices(17, {"validation": 5, "train": 9}, 1),
        [group_splits.assign_splits(groups, [None] * 31, shares, seed) for seed in (1, 2)],
        group_splits.assign_splits([str(index) for index in range(31)], parts, shares, 1),
    ]


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder, by their places."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


CASES: Cases = {
    "formats": formats,
    "layouts": layouts_of_folders,
    "medical": source_of_medical_formats,
    "preprocessing": preprocessing,
    "splits": split,
}
