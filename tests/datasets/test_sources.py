"""Opening files and folders: what folders mean, in a fixed order, as often as wanted, bad files named."""

import gzip
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cae.core.errors import UserError
from cae.datasets import sources
from cae.datasets.formats import image_files
from cae.datasets.samples import Source
from cae.datasets.sources import open_source
from checks.fuzz import make_dicom, make_nifti, write_to_bytes

GREY = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7
IDX = bytes.fromhex("00000803 00000001 00000005 00000007") + GREY.tobytes()
# One image in every format, with the pixels GREY.
FILES: dict[str, bytes] = {
    ".png": write_to_bytes(lambda file: Image.fromarray(GREY).save(file, "PNG")),
    ".tif": write_to_bytes(lambda file: Image.fromarray(GREY).save(file, "TIFF")),
    ".dcm": make_dicom(GREY),
    ".nii": make_nifti(np.ascontiguousarray(GREY.T)),
    ".nii.gz": gzip.compress(make_nifti(np.ascontiguousarray(GREY.T)), mtime=0),
    "-idx3-ubyte": IDX,
    ".npz": write_to_bytes(lambda file: np.savez(file, images=GREY[None])),
}
IN_FOLDERS = [".png", ".tif", ".dcm", ".nii", ".nii.gz"]
Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Make a folder of PNGs whose pixels differ, from their names."""

    def make(*names: str) -> Path:
        for shift, name in enumerate(names):
            path = tmp_path / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(GREY + np.uint8(shift)).save(path, format="PNG")
        return tmp_path / "images"

    return make


def names(source: Source) -> list[str]:
    return [sample.name for sample in source]


def skipped(source: Source) -> list[str]:
    return [file.name for file in source.skipped]


def refuse_access(*_: object) -> None:
    raise PermissionError(13, "Permission denied")


# What folders mean


# Files → the label and split of each, in the order of their names.
LAYOUTS: dict[str, dict[str, tuple[str | None, str | None]]] = {
    "flat": {"1": (None, None), "2": (None, None)},
    "classes": {"a/1": ("a", None), "b/1": ("b", None)},
    "one class": {"good/1": ("good", None)},
    "a class called test": {"rest/1": ("rest", None), "test/1": ("test", None)},
    "images beside a class": {"1": (None, None), "cats/1": (None, None)},
    "a tree by date": {"2024/may/1": (None, None), "2025/june/1": (None, None)},
    "splits": {"Val/1": (None, "validation"), "test/1": (None, "test"), "train/1": (None, "train")},
    "splits with classes": {"test/a/1": ("a", "test"), "threshold/a/1": ("a", "threshold")},
    "a split without classes": {"test/cats/1": (None, "test"), "train/1": (None, "train")},
    "MVTec AD": {
        "test/bent/1": ("bent", "test"),
        "test/good/1": ("good", "test"),
        "train/good/1": ("good", "train"),
    },
}


@pytest.mark.parametrize("ending", IN_FOLDERS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_folders_mean_the_same_in_every_format(tmp_path: Path, layout: str, ending: str) -> None:
    for name in LAYOUTS[layout]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}{ending}").write_bytes(FILES[ending])
    source = open_source(tmp_path)
    found = {sample.name: (sample.label, sample.split) for sample in source}
    assert found == {f"{name}{ending}": expected for name, expected in LAYOUTS[layout].items()}
    assert source.normal == ("good" if layout == "MVTec AD" else None)


@pytest.mark.parametrize("beside", ["more/a.png", "a.png"])
def test_images_beside_splits_are_named(tree: Tree, beside: str) -> None:
    with pytest.raises(UserError, match=rf"images/{beside}' is beside the folders test, train"):
        open_source(tree("train/a.png", "test/a.png", beside))


@pytest.mark.parametrize("ending", IN_FOLDERS)
def test_only_defects_with_masks_have_a_mask_in_the_format_of_the_image(tmp_path: Path, ending: str) -> None:
    images = ("train/good/1", "test/good/1", "test/bent/1", "test/dent/1", "ground_truth/bent/1_mask")
    for name in images:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}{ending}").write_bytes(FILES[ending])
    masks = {sample.name: sample.mask for sample in open_source(tmp_path) if sample.mask}
    assert masks == {f"test/bent/1{ending}": tmp_path / f"ground_truth/bent/1_mask{ending}"}


@pytest.mark.parametrize(
    ("name", "mask"),
    [
        ("1.2.840.8", "1.2.840.8_mask.png"),
        ("8.NII.GZ", "8_mask.NII.GZ"),
        ("8.nii", "8_mask.png"),
        ("a.b.dat", "a.b_mask.png"),
    ],
)
def test_a_mask_has_the_name_of_the_image_without_its_ending(tmp_path: Path, name: str, mask: str) -> None:
    (tmp_path / "ground_truth/bent").mkdir(parents=True)
    (tmp_path / "ground_truth/bent" / mask).touch()
    found = sources.find_mask(tmp_path, tmp_path / "test/bent" / name)
    assert found is not None
    assert found.name == mask


@pytest.fixture
def mvtec(tree: Tree) -> Path:
    return tree("train/good/0.png", "test/scratch/0.png", "ground_truth/scratch/0_mask.png")


def test_a_missing_mask_is_named_if_others_of_its_defect_exist(mvtec: Path) -> None:
    (mvtec / "ground_truth/scratch/0_mask.png").rename(mvtec / "ground_truth/scratch/9_mask.png")
    with pytest.raises(UserError, match=r"scratch/0\.png' has no mask .*0_mask\.png.*Add the mask"):
        list(open_source(mvtec))


def test_an_image_outside_the_classes_of_mvtec_is_named(mvtec: Path) -> None:
    (mvtec / "test/scratch/0.png").rename(mvtec / "test/0.png")
    with pytest.raises(UserError, match=r"test/0\.png' is not in a folder SPLIT/CLASS"):
        open_source(mvtec)


# Which files are read, and how


def test_the_order_is_by_name_and_not_that_of_the_file_system(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tree("x/b.png", "x/a.png", "y/c.png", "x-ray/d.png", "a 10.png", "a 2.png")
    listed = Path.iterdir
    forwards = names(open_source(folder))
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(sorted(listed(self), reverse=True)))
    assert names(open_source(folder)) == forwards
    assert forwards == ["a 10.png", "a 2.png", "x-ray/d.png", "x/a.png", "x/b.png", "y/c.png"]


def test_a_source_can_be_read_twice(tree: Tree) -> None:
    source = open_source(tree("a.png", "b.png"))
    for one, other in zip(source, source, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_one_image_is_in_memory_at_a_time(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Image.Image] = []

    def decode(image: Image.Image) -> Any:
        decoded.append(image)
        return GREY

    monkeypatch.setattr(image_files, "decode", decode)
    source = iter(open_source(tree("a.png", "b.png", "c.png")))
    assert not decoded
    next(source)
    assert len(decoded) == 1


def test_an_image_is_its_own_group_and_pages_share_theirs(tree: Tree) -> None:
    folder = tree("a.png")
    Image.fromarray(GREY).save(folder / "b.tif", save_all=True, append_images=[Image.fromarray(GREY)])
    assert [(sample.name, sample.group) for sample in open_source(folder)] == [
        ("a.png", "a.png"),
        ("b.tif#0", "b.tif"),
        ("b.tif#1", "b.tif"),
    ]


def test_other_files_are_ignored(tree: Tree) -> None:
    folder = tree("a.png", ".hidden.png", ".cache/b.png")
    (folder / "notes.txt").write_text("P5 is a format")
    (folder / "table.xlsx").write_bytes(FILES[".npz"])
    (folder / "b.png.gz").write_bytes(gzip.compress(FILES[".png"]))
    assert names(open_source(folder)) == ["a.png"]


@pytest.mark.parametrize("ending", FILES)
@pytest.mark.parametrize("name", ["renamed", "misleading.txt"])
def test_a_single_file_is_detected_by_its_content(tmp_path: Path, ending: str, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[ending])
    (sample,) = open_source(tmp_path / name)
    np.testing.assert_array_equal(sample.pixels, GREY)
    assert (sample.label, sample.split, sample.mask) == (None, None, None)


@pytest.mark.parametrize(
    "name",
    ["with blanks.png", "ünï — 写真.png", "new\nline.png", "-rf.png", "'\".png", "a#3.png", "\udcff.png"],
)
def test_odd_names_work(tree: Tree, name: str) -> None:
    folder = tree(name)
    assert names(open_source(folder)) == [name]
    (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UserError) as raised:
        list(open_source(folder))
    assert repr(f"{folder}/{name}") in str(raised.value)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", ["a folder with\nnewline", "-x"])
def test_odd_names_of_folders_work(tree: Tree, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tree("a.png")
    monkeypatch.chdir(folder.parent)
    folder.rename(name)
    assert names(open_source(Path(name))) == ["a.png"]


# Links


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("../outside/secret.png", "is a link to '.*outside"),
        ("../outside", "is a link to '.*outside"),
        ("x.png", "is a link that leads to nothing"),
        ("a.png", "is a link that leads to nothing"),
        ("cats", "is a link to a folder, whose images would be read twice"),
    ],
    ids=["file outside", "folder outside", "nothing", "itself", "folder inside"],
)
def test_links_that_lead_out_or_to_a_folder_or_nowhere_are_refused(
    tree: Tree, tmp_path: Path, target: str, message: str
) -> None:
    folder = tree("cats/good.png")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.png").write_bytes(FILES[".png"])
    (folder / "a.png").symlink_to(target)
    with pytest.raises(UserError, match=rf"a\.png' {message}"):
        list(open_source(folder))
    source = open_source(folder, skip_bad=True)
    assert names(source) == ["cats/good.png"]
    assert skipped(source) == ["a.png"]


def test_links_inside_the_source_and_to_the_source_are_followed(tree: Tree, tmp_path: Path) -> None:
    folder = tree("a.png")
    (folder / "b.png").symlink_to("a.png")
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "link.png").symlink_to(folder / "a.png")
    assert names(open_source(tmp_path / "link")) == ["a.png", "b.png"]
    assert names(open_source(tmp_path / "link.png")) == ["link.png"]


def test_a_mask_must_not_lead_out(mvtec: Path, tmp_path: Path) -> None:
    mask = mvtec / "ground_truth/scratch/0_mask.png"
    mask.rename(tmp_path / "mask.png")
    mask.symlink_to(tmp_path / "mask.png")
    with pytest.raises(UserError, match=r"0_mask\.png' is a link to .*outside the source"):
        list(open_source(mvtec))


# Bad files


@pytest.fixture
def damaged(tree: Tree) -> Path:
    """A folder with two good images and several bad files."""
    folder = tree("a.png", "z.png")
    (folder / "bad.png").write_bytes(FILES[".png"][:40])
    (folder / "empty.png").touch()
    os.mkfifo(folder / "pipe.png")
    (folder / "text.tiff").write_text("a text")
    page = Image.fromarray(GREY)
    page.save(folder / "pages.tif", save_all=True, append_images=[page, page])
    (folder / "pages.tif").write_bytes((folder / "pages.tif").read_bytes()[:-20])
    return folder


def test_a_bad_file_is_named(damaged: Path) -> None:
    with pytest.raises(UserError, match=r"images/bad\.png' is damaged.*Copy or export it again, or remove"):
        list(open_source(damaged))


def test_bad_files_are_skipped_as_a_whole_and_listed(damaged: Path) -> None:
    source = open_source(damaged, skip_bad=True)
    for _ in range(2):
        assert names(source) == ["a.png", "z.png"]
        assert skipped(source) == ["bad.png", "empty.png", "pages.tif", "pipe.png", "text.tiff"]
        assert all(file.name in file.reason for file in source.skipped)


def test_skipping_everything_is_an_error(tree: Tree) -> None:
    folder = tree("a.png")
    (folder / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"No image in .* can be read: 1 file skipped.*a\.png"):
        list(open_source(folder, skip_bad=True))


@pytest.mark.parametrize(("what", "method"), [("a.png", "open"), ("", "iterdir")], ids=["file", "folder"])
def test_what_cannot_be_read_is_named(
    tree: Tree, what: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tree("a.png") / what
    monkeypatch.setattr(Path, method, refuse_access)
    with pytest.raises(UserError, match="cannot be read: Permission denied"):
        open_source(path)


def test_an_unreadable_file_in_a_folder_is_a_bad_one(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tree("a.png", "IM0001")
    original = Path.open

    def open_others(path: Path, *arguments: Any, **options: Any) -> Any:
        return refuse_access() if path.name == "IM0001" else original(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", open_others)
    with pytest.raises(UserError, match=r"IM0001' cannot be read: Permission denied"):
        list(open_source(folder))


# What is no source


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"holds no images: BMP, .*PPM, .* are supported\. Put some there"),
        ({"a.txt": b"a text"}, "holds no images: .*Put some there"),
        ({"sub/a.npz": FILES[".npz"]}, r"If you mean '.*sub/a\.npz', name it"),
        ({"raw/t10k-images-idx3-ubyte": IDX}, r"If you mean '.*raw', name it"),
        (
            {"a.png": FILES[".png"], "b.dcm": FILES[".dcm"]},
            r"holds '.*b\.dcm' \(DICOM\) and '.*a\.png' \(image files\), but only one kind",
        ),
    ],
    ids=["empty", "other files", "an archive", "IDX files below", "two kinds"],
)
def test_a_folder_that_is_no_source_is_named(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is neither a file nor a folder"),
        (b"\x80\x04K\x01.", r"holds no images: it begins with b'\\x80\\x04K"),
        (b"\x93NUMPY\x01\x00", "holds no images"),
    ],
    ids=["nothing", "a pickle", "an array"],
)
def test_a_file_that_is_no_source_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "a").write_bytes(content)
    with pytest.raises(UserError, match=f"a' {message}"):
        open_source(tmp_path / "a")


@pytest.mark.parametrize(("ending", "package"), [(".dcm", "pydicom"), (".nii", "nibabel")])
def test_a_missing_package_is_named_with_the_command(
    tmp_path: Path, ending: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"a{ending}").write_bytes(FILES[ending])
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"needs the package {package}.*pip install '\.\[medical\]'"):
        open_source(tmp_path, skip_bad=True)
