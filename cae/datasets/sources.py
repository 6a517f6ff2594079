"""Open a file or folder of images of any supported format.

A folder may be flat, have one folder per class, be divided into splits such as train and test, or follow
MVTec AD with its masks; what folders mean does not depend on the format of their files. Files that are not
images by content or name are ignored, hidden ones too. A file that is an image by its name but not by its
content is a bad one, and so is a link that leads out of the folder.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cae.core.errors import UserError
from cae.datasets.formats import (
    IMAGE_FILES,
    FileFormat,
    describe_supported,
    detect_format,
    list_formats,
    read_head,
    split_ending,
)
from cae.datasets.safety import check_inside, convert_errors, import_extra, quote
from cae.datasets.samples import Entry, Sample, Source

# Names of top folders → the split that their images belong to.
SPLITS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "threshold": "threshold",
    "test": "test",
}
NORMAL = "good"
MASKS = "ground_truth"
# The table of contents of a DICOM disk: a DICOM file without images.
CONTENTS = "DICOMDIR"


class Annotation(NamedTuple):
    """What the folders above a file say about its samples."""

    label: str | None = None
    split: str | None = None
    mask: Path | None = None


def open_source(path: Path, skip_bad: bool = False) -> Source:
    """Find the samples of a file or folder; iterate over the result to read them.

    Args:
        path: a folder of image, DICOM or NIfTI files (flat, one folder per class, in splits, or as MVTec AD)
            or of MNIST's IDX files; or one file of any supported format, such as an .npz as MedMNIST's.
        skip_bad: skip bad files and list them, instead of raising at the first.

    Raises:
        UserError: nothing of these, no images, or a package to read them is not installed.
    """
    try:
        return open_folder(path, skip_bad) if path.is_dir() else open_file(path, skip_bad)
    except OSError as error:
        raise UserError(f"{quote(path)} cannot be read: {error.strerror}. Make it readable.") from error


def open_file(path: Path, skip_bad: bool) -> Source:
    """Open one file, possibly a link."""
    if not path.is_file():
        raise UserError(f"{quote(path)} is neither a file nor a folder. Name your images, or put them there.")
    file_format = detect_format(path)
    if file_format is None:
        raise UserError(
            f"{quote(path)} holds no images: it begins with {read_head(path)[:8]!r}, and "
            f"{describe_supported()}. Name such a file, or a folder of them."
        )
    entry = Entry(path.name, partial(read_file, path, path.name, file_format))
    return build_source(path, file_format, [entry], skip_bad)


def build_source(
    path: Path, file_format: FileFormat, entries: Sequence[Entry], skip_bad: bool, normal: str | None = None
) -> Source:
    """Build a source; UserError if the package that reads it is not installed."""
    if file_format.package:
        import_extra(file_format.package, file_format.kind)
    return Source(path, file_format.kind, entries, skip_bad, file_format.calibrated, normal)


def open_folder(root: Path, skip_bad: bool) -> Source:
    """Open a folder.

    Raises:
        UserError: no images, images of several kinds, or folders whose meaning is ambiguous.
    """
    for file_format in list_formats():
        if file_format.list_folder and (entries := file_format.list_folder(root)):
            return build_source(root, file_format, entries, skip_bad)
    mvtec = is_mvtec(root)
    formats, bad = detect_formats(root, list_files(root, mvtec))
    chosen = choose_format(root, formats, bad)
    images = {path: one for path, one in formats.items() if one.kind == chosen.kind}
    annotations = annotate(root, images, mvtec)
    entries = [
        Entry(
            path.relative_to(root).as_posix(),
            partial(read_inside, root, path, images.get(path, chosen), annotations.get(path, Annotation())),
        )
        for path in (*images, *bad)
    ]
    return build_source(
        root, chosen, sorted(entries, key=lambda entry: entry.name), skip_bad, NORMAL if mvtec else None
    )


def read_file(path: Path, name: str, file_format: FileFormat) -> Iterator[Sample]:
    """Read the samples of a file; UserError if they cannot be read."""
    if not path.is_file():
        # Opening a pipe might block.
        raise UserError(f"{quote(path)} is not a regular file. Remove it.")
    yield from convert_errors(path, file_format.read(path, name))


def read_inside(root: Path, path: Path, file_format: FileFormat, annotation: Annotation) -> Iterator[Sample]:
    """Read the samples of a file, unless it or its mask lies outside the folder `root`."""
    check_inside(root, path)
    if annotation.mask is not None:
        check_inside(root, annotation.mask)
        if not annotation.mask.is_file():
            raise UserError(
                f"{quote(path)} has no mask {quote(annotation.mask)}, though there is a folder of masks for "
                "its defect. Add the mask, or remove that folder."
            )
    for sample in read_file(path, path.relative_to(root).as_posix(), file_format):
        yield sample._replace(**annotation._asdict())


def list_files(folder: Path, mvtec: bool) -> Iterator[Path]:
    """List the files and links below a folder, without hidden ones and without MVTec AD's masks."""
    try:
        paths = list(folder.iterdir())
    except OSError as error:
        raise UserError(
            f"{quote(folder)} cannot be read: {error.strerror}. Make it readable, or move it away."
        ) from error
    for path in paths:
        if path.name.startswith(".") or (mvtec and path.name == MASKS):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from list_files(path, mvtec=False)
        elif path.name != CONTENTS:
            yield path


