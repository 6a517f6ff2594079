"""Fetching files: the verified cache first, then every mirror in turn, and never a wrong file."""

import gzip
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cae.core.errors import UserError
from cae.datasets import downloads
from cae.datasets.downloads import (
    AptDownload,
    FetchResult,
    InstalledPackage,
    KerasDownload,
    Mirror,
    MirrorError,
)

FILES = {name: f"the content of {name} ".encode() * 20 for name in ("one", "two", "three")}
NAMES = list(FILES)
GZIPPED = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in FILES.items()}
NOBODY = 65534


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def listing(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def read(name: str, path: Path) -> bytes:
    stored = path.read_bytes()
    try:
        content = gzip.decompress(stored) if path.suffix == ".gz" else stored
    except (OSError, EOFError) as error:
        raise ValueError(f"damaged: {error}") from error
    if content != FILES[name]:
        raise ValueError("not the right content")
    return content


def fetch(raw: Path, *asked: Mirror) -> FetchResult[bytes]:
    return downloads.fetch_files(raw, asked, NAMES, read, "The data", ["ask Ann", "ask Bob"])


@dataclass(frozen=True)
class FakeMirror:
    """A mirror that puts down its files, then fails if told to; it remembers what was asked for."""

    name: ClassVar[str] = "the fake"
    files: Mapping[str, bytes] = field(default_factory=dict)
    failure: BaseException | None = None
    asked: list[str] = field(default_factory=list)

    def fetch(self, folder: Path, names: Sequence[str]) -> None:
        assert list(folder.iterdir()) == []
        self.asked.extend(names)
        write(folder, {file: content for file, content in self.files.items() if Path(file).stem in names})
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that may be read but not written once it is locked, also when the tests run as root."""
    folder = Path(tempfile.mkdtemp())
    raw = write(folder / "raw", {})
    folder.chmod(0o755)
    yield raw
    os.seteuid(os.getuid())
    raw.chmod(0o755)
    shutil.rmtree(folder)


def lock(path: Path) -> None:
    """Remove the right to write; root keeps it whatever the mode, so stop being root until the test ends."""
    path.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(NOBODY)


# The cache and the mirrors in turn


@pytest.mark.parametrize("files", [FILES, GZIPPED], ids=["plain", "gzipped"])
def test_verified_files_in_a_read_only_folder_are_enough(read_only: Path, files: dict[str, bytes]) -> None:
    write(read_only, files)
    lock(read_only)
    mirror = FakeMirror()
    fetched = fetch(read_only, mirror)
    assert fetched == FetchResult(FILES, [str(read_only)], [])
    assert mirror.asked == []
    assert listing(read_only) == set(files)


def test_only_missing_files_are_asked_for(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", {"two": FILES["two"]})
    mirror = FakeMirror(GZIPPED)
    assert fetch(raw, mirror) == FetchResult(FILES, [str(raw), "the fake"], [])
    assert mirror.asked == ["one", "three"]
    assert listing(raw) == {"one.gz", "two", "three.gz"}


@pytest.mark.parametrize("file", ["one", "one.gz"])
def test_a_wrong_file_is_set_aside_and_fetched_again(tmp_path: Path, file: str) -> None:
    raw = write(tmp_path / "raw", {file: b"wrong", "two": FILES["two"], "three": FILES["three"]})
    fetched = fetch(raw, FakeMirror(GZIPPED))
    assert fetched.contents == FILES
    [note] = fetched.notes
    assert note.startswith(f"{raw}: {file}: ")
    assert note.endswith(f"renamed to {raw}/{file}.rejected")
    assert (raw / f"{file}.rejected").read_bytes() == b"wrong"


def test_a_wrong_plain_file_does_not_hide_the_right_gzip_beside_it(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", {**GZIPPED, "one": b"old"})
    assert fetch(raw).contents == FILES
    assert listing(raw) == {*GZIPPED, "one.rejected"}


def test_setting_aside_overwrites_nothing(tmp_path: Path) -> None:
    for content in (b"first", b"second", b"third"):
        raw = write(tmp_path / "raw", {"one": content})
        with pytest.raises(UserError):
            fetch(raw)
    asides = [raw / f"one.rejected{number}" for number in ("", "2", "3")]
    assert [aside.read_bytes() for aside in asides] == [b"first", b"second", b"third"]


def test_a_mirror_that_fails_midway_keeps_what_it_fetched_and_the_next_one_continues(tmp_path: Path) -> None:
    first = FakeMirror({"one.gz": GZIPPED["one.gz"], "two.gz": b"<html>"}, MirrorError("line cut"))
    second = FakeMirror(GZIPPED)
    fetched = fetch(tmp_path / "raw", first, second)
    assert fetched.contents == FILES
    assert second.asked == ["two", "three"]
    assert fetched.notes[0] == "the fake: line cut"
    assert listing(tmp_path / "raw") == {*GZIPPED, "two.gz.rejected"}


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), RuntimeError("a defect")])
def test_whatever_stops_a_mirror_leaves_nothing_under_the_final_names(
    tmp_path: Path, failure: BaseException
) -> None:
    with pytest.raises(type(failure)):
        fetch(tmp_path / "raw", FakeMirror(GZIPPED, failure))
    assert listing(tmp_path / "raw") == set()


def test_if_nothing_works_every_reason_and_remedy_is_named(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", {"one.gz": b"half", "two": FILES["two"]})
    full_disk = FakeMirror(failure=OSError(28, "No space left on device"))
    with pytest.raises(UserError) as caught:
        fetch(raw, InstalledPackage(tmp_path / "package"), full_disk)
    head, wrong, package, disk, *remedies = str(caught.value).splitlines()
    assert head == f"The data could not be fetched: {raw} lacks one, three, and no mirror has them:"
    assert wrong.startswith(f"  - {raw}: one.gz: damaged")
    assert package == f"  - the installed Debian package: {tmp_path / 'package'} has no one"
    assert disk == "  - the fake: [Errno 28] No space left on device"
    assert remedies == ["Do one of the following, and run again:", "  1. ask Ann", "  2. ask Bob"]


@pytest.mark.parametrize("files", [{}, {"one": b"wrong"}], ids=["nothing there", "a wrong file"])
def test_a_folder_that_cannot_be_written_is_named_before_a_download(
    read_only: Path, files: dict[str, bytes]
) -> None:
    lock(write(read_only, files))
    mirror = FakeMirror(GZIPPED)
    with pytest.raises(UserError, match=f"{read_only} cannot be written: Permission denied. Make the folder"):
        fetch(read_only, mirror)
    assert mirror.asked == []


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("not a folder")
    with pytest.raises(UserError, match="raw cannot be written: File exists"):
        fetch(tmp_path / "raw", FakeMirror(GZIPPED))


# Downloads with Keras, from a server in this process


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
        content = GZIPPED.get(request.path.removeprefix("/data/"))
        if behaviour == "silent":
            self.released.wait()
            return
        if content is None or behaviour == "missing":
            request.send_error(404)
            return
        request.send_response(200)
        if behaviour != "cut, without a length":
            request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[: len(content) // 2] if behaviour.startswith("cut") else content)

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


def test_keras_downloads_one_file_after_another_and_shows_its_progress(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "data" / "raw"
    assert fetch(raw, KerasDownload(server.url)) == FetchResult(FILES, ["Keras's download"], [])
    assert server.asked == [f"/data/{name}.gz" for name in NAMES]
    assert {name: (raw / name).read_bytes() for name in listing(raw)} == GZIPPED
    size = len(GZIPPED["one.gz"])
    assert f"{size}/{size}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ("missing", "HTTP Error 404: Not Found"),
        ("cut", "retrieval incomplete: got only"),
        ("silent", "timed out"),
    ],
    indirect=["server"],
)
def test_a_failing_server_is_named_with_the_reason(tmp_path: Path, server: Server, reason: str) -> None:
    before = socket.getdefaulttimeout()
    with pytest.raises(MirrorError, match=f"{server.url}one.gz: .*{reason}"):
        KerasDownload(server.url, timeout=0.2).fetch(tmp_path, NAMES)
    assert len(server.asked) == 1
    assert socket.getdefaulttimeout() == before


@pytest.mark.parametrize("server", ["cut, without a length"], indirect=True)
def test_a_download_cut_without_notice_is_rejected(tmp_path: Path, server: Server) -> None:
    raw = tmp_path / "raw"
    with pytest.raises(UserError, match=r"Keras's download: one\.gz: damaged"):
        fetch(raw, KerasDownload(server.url))
    assert listing(raw) == {f"{file}.rejected" for file in GZIPPED}


# Debian's package


def test_the_files_of_an_installed_package_are_copied(tmp_path: Path) -> None:
    package = write(tmp_path / "package", {**GZIPPED, "one": FILES["one"]})
    assert fetch(tmp_path / "raw", InstalledPackage(package)).contents == FILES
    assert listing(package) == {*GZIPPED, "one"}


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace apt-get and dpkg-deb; a command raises the error that is given for it, if any."""
    errors: dict[str, Any] = {}

    def run(command: Sequence[str], cwd: Path, **_: Any) -> None:
        action = next(word for word in command if word in ("update", "download", "-x"))
        if action in errors:
            raise errors[action]
        if action == "download":
            (cwd / f"{command[-1]}.deb").touch()
        if action == "-x":
            write(cwd / "tree/usr/share/data", GZIPPED)

    monkeypatch.setattr(shutil, "which", lambda program: program)
    monkeypatch.setattr(subprocess, "run", run)
    return errors


def fail(stderr: str) -> subprocess.CalledProcessError:
    return subprocess.CalledProcessError(100, "apt-get", stderr=stderr)


PACKAGE = AptDownload("tiny", Path("/usr/share/data"))


def test_a_package_is_found_in_those_lists_that_could_be_updated(tmp_path: Path, apt: dict[str, Any]) -> None:
    apt["update"] = fail("E: one list is broken")
    assert fetch(tmp_path / "raw", PACKAGE) == FetchResult(FILES, [PACKAGE.name], [])
    assert listing(tmp_path / "raw") == set(GZIPPED)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (fail("W: a warning\nE: why\nE: and so"), "apt-get: E: why"),
        (fail(""), "apt-get: exit code 100"),
        (subprocess.TimeoutExpired("apt-get", 600), "apt-get took longer than 600 s"),
    ],
)
def test_a_failing_apt_is_named_with_the_reason(
    tmp_path: Path, apt: dict[str, Any], error: Exception, reason: str
) -> None:
    apt["update"] = apt["download"] = error
    with pytest.raises(MirrorError) as caught:
        PACKAGE.fetch(tmp_path, NAMES)
    assert str(caught.value) == reason


def test_a_machine_without_apt_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MirrorError, match="apt-get is not on this machine"):
        PACKAGE.fetch(tmp_path, NAMES)
