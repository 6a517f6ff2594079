"""Fetching Fashion-MNIST: the verified cache first, then every mirror in turn, and never a wrong file.

Tiny files with checksums of their own stand in for the real ones, a server on the loopback for Keras's host.
"""

import gzip
import hashlib
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from cae.core.errors import UserError
from cae.datasets import fashion_mnist, mirrors

NAMES = tuple(fashion_mnist.CHECKSUMS)
NOBODY = 65534


def encode(values: npt.NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


ARRAYS = {
    NAMES[0]: np.arange(5 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(5, 28, 28),
    NAMES[1]: np.array([3, 1, 4, 1, 5], dtype=np.uint8),
    NAMES[2]: np.full((2, 28, 28), 7, dtype=np.uint8),
    NAMES[3]: np.array([9, 2], dtype=np.uint8),
}
PLAIN = {name: encode(values) for name, values in ARRAYS.items()}
CHECKSUMS = {name: hashlib.sha256(content).hexdigest() for name, content in PLAIN.items()}
GZIPPED = {f"{name}.gz": gzip.compress(content) for name, content in PLAIN.items()}


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def listing(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def fetch(
    raw: Path, *asked: mirrors.Mirror, checksums: Mapping[str, str] = CHECKSUMS
) -> fashion_mnist.FashionMnist:
    return fashion_mnist.fetch(raw, asked, checksums)


def assert_is_whole(data: fashion_mnist.FashionMnist) -> None:
    got = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    for found, expected in zip(got, ARRAYS.values(), strict=True):
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected)


@dataclass(frozen=True)
class Shelf:
    """A mirror that lays down what it was given, then fails if told to; it remembers what was asked."""

    name: ClassVar[str] = "the shelf"
    files: Mapping[str, bytes] = field(default_factory=dict)
    failure: Exception | None = None
    asked: list[str] = field(default_factory=list)

    def serve(self, folder: Path, names: Sequence[str]) -> None:
        assert list(folder.iterdir()) == []
        self.asked.extend(names)
        write(
            folder, {file: stored for file, stored in self.files.items() if file.removesuffix(".gz") in names}
        )
        if self.failure is not None:
            raise self.failure


class Server:
    """A web server of a few files; `behaviour` says how it answers."""

    def __init__(self, behaviour: str) -> None:
        self.asked: list[str] = []
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                outer.answer(self, behaviour)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/data/"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, request: BaseHTTPRequestHandler, behaviour: str) -> None:
        stored = GZIPPED.get(request.path.removeprefix("/data/"))
        if behaviour == "silent":
            self.released.wait()
            return
        if stored is None or behaviour == "missing":
            request.send_error(404)
            return
        request.send_response(200)
        if behaviour != "cut, length unsaid":
            request.send_header("Content-Length", str(len(stored)))
        request.end_headers()
        request.wfile.write(stored[: len(stored) // 2] if behaviour.startswith("cut") else stored)

    def close(self) -> None:
        self.released.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server(getattr(request, "param", "whole"))
    yield running
    running.close()


@pytest.fixture
def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that we may read but not write, also when the tests run as root."""
    folder = Path(tempfile.mkdtemp())
    raw = write(folder / "raw", {})
    folder.chmod(0o755)
    yield raw
    os.seteuid(os.getuid())
    raw.chmod(0o755)
    shutil.rmtree(folder)


def lock(path: Path, mode: int = 0o555) -> None:
    """Take rights away; root has them whatever the mode, so stop being root until the test ends."""
    path.chmod(mode)
    if os.geteuid() == 0:
        os.seteuid(NOBODY)


# The cache


@pytest.mark.parametrize("files", [PLAIN, GZIPPED], ids=["plain", "gzipped"])
def test_verified_files_in_the_folder_are_read_and_nobody_is_asked(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    shelf = Shelf()
    data = fetch(write(tmp_path / "raw", files), shelf)
    assert_is_whole(data)
    assert data.origin == str(tmp_path / "raw")
    assert data.notes == ()
    assert shelf.asked == []
    assert listing(tmp_path / "raw") == set(files)


def test_a_read_only_folder_of_verified_files_is_enough(read_only: Path) -> None:
    write(read_only, GZIPPED)
    lock(read_only)
    assert_is_whole(fetch(read_only))


def test_only_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", {NAMES[1]: PLAIN[NAMES[1]], NAMES[2]: PLAIN[NAMES[2]]})
    shelf = Shelf(GZIPPED)
    data = fetch(raw, shelf)
    assert_is_whole(data)
    assert shelf.asked == [NAMES[0], NAMES[3]]
    assert data.origin == f"{raw} and the shelf"
    assert listing(raw) == {f"{NAMES[0]}.gz", NAMES[1], NAMES[2], f"{NAMES[3]}.gz"}


@pytest.mark.parametrize(
    ("file", "stored", "reason"),
    [
        (f"{NAMES[0]}.gz", GZIPPED[f"{NAMES[0]}.gz"][:-20], "the gzip stream is truncated"),
        (NAMES[0], PLAIN[NAMES[0]][:-1], "its header announces 5×28×28 = 3920 values, but 3919 follow"),
        (NAMES[0], b"not found", "it begins with 6e6f7420"),
        (NAMES[0], encode(255 - ARRAYS[NAMES[0]]), f"not {CHECKSUMS[NAMES[0]]}"),
        (NAMES[0], PLAIN[NAMES[1]], f"not {CHECKSUMS[NAMES[0]]}"),
    ],
    ids=["truncated gzip", "truncated", "wrong magic", "other pixels", "another file"],
)
def test_a_wrong_file_is_named_set_aside_and_replaced(
    tmp_path: Path, file: str, stored: bytes, reason: str
) -> None:
    raw = write(tmp_path / "raw", {**PLAIN, **GZIPPED})
    (raw / NAMES[0]).unlink()
    (raw / f"{NAMES[0]}.gz").unlink()
    write(raw, {file: stored})
    data = fetch(raw, Shelf(GZIPPED))
    assert_is_whole(data)
    aside = raw / f"{file}.rejected"
    assert aside.read_bytes() == stored
    [note] = data.notes
    assert note.startswith(f"{raw}: {file}: ")
    assert reason in note
    assert note.endswith(f"set aside as {aside}")


def test_a_wrong_plain_file_does_not_hide_the_right_gzip_beside_it(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", {**GZIPPED, NAMES[3]: b"old"})
    data = fetch(raw)
    assert_is_whole(data)
    assert listing(raw) == {*GZIPPED, f"{NAMES[3]}.rejected"}


def test_a_file_that_may_not_be_read_is_named_and_stays(read_only: Path) -> None:
    write(read_only, PLAIN).chmod(0o777)
    hidden = read_only / NAMES[0]
    shelf = Shelf(GZIPPED)
    lock(hidden, 0o000)
    with pytest.raises(UserError, match=f"{hidden} cannot be read: Permission denied. Make it readable, or"):
        fetch(read_only, shelf)
    assert shelf.asked == []
    assert listing(read_only) == set(PLAIN)


def test_setting_aside_never_overwrites_what_was_set_aside_before(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    for stored in (b"first", b"second", b"third"):
        write(raw, {NAMES[0]: stored})
        with pytest.raises(UserError):
            fetch(raw)
    asides = [raw / f"{NAMES[0]}.rejected{number}" for number in ("", "2", "3")]
    assert [aside.read_bytes() for aside in asides] == [b"first", b"second", b"third"]


# The mirrors in turn


def test_a_mirror_that_fails_midway_keeps_what_it_served_and_the_next_goes_on(tmp_path: Path) -> None:
    first = Shelf({f"{NAMES[0]}.gz": GZIPPED[f"{NAMES[0]}.gz"]}, failure=mirrors.MirrorError("line cut"))
    second = Shelf(GZIPPED)
    data = fetch(tmp_path / "raw", first, second)
    assert_is_whole(data)
    assert second.asked == list(NAMES[1:])
    assert data.notes == ("the shelf: line cut",)


def test_a_wrong_file_from_a_mirror_is_set_aside_and_the_next_mirror_asked(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    wrong = Shelf({**GZIPPED, f"{NAMES[2]}.gz": b"<html>log in to this network</html>"})
    right = Shelf(GZIPPED)
    data = fetch(raw, wrong, right)
    assert_is_whole(data)
    assert right.asked == [NAMES[2]]
    assert listing(raw) == {*GZIPPED, f"{NAMES[2]}.gz.rejected"}


def test_a_full_disk_is_one_more_reason_why_a_mirror_failed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the shelf: \[Errno 28\] No space left on device"):
        fetch(tmp_path / "raw", Shelf(failure=OSError(28, "No space left on device")))


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), RuntimeError("a defect")])
def test_whatever_stops_a_mirror_leaves_nothing_under_the_final_names(
    tmp_path: Path, failure: Exception
) -> None:
    half = {file: stored[:30] for file, stored in GZIPPED.items()}
    with pytest.raises(type(failure)):
        fetch(tmp_path / "raw", Shelf(half, failure=failure))
    assert listing(tmp_path / "raw") == set()


def test_when_nothing_works_every_reason_and_three_ways_out_are_told(
    tmp_path: Path, closed_port: str
) -> None:
    raw = write(
        tmp_path / "raw", {f"{NAMES[0]}.gz": GZIPPED[f"{NAMES[0]}.gz"][:40], NAMES[1]: PLAIN[NAMES[1]]}
    )
    package = mirrors.InstalledPackage(tmp_path / "package")
    with pytest.raises(UserError) as caught:
        fetch(raw, mirrors.KerasDownload(closed_port), package, Shelf(failure=mirrors.MirrorError("bare")))
    head, *reasons, mend, network, by_hand, install = str(caught.value).splitlines()
    assert head.startswith(f"Fashion-MNIST could not be had: {raw} lacks {NAMES[0]}, {NAMES[2]}, {NAMES[3]} ")
    assert [reason.split(": ")[0] for reason in reasons] == [
        f"  - {raw}",
        "  - Keras's download",
        "  - the installed Debian package",
        "  - the shelf",
    ]
    assert "the gzip stream is truncated" in reasons[0]
    assert "Connection refused" in reasons[1]
    assert f"there is no folder {package.folder}" in reasons[2]
    assert mend == "Any one of these mends it:"
    assert mirrors.KERAS_URL in network
    assert all(name in by_hand for name in NAMES)
    assert mirrors.PACKAGE in install


@pytest.mark.parametrize("split", ["train", "test"])
def test_images_and_labels_of_different_length_are_named(tmp_path: Path, split: str) -> None:
    images, labels = NAMES[:2] if split == "train" else NAMES[2:]
    short = encode(ARRAYS[labels][:-1])
    checksums = {**CHECKSUMS, labels: hashlib.sha256(short).hexdigest()}
    raw = write(tmp_path / "raw", {**PLAIN, labels: short})
    sizes = rf"\({len(ARRAYS[images])}, 28, 28\) and the {split} labels \({len(ARRAYS[labels]) - 1},\)"
    with pytest.raises(UserError, match=f"The {split} images have shape {sizes}"):
        fetch(raw, checksums=checksums)


# A folder that cannot be written


def test_a_read_only_folder_is_named_before_anything_is_downloaded(read_only: Path) -> None:
    shelf = Shelf(GZIPPED)
    lock(read_only)
    with pytest.raises(UserError, match=f"{read_only} cannot be written: Permission denied. Make the folder"):
        fetch(read_only, shelf)
    assert shelf.asked == []


def test_a_wrong_file_that_cannot_be_set_aside_is_not_used(read_only: Path) -> None:
    write(read_only, {**PLAIN, NAMES[0]: encode(255 - ARRAYS[NAMES[0]])})
    lock(read_only)
    with pytest.raises(UserError, match=f"{read_only} cannot be written: Permission denied"):
        fetch(read_only, Shelf(GZIPPED))


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("not a folder")
    with pytest.raises(UserError, match="raw cannot be written: File exists"):
        fetch(tmp_path / "raw", Shelf(GZIPPED))


# Keras's download


def test_keras_downloads_one_file_after_another(tmp_path: Path, server: Server) -> None:
    raw = tmp_path / "data" / "raw"
    data = fetch(raw, mirrors.KerasDownload(server.url))
    assert_is_whole(data)
    assert data.origin == "Keras's download"
    assert server.asked == [f"/data/{name}.gz" for name in NAMES]
    assert {name: (raw / name).read_bytes() for name in listing(raw)} == GZIPPED


def test_keras_shows_its_progress(tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    fetch(tmp_path / "raw", mirrors.KerasDownload(server.url))
    shown = capsys.readouterr().out
    assert f"Downloading data from {server.url}{NAMES[0]}.gz" in shown
    size = len(GZIPPED[f"{NAMES[0]}.gz"])
    assert f"{size}/{size}" in shown


def test_the_address_is_the_one_that_keras_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    from keras.src.datasets import fashion_mnist

    asked = []

    def note(name: str, origin: str, cache_subdir: str) -> str:
        asked.append(origin)
        return os.devnull

    monkeypatch.setattr(fashion_mnist, "get_file", note)
    with pytest.raises(ValueError, match="buffer"):
        fashion_mnist.load_data()
    assert sorted(asked) == sorted(f"{mirrors.KERAS_URL}{name}.gz" for name in NAMES)


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ("missing", "HTTP Error 404: Not Found"),
        ("cut", "retrieval incomplete: got only"),
        ("silent", "timed out"),
    ],
    indirect=["server"],
)
def test_a_failing_host_is_named_with_its_reason(tmp_path: Path, server: Server, reason: str) -> None:
    with pytest.raises(UserError) as caught:
        fetch(tmp_path / "raw", mirrors.KerasDownload(server.url, patience=0.2))
    assert f"Keras's download: {server.url}{NAMES[0]}.gz: " in str(caught.value)
    assert reason in str(caught.value)
    assert len(server.asked) == 1
    assert listing(tmp_path / "raw") == set()


@pytest.mark.parametrize("server", ["cut, length unsaid"], indirect=True)
def test_a_download_cut_without_notice_is_rejected(tmp_path: Path, server: Server) -> None:
    raw = tmp_path / "raw"
    with pytest.raises(UserError, match=f"Keras's download: {NAMES[0]}.gz: the gzip stream is truncated"):
        fetch(raw, mirrors.KerasDownload(server.url))
    assert listing(raw) == {f"{file}.rejected" for file in GZIPPED}


def test_the_limit_on_waiting_is_lifted_afterwards(tmp_path: Path, closed_port: str) -> None:
    before = socket.getdefaulttimeout()
    with pytest.raises(mirrors.MirrorError):
        mirrors.KerasDownload(closed_port).serve(tmp_path, NAMES)
    assert socket.getdefaulttimeout() == before


# Debian's package


def test_the_installed_package_is_copied(tmp_path: Path) -> None:
    package = write(tmp_path / "package", GZIPPED)
    data = fetch(tmp_path / "raw", mirrors.InstalledPackage(package))
    assert_is_whole(data)
    assert data.origin == "the installed Debian package"
    assert listing(package) == listing(tmp_path / "raw") == set(GZIPPED)


def test_an_installed_package_without_a_file_says_which(tmp_path: Path) -> None:
    package = write(tmp_path / "package", {f"{NAMES[0]}.gz": GZIPPED[f"{NAMES[0]}.gz"]})
    with pytest.raises(UserError, match=f"No such file or directory: '{package}/{NAMES[1]}.gz'"):
        fetch(tmp_path / "raw", mirrors.InstalledPackage(package))


def script(folder: Path, name: str, body: str) -> None:
    program = write(folder, {name: f"#!/bin/sh\n{body}\n".encode()}) / name
    program.chmod(0o755)


def test_a_machine_without_apt_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="Debian's package through apt-get: apt-get is not on this machine\n"):
        fetch(tmp_path / "raw", mirrors.AptDownload())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("echo 'W: a warning' >&2; echo 'E: why' >&2; echo 'E: and so' >&2; exit 100", "apt-get: E: why"),
        ("exit 7", "apt-get: exit code 7"),
        ("exec /bin/sleep 60", "apt-get took longer than 0.2 s"),
    ],
    ids=["says why", "says nothing", "hangs"],
)
def test_a_failing_apt_is_named_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, reason: str
) -> None:
    script(tmp_path / "bin", "apt-get", body)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(mirrors.MirrorError) as caught:
        mirrors.AptDownload(patience=0.2).serve(write(tmp_path / "scratch", {}), NAMES)
    assert str(caught.value) == reason


needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt-get on this machine")


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb on this machine")
def test_lists_that_cannot_all_be_updated_do_not_matter_when_the_package_is_in_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    write(tree / mirrors.PACKAGE_FOLDER.relative_to("/"), GZIPPED)
    control = "Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: none\nDescription: tiny\n"
    write(tree / "DEBIAN", {"control": control.encode()})
    subprocess.run(["dpkg-deb", "-b", tree, tmp_path / "tiny.deb"], check=True, stdout=subprocess.DEVNULL)
    script(
        tmp_path / "bin",
        "apt-get",
        f"case $* in *update) exit 100;; *'download tiny') cp '{tmp_path}/tiny.deb' .;; *) exit 1; esac",
    )
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    assert_is_whole(fetch(tmp_path / "raw", mirrors.AptDownload("tiny")))
    assert listing(tmp_path / "raw") == set(GZIPPED)


@pytest.mark.slow
@needs_apt
def test_apt_without_a_network_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed_port: str
) -> None:
    for scheme in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(scheme, closed_port)
    with pytest.raises(
        UserError, match=r"apt-get: E: Failed to fetch .*; apt-get: E: Unable to locate package"
    ):
        fetch(tmp_path / "raw", mirrors.AptDownload())


@pytest.mark.slow
@needs_apt
def test_apt_says_so_when_it_has_no_such_package(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="apt-get: E: Unable to locate package no-such-package"):
        fetch(tmp_path / "raw", mirrors.AptDownload("no-such-package"))


@pytest.mark.slow
@needs_apt
def test_apt_serves_the_published_data(tmp_path: Path) -> None:
    # A space in the path, because apt reads its options as a language of its own.
    raw = tmp_path / "raw data"
    try:
        data = fashion_mnist.fetch(raw, [mirrors.AptDownload()])
    except UserError as error:
        if "E: Failed to fetch" in str(error):
            pytest.skip(f"this machine reaches no package archive: {error}")
        raise
    assert data.train_images.shape == (60000, 28, 28)
    assert data.test_images.shape == (10000, 28, 28)
    assert np.bincount(data.train_labels).tolist() == [6000] * 10
    assert np.bincount(data.test_labels).tolist() == [1000] * 10
    assert listing(raw) == {f"{name}.gz" for name in NAMES}
    for name, checksum in fashion_mnist.CHECKSUMS.items():
        assert hashlib.sha256(gzip.decompress((raw / f"{name}.gz").read_bytes())).hexdigest() == checksum


def test_every_class_of_the_dataset_has_its_own_name() -> None:
    assert len(set(fashion_mnist.CLASS_NAMES)) == 10