def detect_formats(root: Path, paths: Iterator[Path]) -> tuple[dict[Path, FileFormat], list[Path]]:
    """Detect the formats of files; also list those that are unreadable or links that lead out."""
    formats, bad = {}, []
    for path in paths:
        try:
            check_inside(root, path)
            if file_format := detect_format(path):
                formats[path] = file_format
        except (UserError, OSError):
            bad.append(path)
    return formats, bad


def choose_format(root: Path, formats: Mapping[Path, FileFormat], bad: Sequence[Path]) -> FileFormat:
    """Return the format that a folder holds, or one of its kind; UserError if it holds none or several."""
    paths = sorted(formats, reverse=True)
    examples = {formats[path].kind: path for path in paths if formats[path].in_folders}
    if len(examples) == 1:
        return formats[next(iter(examples.values()))]
    if examples:
        found = " and ".join(f"{quote(path)} ({kind})" for kind, path in sorted(examples.items()))
        raise UserError(
            f"{quote(root)} holds {found}, but only one kind of files. Put them into two folders."
        )
    if bad:
        raise UserError(
            f"{quote(root)} holds no images except {quote(min(bad))}, which cannot be read or is a link that "
            "leads out. Put a readable copy there."
        )
    hint = "Put some there"
    if paths:
        example = paths[-1]
        hint = f"If you mean {quote(example.parent if formats[example].list_folder else example)}, name it"
    raise UserError(f"{quote(root)} holds no images: {describe_supported()}. {hint}.")


def is_mvtec(root: Path) -> bool:
    """Return whether a folder is laid out as a category of MVTec AD: a test, and only "good" to train."""
    train = root / "train"
    if not (train.is_dir() and (root / "test").is_dir()):
        return False
    return [path.name for path in train.iterdir() if path.is_dir() and path.name[0] != "."] == [NORMAL]


def annotate(root: Path, paths: Collection[Path], mvtec: bool) -> dict[Path, Annotation]:
    """Derive splits, classes and masks from the folders that images are in; UserError as `has_splits`."""
    folders = {path: path.relative_to(root).parts[:-1] for path in sorted(paths)}
    in_splits = has_splits(folders)
    above = 1 if in_splits else 0
    # Folders are classes if every image is in one, and none deeper: a tree by date has none.
    astray = [path for path, parts in folders.items() if len(parts) - above != 1]
    if mvtec and astray:
        raise UserError(
            f"{quote(astray[0])} is not in a folder SPLIT/CLASS, as all images in a folder like MVTec AD's "
            "must be: move it into the folder of its class, or away."
        )
    return {
        path: Annotation(
            label=None if astray else parts[above],
            split=SPLITS[parts[0].lower()] if in_splits else None,
            mask=find_mask(root, path) if mvtec else None,
        )
        for path, parts in folders.items()
    }


def has_splits(folders: Mapping[Path, Sequence[str]]) -> bool:
    """Return whether the top folders are splits; UserError if there are others beside them."""
    splits = {parts[0] for parts in folders.values() if parts and parts[0].lower() in SPLITS}
    others = [path for path, parts in folders.items() if not parts or parts[0] not in splits]
    if len(splits) > 1 and others:
        raise UserError(
            f"{quote(others[0])} is beside the folders {', '.join(sorted(splits))}, so it belongs to no "
            "split. Move it into one of them, or away."
        )
    return not others


def find_mask(root: Path, path: Path) -> Path | None:
    """Find the file of masks of a file of MVTec AD: NAME_mask.png, or with the ending of the file itself.

    None for normal images, and if their defect has no masks.
    """
    masks = root / MASKS / path.parent.name
    if path.parent.name == NORMAL or not masks.is_dir():
        return None
    stem, ending, file_format = split_ending(path.name)
    names = [f"{stem}_mask.png", f"{stem}_mask{ending}", f"{path.stem}_mask.png"]
    # A PNG is the mask of one image, and a volume has several.
    expected = names[0] if file_format and file_format.kind == IMAGE_FILES else names[1]
    return next((masks / name for name in names if (masks / name).is_file()), masks / expected)
