"""Folders of pictures: flat, one folder a class, in parts such as train and test, or MVTec AD with masks.

What the folders mean does not depend on the format of the files in them. Whether a file is a picture is told
by its content; others are passed over, hidden ones too. A file that by its name is a picture and by its
content is none is a bad one, and so is a link that leads out of the folder.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cae.core.errors import UserError
from cae.datasets import dicom, file_types, idx_files, image_files, nifti
from cae.datasets.safety import RefusedError, check_within, guarded, quoted
from cae.datasets.samples import Entry, Frame, Picture, pictures

DECODERS: Mapping[str, Callable[[Path], Iterator[Frame]]] = {
    "image": image_files.frames,
    "dicom": dicom.frames,
    "nifti": nifti.frames,
}
# First folders that say which part of a split their pictures belong to.
PARTS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "threshold": "threshold",
    "test": "test",
}
NORMAL = "good"
MASKS = "ground_truth"
# A file that may not be read, or a link that leads out; to read it raises.
BAD = "bad"
# The table of contents of a DICOM disk: a DICOM file without pictures.
CONTENTS = "DICOMDIR"


class Place(NamedTuple):
    """What the folders above a file say about it."""

    label: str | None = None
    part: str | None = None
    mask: Path | None = None


def found(root: Path) -> tuple[str, list[Entry], str | None]:
    """Look through a folder; return the kind of its files, the files by name, and its normal class, if any.

    Raises:
        UserError: it holds no pictures, pictures of several kinds or a tree of folders that means nothing.
    """
    mvtec = is_mvtec(root)
    kinds = {path: kind for path in files(root, mvtec) if (kind := look(root, path))}
    kind = one_kind(root, kinds)
    good = [path for path, own in kinds.items() if own == kind]
    places = places_of(root, good, mvtec)
    by_name = sorted(
        (path.relative_to(root).as_posix(), path) for path, own in kinds.items() if own in (kind, BAD)
    )
    entries = [
        Entry(name, partial(read, root, path, kind, places.get(path, Place()))) for name, path in by_name
    ]
    return kind, entries, NORMAL if mvtec else None


def read(root: Path, path: Path, kind: str, place: Place) -> Iterator[Picture]:
    """Read the pictures of one file below `root`."""
    name = path.relative_to(root).as_posix()
    frames = guarded(path, within(root, path, DECODERS[kind], place.mask))
    return pictures(name, frames, place.label, place.part, place.mask)


def decode_file(path: Path) -> Iterator[Frame]:
    """Read the pictures of one file, whatever its format; UserError where it holds none that can be read."""

    def frames() -> Iterator[Frame]:
        yield from DECODERS.get(file_types.kind_of(path) or "", image_files.frames)(path)

    return guarded(path, frames())


def within(
    root: Path, path: Path, decode: Callable[[Path], Iterator[Frame]], mask: Path | None
) -> Iterator[Frame]:
    """Decode a file after a look at where it, and its mask, really lie."""
    check_within(root, path)
    if mask is not None:
        check_within(root, mask)
        if not mask.is_file():
            raise RefusedError(
                f"has no mask {quoted(mask)}, though there is a folder of masks for its defect. Add it, or "
                "remove that folder."
            )
    yield from decode(path)


def files(folder: Path, mvtec: bool) -> Iterator[Path]:
    """Name what lies below a folder: files and links, but nothing hidden, and no masks of MVTec AD."""
    try:
        places = list(folder.iterdir())
    except OSError as error:
        raise UserError(
            f"{quoted(folder)} cannot be read: {error.strerror}. Make it readable, or move it away."
        ) from error
    for path in places:
        if path.name.startswith(".") or (mvtec and path.name == MASKS):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from files(path, mvtec=False)
        elif path.name != CONTENTS:
            yield path


def look(root: Path, path: Path) -> str | None:
    """Tell the kind of a file, or BAD."""
    try:
        check_within(root, path)
        return file_types.kind_of(path)
    except (RefusedError, OSError):
        return BAD


def one_kind(root: Path, kinds: Mapping[Path, str]) -> str:
    """Return the one kind of pictures that a folder holds, or raise UserError."""
    examples = {kind: path for path, kind in sorted(kinds.items(), reverse=True)}
    held = [kind for kind in DECODERS if kind in examples]
    if len(held) == 1:
        return held[0]
    if held:
        names = " and ".join(f"{quoted(examples[kind])} ({kind})" for kind in held)
        raise UserError(
            f"{quoted(root)} holds {names}: one kind a source is read. Put them into two folders."
        )
    if BAD in examples:
        raise UserError(
            f"{quoted(root)} holds no pictures but {quoted(examples[BAD])}, which may not be read, or is a "
            "link that leads out. Put a copy of it there that you may read."
        )
    other = next((examples[kind] for kind in ("npz", "idx") if kind in examples), None)
    if other is None:
        hint = "Put some there"
    elif idx_files.is_idx(other.parent):
        hint = f"If you mean the IDX files in {quoted(other.parent)}, name that folder"
    else:
        hint = f"If you mean {quoted(other)}, name the file itself"
    raise UserError(f"{quoted(root)} holds no pictures: {image_files.READ}, DICOM and NIfTI as well. {hint}.")


def is_mvtec(root: Path) -> bool:
    """Say whether a folder is laid out as a category of MVTec AD: only good ones to train, and a test."""
    train = root / "train"
    if not (train.is_dir() and (root / "test").is_dir()):
        return False
    return [path.name for path in train.iterdir() if path.is_dir() and path.name[0] != "."] == [NORMAL]


def places_of(root: Path, paths: Sequence[Path], mvtec: bool) -> dict[Path, Place]:
    """Read parts and classes off the folders that the pictures lie in; UserError as `are_parts`."""
    folders = {path: path.relative_to(root).parts[:-1] for path in sorted(paths)}
    in_parts = are_parts(folders)
    skipped = 1 if in_parts else 0
    # Folders are classes where every picture lies in one, and none deeper: a tree by date means none.
    astray = [path for path, above in folders.items() if len(above) - skipped != 1]
    classes = not astray
    if mvtec and astray:
        raise UserError(
            f"{quoted(astray[0])} is no PART/CLASS/PICTURE, as all are in a folder like MVTec AD's: move it "
            "into the folder of its class, or away"
        )
    return {
        path: Place(
            label=above[skipped] if classes else None,
            part=PARTS[above[0].lower()] if in_parts else None,
            mask=find_mask(root, path) if mvtec else None,
        )
        for path, above in folders.items()
    }


def are_parts(folders: Mapping[Path, Sequence[str]]) -> bool:
    """Say whether the first folders are parts of a split; UserError where others lie beside them."""
    parts = {above[0] for above in folders.values() if above and above[0].lower() in PARTS}
    others = [path for path, above in folders.items() if not above or above[0] not in parts]
    if len(parts) > 1 and others:
        raise UserError(
            f"{quoted(others[0])} lies beside the folders {', '.join(sorted(parts))}: it belongs to no part "
            "of the split. Move it into one of them, or away."
        )
    return not others


def find_mask(root: Path, path: Path) -> Path | None:
    """Name the file of masks of a file of MVTec AD: NAME_mask.png, or with the ending of the file itself.

    None of good ones, and where their defect has no masks.
    """
    masks = root / MASKS / path.parent.name
    if path.parent.name == NORMAL or not masks.is_dir():
        return None
    stem, ending, kind = file_types.split_ending(path.name)
    named = [f"{stem}_mask.png", f"{stem}_mask{ending}", f"{path.stem}_mask.png"]
    # A PNG is the mask of one picture, and a volume has several.
    expected = named[0] if kind == "image" else named[1]
    return next((masks / name for name in named if (masks / name).is_file()), masks / expected)
