"""Writers: the bytes depend on the content alone, and no reader ever sees half a file."""

import errno
import io
import os
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import keras
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cae.core import files
from cae.core.errors import UserError
from tests import ROOT, default


def build_figure() -> Figure:
    figure = Figure()
    figure.subplots().plot([1, 2, 4])
    return figure


WRITERS: dict[str, Callable[[Path], None]] = {
    "bytes": lambda path: files.write_bytes(path, b"content"),
    "json": lambda path: files.write_json(path, {"b": 0.1, "a": [1, None]}),
    "csv": lambda path: files.write_csv(path, pd.DataFrame({"epoch": [1, 2], "loss": [0.1, 1 / 3]})),
    "array": lambda path: files.write_array(path, np.arange(6, dtype=np.float32).reshape(2, 3)),
    "figure": lambda path: files.write_figure(path, build_figure()),
    "model": lambda path: files.write_model(path, default.autoencoder(seed=3).network),
}


def fill_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    """A file that must be unchanged at the end, with nothing beside it."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    yield path
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", WRITERS)
def test_the_time_and_the_path_change_no_byte(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    WRITERS[name](tmp_path / "now")
    next_year = time.time() + 365 * 24 * 3600
    monkeypatch.setattr(time, "time", lambda: next_year)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(next_year))
    WRITERS[name](tmp_path / "new folder" / "later")
    assert (tmp_path / "now").read_bytes() == (tmp_path / "new folder" / "later").read_bytes()


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_old_file(name: str, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", fill_disk)
    with pytest.raises(UserError, match="file could not be written: No space left on device"):
        WRITERS[name](target)


def test_a_disk_that_is_full_while_keras_saves_leaves_the_old_file(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(_: keras.Model, path: Path) -> None:
        path.write_bytes(b"half")
        fill_disk()

    monkeypatch.setattr(keras.Sequential, "save", save)
    with pytest.raises(UserError, match="file could not be written: No space left on device"):
        WRITERS["model"](target)


def test_an_error_while_writing_leaves_the_old_file(target: Path) -> None:
    def fail(file: IO[bytes]) -> None:
        file.write(b"half")
        raise RuntimeError

    with pytest.raises(RuntimeError), files.open_atomically(target) as file:
        fail(file)


@pytest.mark.parametrize("name", [".", "file/below"])
def test_a_path_that_cannot_be_written_is_named(
    name: str, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(target.parent)
    with pytest.raises(UserError, match=f"{name} could not be written"):
        files.write_bytes(Path(name), b"")


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_follow_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        files.write_bytes(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~umask


def test_json_is_sorted_and_strict(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    files.write_json(path, {"b": 1, "a": 0.1})
    assert path.read_text() == '{\n  "a": 0.1,\n  "b": 1\n}\n'
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            files.write_json(path, {"bce": value})


def test_csv_floats_are_read_back_equal(tmp_path: Path) -> None:
    table = pd.DataFrame({"loss": [1 / 3, 0.1, 1e-17]})
    files.write_csv(tmp_path / "history.csv", table)
    pd.testing.assert_frame_equal(files.read_csv(tmp_path / "history.csv"), table, check_exact=True)


def test_a_table_that_cannot_be_read_is_named_with_the_command_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"history\.csv cannot be read .*\. Make it again: dvc repro$"):
        files.read_csv(tmp_path / "history.csv")


def test_an_array_can_be_memory_mapped(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    files.write_array(tmp_path / "array.npy", array)
    mapped = np.load(tmp_path / "array.npy", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, array)


def list_chunks(png: bytes) -> Iterator[bytes]:
    """Yield the types of the chunks of a PNG."""
    with io.BytesIO(png) as file:
        file.seek(8)
        while size := file.read(4):
            yield file.read(4)
            file.seek(int.from_bytes(size) + 4, os.SEEK_CUR)


def test_a_figure_has_a_palette_and_no_metadata(tmp_path: Path) -> None:
    files.write_figure(tmp_path / "figure.png", build_figure())
    chunks = list_chunks((tmp_path / "figure.png").read_bytes())
    assert list(dict.fromkeys(chunks)) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]


def test_a_palette_keeps_all_greys_and_the_colour_of_a_thin_line() -> None:
    greys = Image.linear_gradient("L").convert("RGB")
    assert files.reduce_colours(greys).convert("RGB").tobytes() == greys.tobytes()
    pixels = np.random.default_rng(0).integers(0, 100, (200, 200, 3), np.uint8)
    pixels[0, :10] = [213, 94, 0]
    reduced = np.asarray(files.reduce_colours(Image.fromarray(pixels)).convert("RGB"))
    assert reduced[0, :10] == pytest.approx(pixels[0, :10], abs=1)


def test_committed_figures_are_small() -> None:
    command = ["git", "ls-files", "*.png"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert names
    assert [name for name in names if (ROOT / name).stat().st_size > 150 * 1024] == []


def test_equal_networks_give_equal_files(tmp_path: Path) -> None:
    # Keras stores the addresses of objects; these differ, because both networks are alive.
    for index, network in enumerate([default.autoencoder(seed=3).network for _ in range(2)]):
        files.write_model(tmp_path / f"{index}.keras", network)
    assert (tmp_path / "0.keras").read_bytes() == (tmp_path / "1.keras").read_bytes()


def test_a_model_file_is_loaded_by_plain_keras_and_has_no_date(tmp_path: Path) -> None:
    path = tmp_path / "network.keras"
    network = default.autoencoder(seed=3).network
    files.write_model(path, network, {"note": "ours"})
    images = np.random.default_rng(0).random((2, 28, 28, 1), dtype=np.float32)
    np.testing.assert_array_equal(keras.saving.load_model(path)(images), network(images))
    with zipfile.ZipFile(path) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        metadata = archive.read("metadata.json")
    assert b'"note": "ours"' in metadata
    assert b"date_saved" not in metadata
