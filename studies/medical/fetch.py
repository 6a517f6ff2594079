"""Get the head CT that Debian's package invesalius-examples holds, and write it as an array."""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cae.core import files
from cae.core.errors import UserError
from cae.datasets.mirrors import AptDownload, Mirror, MirrorError
from stages.inputs import Inputs
from studies.medical import DATA, SPACING, STUDY, VOLUME, inv3
from studies.medical.inv3 import Scan

RAW = DATA / "raw"
PROJECT = "Cranium.inv3"
PACKAGE = "invesalius-examples"
FOLDER = Path("/usr/share/doc/invesalius-examples/examples")
# Of the matrix alone, little-endian: its wrapper may differ from release to release.
CHECKSUM = "d87fd5e6aaf2c4fdf4f3fe28ee3335192fc2464ed8e9682fc78530cb837938da"


@dataclass(frozen=True)
class Installed:
    """Debian's package, installed on this machine."""

    name: ClassVar[str] = "the installed Debian package"
    folder: Path = FOLDER

    def serve(self, folder: Path, names: Sequence[str]) -> None:
        """Copy the files."""
        if not self.folder.is_dir():
            raise MirrorError(f"there is no folder {self.folder}")
        for name in names:
            shutil.copyfile(self.folder / name, folder / name)


@dataclass(frozen=True)
class Download(AptDownload):
    """Debian's package, downloaded and unpacked by apt-get, not installed."""

    package: str = PACKAGE

    def serve(self, folder: Path, names: Sequence[str]) -> None:
        """Download the package into `folder` and take its files."""
        unpacked = folder / "apt/tree" / FOLDER.relative_to("/")
        try:
            super().serve(folder, ())
        except MirrorError:
            # At its end it looks for the files of Fashion-MNIST, which lie in another folder.
            if not unpacked.is_dir():
                raise
        Installed(unpacked).serve(folder, names)


SOURCES: Sequence[Mirror] = (Installed(), Download())


def main() -> None:
    """Fill data/raw unless the file lies there, and write data/volume.npy and data/spacing.json."""
    inputs = Inputs.read("fetch", STUDY)
    scan = fetch(RAW)
    inputs.check()
    files.write_array(VOLUME, scan.volume)
    files.write_json(SPACING, list(scan.spacing))


def fetch(raw: Path, sources: Sequence[Mirror] = SOURCES, checksum: str = CHECKSUM) -> Scan:
    """Read the CT from the folder `raw`, where it is put first if it is not there.

    Raises:
        UserError: nobody had the file, or its content is another; the message says how to put it there.
    """
    path = raw / PROJECT
    if path.exists():
        return verified(path, checksum)
    try:
        return served(path, sources, checksum)
    except OSError as error:
        raise UserError(
            f"{raw} cannot be written: {error.strerror or error}. Make the folder writable, then run again."
        ) from error


def served(path: Path, sources: Sequence[Mirror], checksum: str) -> Scan:
    """Ask one source after another and keep the first right file as `path`; UserError or OSError if none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    notes = []
    for source in sources:
        # Beside its place, because a rename is atomic only within one file system.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetching-", suffix=".part") as scratch:
            try:
                source.serve(Path(scratch), [PROJECT])
                scan = verified(Path(scratch) / PROJECT, checksum)
            except (MirrorError, OSError, UserError) as error:
                notes.append(f"{source.name}: {error}")
                continue
            (Path(scratch) / PROJECT).replace(path)
        print(f"{PROJECT} from {source.name}: every byte of its matrix as expected")
        return scan
    raise UserError(nothing_worked(path, notes))


def verified(path: Path, checksum: str) -> Scan:
    """Read a project; UserError where its matrix is not the one that is expected."""
    scan = inv3.read(path)
    actual = hashlib.sha256(scan.volume.tobytes()).hexdigest()
    if actual != checksum:
        raise UserError(
            f"the SHA-256 of the matrix in {path} is {actual}, not {checksum}: it is another scan. "
            "Move it away to have the right one fetched."
        )
    return scan


def nothing_worked(path: Path, notes: Sequence[str]) -> str:
    """Say what was tried and what would mend it."""
    return "\n".join(
        [
            f"The head CT could not be had: there is no {path}, and no source served it:",
            *(f"  - {note}" for note in notes),
            "Any one of these mends it:",
            f"  1. on Debian, install the package {PACKAGE} (sudo apt-get install) and run again;",
            f"  2. on any machine, unpack that package (dpkg -x PACKAGE.deb FOLDER), copy {PROJECT} from "
            f"FOLDER{FOLDER} into {path.parent}, and run again.",
        ]
    )
