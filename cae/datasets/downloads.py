"""Fetch files from the first mirror that has them, and check their content.

A mirror is a class with a `name` and a `fetch` that puts files into a scratch folder. Mirrors need not be
trusted: the content of every file is checked.
"""

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

from cae.core.errors import UserError

Content = TypeVar("Content")


class MirrorError(Exception):
    """A mirror does not have the files; the message says why."""


class Mirror(Protocol):
    """A place that may have the files."""

    name: ClassVar[str]

    def fetch(self, folder: Path, names: Sequence[str]) -> None:
        """Put files, each as NAME or NAME.gz, into the empty folder `folder`.

        Raises:
            MirrorError, OSError: some are missing; those that are in the folder may still be used.
        """


@dataclass
class FetchResult(Generic[Content]):
    """What `fetch_files` found."""

    contents: dict[str, Content] = field(default_factory=dict)
    # The folder and mirrors that the files are from.
    origins: list[str] = field(default_factory=list)
    # Rejected files, and mirrors that failed.
    notes: list[str] = field(default_factory=list)


def fetch_files(
    raw: Path,
    mirrors: Sequence[Mirror],
    names: Sequence[str],
    read: Callable[[str, Path], Content],
    title: str,
    remedies: Sequence[str],
) -> FetchResult[Content]:
    """Read files from the folder `raw`, after fetching those that are missing there from mirrors.

    A file with the wrong content is renamed to NAME.rejected in `raw` and never used.

    Args:
        raw: the download cache; it may hold some of the files, as NAME or NAME.gz.
        mirrors: tried in turn until all files are there.
        names: of the files.
        read: returns the content of a file from its name and path; ValueError if the content is wrong.
        title: what the files are, for error messages.
        remedies: what a user can do if no mirror works.

    Raises:
        UserError: no mirror has the files, or `raw` cannot be written.
    """
    fetched = FetchResult[Content]()
    try:
        take_files(raw, raw, names, read, str(raw), fetched)
        for mirror in mirrors:
            missing = [name for name in names if name not in fetched.contents]
            if not missing:
                break
            raw.mkdir(parents=True, exist_ok=True)
            # Inside `raw`, because a rename is atomic only within one file system.
            with tempfile.TemporaryDirectory(dir=raw, prefix=".fetching-") as scratch:
                try:
                    mirror.fetch(Path(scratch), missing)
                except (MirrorError, OSError) as error:
                    fetched.notes.append(f"{mirror.name}: {error}")
                take_files(Path(scratch), raw, missing, read, mirror.name, fetched)
    except OSError as error:
        raise UserError(
            f"{raw} cannot be written: {error.strerror or error}. "
            f"Make the folder writable, or put {', '.join(names)} there, and run again."
        ) from error
    if missing := [name for name in names if name not in fetched.contents]:
        lines = [
            f"{title} could not be fetched: {raw} lacks {', '.join(missing)}, and no mirror has them:",
            *(f"  - {note}" for note in fetched.notes),
            "Do one of the following, and run again:",
            *(f"  {number}. {remedy}" for number, remedy in enumerate(remedies, 1)),
        ]
        raise UserError("\n".join(lines))
    return fetched


def take_files(
    folder: Path,
    raw: Path,
    names: Sequence[str],
    read: Callable[[str, Path], Content],
    origin: str,
    fetched: FetchResult[Content],
) -> None:
    """Read the files in `folder` and move them to `raw`: good ones as they are, others as NAME.rejected."""
    for name, ending in itertools.product(names, ("", ".gz")):
        path = folder / f"{name}{ending}"
        if name in fetched.contents or not path.exists():
            continue
        try:
            fetched.contents[name] = read(name, path)
        except ValueError as error:
            fetched.notes.append(f"{origin}: {path.name}: {error}; renamed to {set_aside(path, raw)}")
            continue
        if origin not in fetched.origins:
            fetched.origins.append(origin)
        if folder != raw:  # a read-only cache is good enough
            path.replace(raw / path.name)


