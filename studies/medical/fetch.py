"""Get the head CT of Debian's package invesalius-examples."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from cae.core.errors import UserError
from cae.datasets.downloads import AptDownload, InstalledPackage, Mirror, fetch_files
from stages.runner.project import Project, Results
from studies.medical import inv3
from studies.medical.inv3 import Scan

PROJECT = "Cranium.inv3"
PACKAGE = "invesalius-examples"
FOLDER = Path("/usr/share/doc/invesalius-examples/examples")
MIRRORS: Sequence[Mirror] = (InstalledPackage(FOLDER), AptDownload(PACKAGE, FOLDER))
# SHA-256 of the matrix alone, little-endian: releases may pack it differently.
CHECKSUM = "d87fd5e6aaf2c4fdf4f3fe28ee3335192fc2464ed8e9682fc78530cb837938da"


def fetch(project: Project) -> Results:
    """Return the volume and its spacing; the file stays in data/raw."""
    scan = fetch_scan(project.folder / "data/raw")
    return {"data/volume.npy": scan.volume, "data/spacing.json": list(scan.spacing)}


def fetch_scan(raw: Path, mirrors: Sequence[Mirror] = MIRRORS, checksum: str = CHECKSUM) -> Scan:
    """Read the CT from the folder `raw`, after fetching it if it is not there.

    Raises:
        UserError: no mirror has the file; the message says how to put it there.
    """
    remedies = [
        f"on Debian, install the package {PACKAGE} (sudo apt-get install)",
        f"unpack that package (dpkg -x PACKAGE.deb FOLDER) and copy {PROJECT} from FOLDER{FOLDER} into {raw}",
    ]
    fetched = fetch_files(
        raw, mirrors, [PROJECT], lambda _, path: read_verified(path, checksum), "The head CT", remedies
    )
    print(f"{PROJECT} from {fetched.origins[0]}: the checksum of its matrix is correct")
    return fetched.contents[PROJECT]


def read_verified(path: Path, checksum: str) -> Scan:
    """Read a project; ValueError unless it has the expected matrix."""
    try:
        scan = inv3.read(path)
    except UserError as error:
        raise ValueError(str(error)) from error
    actual = hashlib.sha256(scan.volume.tobytes()).hexdigest()
    if actual != checksum:
        raise ValueError(f"the SHA-256 of its matrix is {actual}, not {checksum}: it is another scan")
    return scan
