"""Writers: the bytes depend on the content alone, and nothing half-written is ever seen."""

import errno
import io
import os
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import keras
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cae.core import files
from cae.core.errors import UserError
from tests import default

ROOT = Path(__file__).parents[2]


def a_figure() -> Figure:
    figure = Figure()
    figure.subplots().plot([1, 2, 4])
    return figure


WRITERS: dict[str, Callable[[Path], None]] = {
    "bytes": lambda path: files.write_bytes(path, b"content"),
    "json": lambda path: files.write_json(path, {"b": 0.1, "a": [1, None]}),
    "csv": lambda path: files.write_csv(path, pd.DataFrame({"epoch": [1, 2], "loss": [0.1, 1 / 3]})),
    "array": lambda path: files.write_array(path, np.arange(6, dtype=np.float32).reshape(2, 3)),
    "figure": lambda path: files.write_figure(path, a_figure()),
    "model": lambda path: files.write_model(path, default.autoencoder(seed=3).network),
}


@pytest.fixture(params=WRITERS)
def write(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    return WRITERS[request.param]


def test_a_later_clock_and_another_path_change_no_byte(
    write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "now")
    next_year = time.time() + 365 * 24 * 3600
    monkeypatch.setattr(time, "time", lambda: next_year)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(next_year))
    write(tmp_path / "another folder" / "later")
    assert (tmp_path / "now").read_bytes() == (tmp_path / "another folder" / "later").read_bytes()


def test_a_missing_folder_is_made(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "new" / "file")
    assert (tmp_path / "new" / "file").stat().st_size > 0


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        write(target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_disk_that_fills_while_keras_saves_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def full(_: keras.Model, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(keras.Sequential, "save", full)
    with pytest.raises(UserError, match=r"file could not be written: No space left on device"):
        files.write_model(target, default.autoencoder(seed=3).network)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def fail(file: IO[bytes]) -> None:
        file.write(b"half")
        raise RuntimeError

    with pytest.raises(RuntimeError), files.open_atomically(target) as file:
        fail(file)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_where_a_folder_is_needed_is_a_clear_error(
    write: Callable[[Path], None], tmp_path: Path
) -> None:
    (tmp_path / "plots").write_text("a file")
    with pytest.raises(UserError, match=r"plots/chart could not be written"):
        write(tmp_path / "plots" / "chart")


def test_a_folder_in_the_place_of_a_file_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="could not be written"):
        files.write_bytes(Path(), b"")


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_who_may_read_a_file_is_for_the_umask_to_say(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        files.write_bytes(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~umask


def test_json_has_sorted_keys_and_a_newline_at_the_end(tmp_path: Path) -> None:
    files.write_json(tmp_path / "metrics.json", {"b": 1, "a": 0.1})
    assert (tmp_path / "metrics.json").read_text() == '{\n  "a": 0.1,\n  "b": 1\n}\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_what_json_cannot_hold(value: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "metrics.json", {"bce": value})
    assert list(tmp_path.iterdir()) == []


def test_csv_floats_read_back_equal(tmp_path: Path) -> None:
    table = pd.DataFrame({"loss": [1 / 3, 0.1, 1e-17]})
    files.write_csv(tmp_path / "history.csv", table)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "history.csv"), table, check_exact=True)


def test_an_array_can_be_memory_mapped(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    files.write_array(tmp_path / "array.npy", array)
    mapped = np.load(tmp_path / "array.npy", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, array)


def test_a_picture_holds_a_palette_and_no_metadata(tmp_path: Path) -> None:
    files.write_figure(tmp_path / "picture.png", a_figure())
    content = (tmp_path / "picture.png").read_bytes()
    assert list(dict.fromkeys(chunks(content))) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    with Image.open(tmp_path / "picture.png") as image:
        assert image.mode == "P"


def chunks(png: bytes) -> Iterator[bytes]:
    """The kinds of the chunks of a PNG, one after the other."""
    with io.BytesIO(png) as file:
        file.seek(8)
        while size := file.read(4):
            yield file.read(4)
            file.seek(int.from_bytes(size) + 4, os.SEEK_CUR)


def test_a_palette_changes_no_grey() -> None:
    greys = Image.linear_gradient("L").convert("RGB")
    assert files.reduce_colours(greys).convert("RGB").tobytes() == greys.tobytes()


def test_a_palette_keeps_the_colour_of_a_thin_line_among_many_colours() -> None:
    many = np.random.default_rng(0).integers(0, 100, (200, 200, 3), np.uint8)
    many[0, :10] = [213, 94, 0]
    kept = np.asarray(files.reduce_colours(Image.fromarray(many)).convert("RGB"))
    assert kept[0, :10] == pytest.approx(many[0, :10], abs=1)


def test_committed_pictures_are_small() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*.png"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert listed
    assert [name for name in listed if (ROOT / name).stat().st_size > 150 * 1024] == []


def test_a_model_is_loaded_by_plain_keras(tmp_path: Path) -> None:
    network = default.autoencoder(seed=3).network
    files.write_model(tmp_path / "network.keras", network)
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    images = np.random.default_rng(0).random((2, 28, 28, 1), dtype=np.float32)
    np.testing.assert_array_equal(loaded(images), network(images))


def test_two_equal_networks_give_equal_files(tmp_path: Path) -> None:
    # Keras numbers objects by their address; both networks are alive, so the addresses differ.
    networks: list[Any] = [default.autoencoder(seed=3).network, default.autoencoder(seed=3).network]
    for index, network in enumerate(networks):
        files.write_model(tmp_path / f"{index}.keras", network)
    assert (tmp_path / "0.keras").read_bytes() == (tmp_path / "1.keras").read_bytes()


def test_a_model_file_holds_no_date(tmp_path: Path) -> None:
    files.write_model(tmp_path / "network.keras", default.autoencoder(seed=3).network)
    with zipfile.ZipFile(tmp_path / "network.keras") as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"date_saved" not in archive.read("metadata.json")