def set_aside(path: Path, raw: Path) -> Path:
    """Rename to a free NAME.rejected, NAME.rejected2, … in `raw`: the file may be a user's only copy."""
    numbers = itertools.chain([""], itertools.count(2))
    candidates = (raw / f"{path.name}.rejected{number}" for number in numbers)
    return path.rename(next(candidate for candidate in candidates if not candidate.exists()))


@dataclass(frozen=True)
class KerasDownload:
    """A web server with files NAME.gz, downloaded with Keras's own function and its progress bar."""

    url: str
    # Seconds without an answer after which a connection is given up.
    timeout: float = 30.0
    name: ClassVar[str] = "Keras's download"

    def fetch(self, folder: Path, names: Sequence[str]) -> None:
        """Download one file after another."""
        from keras.utils import get_file  # slow to import, and rarely needed

        for name in names:
            url = f"{self.url}{name}.gz"
            try:
                with socket_timeout(self.timeout):
                    get_file(f"{name}.gz", url, cache_dir=str(folder), cache_subdir="")
            except Exception as error:  # Keras raises a plain Exception around what urllib raised
                raise MirrorError(f"{url}: {error.__context__ or error}") from error


@dataclass(frozen=True)
class InstalledPackage:
    """The files of a Debian package that is installed on this machine."""

    folder: Path
    name: ClassVar[str] = "the installed Debian package"

    def fetch(self, folder: Path, names: Sequence[str]) -> None:
        """Copy the files."""
        for name in names:
            candidates = (self.folder / name, self.folder / f"{name}.gz")
            path = next((one for one in candidates if one.exists()), None)
            if path is None:
                raise MirrorError(f"{self.folder} has no {name}")
            shutil.copyfile(path, folder / path.name)


@dataclass(frozen=True)
class AptDownload:
    """The files of a Debian package that apt-get downloads without installing it, which needs no root."""

    package: str
    # Where the package installs the files.
    folder: Path
    # Seconds for one command.
    timeout: float = 600.0
    name: ClassVar[str] = "Debian's package through apt-get"

    def fetch(self, folder: Path, names: Sequence[str]) -> None:
        """Download and unpack the package in `folder`, with package lists and caches of its own."""
        apt = folder.resolve() / "apt"
        for state in ("lists/partial", "cache/archives/partial"):
            (apt / state).mkdir(parents=True)
        options = [
            f"Dir::State::Lists={apt}/lists",
            f"Dir::Cache={apt}/cache",
            "Debug::NoLocking=1",
            # Otherwise `update` succeeds when no host could be reached.
            "APT::Update::Error-Mode=any",
        ]
        apt_get = ["apt-get", "-q", *(f"-o={option}" for option in options)]
        problems = []
        try:
            self._run(*apt_get, "update", within=apt)
        except MirrorError as error:
            # The package may be in those lists that could be updated.
            problems.append(str(error))
        try:
            self._run(*apt_get, "download", self.package, within=apt)
        except MirrorError as error:
            problems.append(str(error))
            raise MirrorError("; ".join(dict.fromkeys(problems))) from error
        for package in apt.glob("*.deb"):
            self._run("dpkg-deb", "-x", package.name, "tree", within=apt)
        InstalledPackage(apt / "tree" / self.folder.relative_to("/")).fetch(folder, names)

    def _run(self, program: str, *arguments: str, within: Path) -> None:
        if shutil.which(program) is None:
            raise MirrorError(f"{program} is not on this machine")
        try:
            subprocess.run(
                [program, *arguments],
                cwd=within,
                env={**os.environ, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=self.timeout,
                check=True,
            )
        except subprocess.TimeoutExpired as error:
            raise MirrorError(f"{program} took longer than {self.timeout:g} s") from error
        except subprocess.CalledProcessError as error:
            lines = [line for line in error.stderr.splitlines() if not line.startswith("W:")]
            reason = lines[0] if lines else f"exit code {error.returncode}"
            raise MirrorError(f"{program}: {reason}") from error


@contextmanager
def socket_timeout(seconds: float) -> Iterator[None]:
    """Limit every wait on a socket: Keras's function has no timeout."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
