"""Places that have the Fashion-MNIST files. A new mirror is a class with a `name` and a `serve`.

A mirror only lays files down in a scratch folder; `fashion_mnist` checks them, so none has to be trusted.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

# The place that keras.datasets.fashion_mnist.load_data downloads from.
KERAS_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
PACKAGE = "dataset-fashion-mnist"
PACKAGE_FOLDER = Path("/usr/share/datasets/fashion-mnist")


class MirrorError(Exception):
    """A mirror cannot serve; the message says why."""


class Mirror(Protocol):
    """A place that may have the files."""

    name: ClassVar[str]

    def serve(self, folder: Path, names: Sequence[str]) -> None:
        """Lay the files called `names`, each as NAME or NAME.gz, into the empty folder `folder`.

        Raises:
            MirrorError, OSError: not all could be had; those already laid down may still be used.
        """


@dataclass(frozen=True)
class KerasDownload:
    """The host Keras downloads its data sets from, through Keras's own helper and its progress bar."""

    name: ClassVar[str] = "Keras's download"
    url: str = KERAS_URL
    # Seconds of silence after which a connection is given up.
    patience: float = 30.0

    def serve(self, folder: Path, names: Sequence[str]) -> None:
        """Download one file after another."""
        from keras.utils import get_file  # seconds, where the files are not there yet

        for name in names:
            url = f"{self.url}{name}.gz"
            try:
                with default_timeout(self.patience):
                    get_file(f"{name}.gz", url, cache_dir=str(folder), cache_subdir="")
            except Exception as error:  # Keras raises a plain Exception around what urllib raised.
                raise MirrorError(f"{url}: {error.__context__ or error}") from error


@dataclass(frozen=True)
class InstalledPackage:
    """Debian's package, installed on this machine."""

    name: ClassVar[str] = "the installed Debian package"
    folder: Path = PACKAGE_FOLDER

    def serve(self, folder: Path, names: Sequence[str]) -> None:
        """Copy the files."""
        if not self.folder.is_dir():
            raise MirrorError(f"there is no folder {self.folder}")
        for name in names:
            shutil.copyfile(self.folder / f"{name}.gz", folder / f"{name}.gz")


@dataclass(frozen=True)
class AptDownload:
    """Debian's package, downloaded and unpacked, not installed, by the machine's own apt: no root needed."""

    name: ClassVar[str] = "Debian's package through apt-get"
    package: str = PACKAGE
    # Seconds for one command; the package is 31 MB.
    patience: float = 600.0

    def serve(self, folder: Path, names: Sequence[str]) -> None:
        """Download the package into `folder`, with lists and caches of its own, and take its files."""
        apt = folder.resolve() / "apt"
        for state in ("lists/partial", "cache/archives/partial"):
            (apt / state).mkdir(parents=True)
        options = [
            f"Dir::State::Lists={apt}/lists",
            f"Dir::Cache={apt}/cache",
            "Debug::NoLocking=1",
            # Otherwise `update` calls it a success when no host could be reached.
            "APT::Update::Error-Mode=any",
        ]
        apt_get = ["apt-get", "-q", *(f"-o={option}" for option in options)]
        problems = []
        try:
            self._run(*apt_get, "update", within=apt)
        except MirrorError as error:
            # One broken entry among the machine's package lists does not mean that ours is lost.
            problems.append(str(error))
        try:
            self._run(*apt_get, "download", self.package, within=apt)
        except MirrorError as error:
            problems.append(str(error))
            raise MirrorError("; ".join(dict.fromkeys(problems))) from error
        for package in apt.glob("*.deb"):
            self._run("dpkg-deb", "-x", package.name, "tree", within=apt)
        InstalledPackage(apt / "tree" / PACKAGE_FOLDER.relative_to("/")).serve(folder, names)

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
                timeout=self.patience,
                check=True,
            )
        except subprocess.TimeoutExpired as error:
            raise MirrorError(f"{program} took longer than {self.patience:g} s") from error
        except subprocess.CalledProcessError as error:
            said = [line for line in error.stderr.splitlines() if not line.startswith("W:")]
            reason = said[0] if said else f"exit code {error.returncode}"
            raise MirrorError(f"{program}: {reason}") from error


MIRRORS: Sequence[Mirror] = (KerasDownload(), InstalledPackage(), AptDownload())


@contextmanager
def default_timeout(seconds: float) -> Iterator[None]:
    """Bound every wait on a socket: Keras's helper sets no limit of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
