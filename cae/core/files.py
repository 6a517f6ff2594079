"""Writers whose bytes depend on the content alone, and that never leave half a file.

Every writer puts the bytes into a temporary file beside the target, flushes it to the disk and renames it:
a reader sees the old file or the new one. Nothing here writes a clock, a host or a path into a file.
"""

import io
import json
import os
import secrets
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from cae.core.errors import UserError

if TYPE_CHECKING:
    import keras

# The earliest time that a zip member can carry.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@contextmanager
def open_atomically(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` that takes its place when the block ends without an error.

    Raises:
        UserError: the folder cannot be written or the disk is full; `path` is then as it was before.
    """
    # Not by tempfile, whose files only their owner may read: who may read ours is for the umask to say.
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} could not be written: {error.strerror or error}. Nothing half-written was left. Free "
            "some space or make the folder writable, then run again."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`."""
    with open_atomically(path) as file:
        file.write(content)


def write_json(path: Path, content: Mapping[str, Any] | list[Any]) -> None:
    """Write strict JSON: sorted keys, no NaN or infinity (ValueError), a newline at the end."""
    write_bytes(path, (json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n").encode())


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index; a float is written with the shortest text that reads back equal."""
    write_bytes(path, table.to_csv(index=False, lineterminator="\n").encode())


def read_csv(path: Path, remake: str = "dvc repro") -> pd.DataFrame:
    """Read a table that the command `remake` makes; UserError where it is missing or broken."""
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}). Make it again: {remake}") from error


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write one `.npy` file, little-endian and in C order, that `numpy.load(..., mmap_mode="r")` can map."""
    with open_atomically(path) as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)


def write_figure(path: Path, figure: Figure) -> None:
    """Write a PNG of at most 256 colours, so that it stays small, and without metadata."""
    with open_atomically(path) as file:
        reduce_colours(render(figure)).save(file, format="png", optimize=True)


def render(figure: Figure) -> Image.Image:
    """Render a figure to RGB."""
    with io.BytesIO() as buffer:
        figure.savefig(buffer, format="png")
        return Image.open(buffer).convert("RGB")


def reduce_colours(image: Image.Image) -> Image.Image:
    """Reduce an RGB image to 256 colours; one that has no more stays as it is."""
    # Coverage keeps the colours of thin lines, which few pixels have; k-means then moves greys back to grey.
    # Dithering would speckle plain areas.
    return image.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)


def write_model(path: Path, model: "keras.Model", more: Mapping[str, Any] | None = None) -> None:
    """Write a `.keras` file that plain Keras loads, without what Keras adds of the moment of saving.

    `more` stands in its `metadata.json`, beside Keras's version.

    That is the time, in `metadata.json` and in the zip entries, and memory addresses, as
    `shared_object_id` in `config.json`. Members are stored uncompressed and sorted by name, so the bytes
    depend on no compression library.
    """
    with open_atomically(path) as file:
        members = read_keras_file(model, path.parent)
        metadata = json.loads(members["metadata.json"])
        del metadata["date_saved"]
        members["metadata.json"] = json.dumps(metadata | dict(more or {}), sort_keys=True).encode()
        config = number_shared_objects(json.loads(members["config.json"]), {})
        members["config.json"] = json.dumps(config, sort_keys=True).encode()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(members):
                archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), members[name])


def read_keras_file(model: "keras.Model", folder: Path) -> dict[str, bytes]:
    """Return the members of the `.keras` file that Keras makes of a model, by way of a file in `folder`."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".keras-") as scratch:
        whole = Path(scratch) / "model.keras"
        model.save(whole)
        with zipfile.ZipFile(whole) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def number_shared_objects(config: Any, numbers: dict[int, int]) -> Any:
    """Replace every `shared_object_id` in a Keras config by its rank of first appearance.

    `numbers` collects address → rank while the config is walked.
    """
    if isinstance(config, list):
        return [number_shared_objects(item, numbers) for item in config]
    if not isinstance(config, dict):
        return config
    return {
        key: numbers.setdefault(value, len(numbers))
        if key == "shared_object_id"
        else number_shared_objects(value, numbers)
        for key, value in config.items()
    }
