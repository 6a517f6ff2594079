"""One door for all layouts of pictures, told apart by looking."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cae.core.errors import UserError
from cae.datasets import dicom, file_types, folders, idx_files, nifti, npz
from cae.datasets.image_files import READ
from cae.datasets.safety import guarded, quoted
from cae.datasets.samples import Entry, Picture, Source, pictures


def opened(path: Path, skip_bad: bool = False) -> Source:
    """Look at a file or a folder and return its pictures, to be read one after another.

    Args:
        path: a folder of images (flat, one folder a class, in train, validation and test, or MVTec AD), of
            DICOM or NIfTI files, or of IDX files; an .npz as MedMNIST's; or one file of any of these.
        skip_bad: pass over bad files and list them, instead of raising at the first.

    Raises:
        UserError: it is nothing of these, holds no pictures, or needs a package that is not installed.
    """
    try:
        kind, entries, normal = look(path)
    except OSError as error:
        raise UserError(f"{quoted(path)} cannot be read: {error.strerror}. Make it readable.") from error
    if kind in REQUIRED:
        REQUIRED[kind]()
    return Source(path, kind, entries, skip_bad, normal)


REQUIRED = {"dicom": dicom.require, "nifti": nifti.require}


def look(path: Path) -> tuple[str, list[Entry], str | None]:
    """Return the kind of a source, what is to be read in it, and the class that its layout calls normal."""
    if path.is_dir():
        return ("idx", idx_files.entries(path), None) if idx_files.is_idx(path) else folders.found(path)
    if not path.is_file():
        raise UserError(
            f"{quoted(path)} is neither a file nor a folder. Put your pictures there, or name them."
        )
    # A file that may not be read is told apart from one that is something else.
    path.open("rb").close()
    kind = file_types.kind_of(path)
    if kind == "npz":
        return kind, npz.entries(path), None
    if kind == "idx":
        return kind, [Entry(path.name, partial(idx_files.read, path))], None
    if kind is None:
        raise UserError(
            f"{quoted(path)} holds no pictures by its content, which begins with "
            f"{file_types.head(path)[:8]!r}: {READ}, .npz, IDX, DICOM and NIfTI as well. "
            "Name such a file, or a folder of them."
        )
    return kind, [Entry(path.name, partial(single, path, kind))], None


def single(path: Path, kind: str) -> Iterator[Picture]:
    """Read the pictures of a file that is named itself, be it a link or not."""
    return pictures(path.name, guarded(path, folders.DECODERS[kind](path)))
