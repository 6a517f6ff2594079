"""Pictures in, codes out."""

import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from cae.cli.views import Seeing, codes
from cae.core import files, words
from cae.core.errors import UserError
from cae.datasets.prepared import begin
from cae.datasets.samples import Sample
from cae.networks.resizable import ResizableAutoencoder


def encode(pictures: Iterable[Sample], trained: ResizableAutoencoder, seeing: Seeing, out: Path) -> int:
    """Write `names` (N,) and `codes` float32 (N, D) to an `.npz`; return N.

    Raises:
        UserError: a picture that does not suit the network or gives a longer code than the first; or the file
            cannot be written.
    """
    names: list[str] = []
    length = 0
    # Rows wait on the disk: how many there are, which a .npy begins with, is known at the end alone.
    with files.open_atomically(out) as file, tempfile.TemporaryFile(dir=out.parent) as rows:
        for name, row in codes(pictures, trained, seeing):
            length = length or row.size
            if row.size != length:
                raise UserError(
                    f"the code of {names[0]!r} has {words.pluralize(length, 'number')} and that of {name!r} "
                    f"{row.size}: pictures of one size are needed. Add --resize, or encode them apart"
                )
            rows.write(row.astype("<f4").tobytes())
            names.append(name)
        rows.seek(0)
        with zipfile.ZipFile(file, "w") as archive:
            with member(archive, "codes.npy") as stored:
                begin(stored, (len(names), length))
                while block := rows.read(1 << 20):
                    stored.write(block)
            with member(archive, "names.npy") as stored:
                texts: npt.NDArray[np.str_] = np.array(names, dtype=np.str_)
                np.lib.format.write_array(stored, texts, allow_pickle=False)
    return len(names)


def member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Open a member of an archive for writing, without the time of day."""
    return archive.open(zipfile.ZipInfo(name, files.ZIP_EPOCH), "w", force_zip64=True)
