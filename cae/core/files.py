"""Writers whose bytes depend on the content alone, and which never leave half a file.

Every writer writes a temporary file beside the target, flushes it to the disk and renames it: a reader sees
the old file or the new one. No writer puts a time, a host name or a path into a file.
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

# The earliest time that an entry of a zip file can have.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@contextmanager
def open_atomically(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file that replaces `path` if the block ends without an error.

    Raises:
        UserError: the folder cannot be written or the disk is full; `path` is unchanged.
    """
    # Files made by `tempfile` have permissions for their owner alone; these follow the umask.
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
    """Write bytes to a file."""
    with open_atomically(path) as file:
        file.write(content)


def write_json(path: Path, content: Mapping[str, Any] | list[Any]) -> None:
    """Write strict JSON: sorted keys, no NaN or infinity (ValueError), a newline at the end."""
    write_bytes(path, (json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n").encode())


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index; floats have the shortest exact text."""
    write_bytes(path, table.to_csv(index=False, lineterminator="\n").encode())


def read_csv(path: Path, remake: str = "dvc repro") -> pd.DataFrame:
    """Read a table; if that fails, raise UserError with the command `remake`, which writes it."""
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}). Make it again: {remake}") from error


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write a `.npy` file in C order, which `numpy.load(path, mmap_mode="r")` can map."""
    with open_atomically(path) as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)


def write_array_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    """Write the header of a `.npy` file of float32, little-endian in C order, whose values follow."""
    header: dict[str, Any] = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG with at most 256 colours, which keeps it small, and without metadata."""
    with open_atomically(path) as file, io.BytesIO() as buffer:
        figure.savefig(buffer, format="png")
        image = Image.open(buffer).convert("RGB")
        reduce_colours(image).save(file, format="png", optimize=True)


def reduce_colours(image: Image.Image) -> Image.Image:
    """Reduce an RGB image to a palette of 256 colours; an image with no more colours keeps them all."""
    # MAXCOVERAGE keeps the colours of thin lines, which few pixels have; k-means makes greys grey again.
    # Dithering would speckle plain areas.
    return image.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)


def write_model(path: Path, model: "keras.Model", metadata: Mapping[str, Any] | None = None) -> None:
    """Write a `.keras` file that plain Keras loads and whose bytes depend on the model alone.

    Keras itself stores the time of saving and the memory addresses of objects (`shared_object_id`). Entries
    of the zip file are sorted by name and not compressed, so no compression library changes the bytes.

    Args:
        path: the file.
        model: any model.
        metadata: entries for `metadata.json`, beside Keras's version.
    """
    with open_atomically(path) as file:
        entries = save_with_keras(model, path.parent)
        keras_metadata = json.loads(entries["metadata.json"])
        del keras_metadata["date_saved"]
        entries["metadata.json"] = json.dumps(keras_metadata | dict(metadata or {}), sort_keys=True).encode()
        config = number_shared_objects(json.loads(entries["config.json"]), {})
        entries["config.json"] = json.dumps(config, sort_keys=True).encode()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(entries):
                archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), entries[name])


def save_with_keras(model: "keras.Model", folder: Path) -> dict[str, bytes]:
    """Let Keras save a model to a temporary file in `folder`; return the entries of that zip file."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".keras-") as scratch:
        path = Path(scratch) / "model.keras"
        model.save(path)
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def number_shared_objects(config: Any, numbers: dict[int, int]) -> Any:
    """Replace each `shared_object_id`, a memory address, in a Keras config by its rank of first appearance.

    `numbers` maps each address to its rank; start with an empty dictionary.
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
