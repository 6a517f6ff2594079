"""One door for all layouts: told apart by looking, in a fixed order, as often as wanted, bad files named."""

import gzip
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
from checks.fuzz import make_dicom, make_nifti, write_to_bytes

GREY = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7
IDX = bytes.fromhex("00000803 00000001 00000005 00000007") + GREY.tobytes()
Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Make a folder of pictures that differ, from their names."""

    def grow(*names: str) -> Path:
        for shift, name in enumerate(names):
            path = tmp_path / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(GREY + np.uint8(shift)).save(path, format="PNG")
        return tmp_path / "images"

    return grow


def names(source: Source) -> list[str]:
    return [picture.name for picture in source]


def described(source: Source) -> dict[str, tuple[str | None, str | None]]:
    return {picture.name: (picture.label, picture.split) for picture in source}


def test_a_flat_folder_gives_its_pictures_by_name(tree: Tree) -> None:
    folder = tree("b.png", "a.png", "a 10.png", "a 2.png")
    source = sources.open_source(folder)
    assert source.kind == "image"
    assert names(source) == ["a 10.png", "a 2.png", "a.png", "b.png"]
    np.testing.assert_array_equal(next(iter(source)).pixels, GREY + 2)


def test_the_order_is_not_that_of_the_file_system(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tree("x/b.png", "x/a.png", "y/c.png", "x-ray/d.png")
    listed = Path.iterdir
    forwards = names(sources.open_source(folder))
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(sorted(listed(self), reverse=True)))
    assert names(sources.open_source(folder)) == forwards == ["x-ray/d.png", "x/a.png", "x/b.png", "y/c.png"]


def test_a_source_can_be_read_twice(tree: Tree) -> None:
    source = sources.open_source(tree("a.png", "b.png"))
    first, second = list(source), list(source)
    for one, other in zip(first, second, strict=True):
        assert (one.name, one.group) == (other.name, other.group)
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_one_folder_a_class_gives_labels(tree: Tree) -> None:
    source = sources.open_source(tree("cats/1.png", "dogs/1.png", "dogs/2.png"))
    assert described(source) == {
        "cats/1.png": ("cats", None),
        "dogs/1.png": ("dogs", None),
        "dogs/2.png": ("dogs", None),
    }


@pytest.mark.parametrize("below", ["", "cat/"], ids=["flat", "classes"])
def test_a_folder_in_parts_splits_itself(tree: Tree, below: str) -> None:
    source = sources.open_source(tree(f"train/{below}1.png", f"Val/{below}1.png", f"test/{below}1.png"))
    label = below.rstrip("/") or None
    assert list(described(source).values()) == [(label, "validation"), (label, "test"), (label, "train")]


def test_a_class_may_be_called_test(tree: Tree) -> None:
    assert set(described(sources.open_source(tree("test/1.png", "rest/1.png"))).values()) == {
        ("test", None),
        ("rest", None),
    }


def test_one_class_alone_is_a_class(tree: Tree) -> None:
    assert described(sources.open_source(tree("good/1.png"))) == {"good/1.png": ("good", None)}


@pytest.fixture
def mvtec(tree: Tree) -> Path:
    return tree(
        *("train/good/000.png", "train/good/001.png", "test/good/000.png"),
        *("test/scratch/000.png", "ground_truth/scratch/000_mask.png", "test/dent/000.png"),
    )


def test_mvtec_gives_defects_and_their_masks(mvtec: Path) -> None:
    source = sources.open_source(mvtec)
    assert source.normal == "good"
    assert described(source) == {
        "test/dent/000.png": ("dent", "test"),
        "test/good/000.png": ("good", "test"),
        "test/scratch/000.png": ("scratch", "test"),
        "train/good/000.png": ("good", "train"),
        "train/good/001.png": ("good", "train"),
    }
    masks = {picture.name: picture.mask for picture in source}
    mask = mvtec / "ground_truth" / "scratch" / "000_mask.png"
    assert {name for name, own in masks.items() if own} == {"test/scratch/000.png"}
    assert masks["test/scratch/000.png"] == mask


def test_a_defect_without_its_mask_is_named_where_others_have_theirs(mvtec: Path) -> None:
    (mvtec / "ground_truth" / "scratch" / "000_mask.png").rename(mvtec / "ground_truth/scratch/9_mask.png")
    with pytest.raises(UserError, match=r"scratch/000\.png' has no mask .*000_mask\.png.*Add it"):
        list(sources.open_source(mvtec))


# One picture each, of the shape of GREY.
FORMATS: dict[str, Callable[[], bytes]] = {
    ".png": lambda: write_to_bytes(lambda file: Image.fromarray(GREY).save(file, "PNG")),
    ".tif": lambda: write_to_bytes(lambda file: Image.fromarray(GREY).save(file, "TIFF")),
    ".dcm": lambda: make_dicom(GREY),
    ".nii": lambda: make_nifti(np.ascontiguousarray(GREY.T)),
    ".nii.gz": lambda: gzip.compress(make_nifti(np.ascontiguousarray(GREY.T))),
}
# The folders of files → the class and part of each, in the order of their names.
LAYOUTS: dict[str, dict[str, tuple[str | None, str | None]]] = {
    "flat": {"1": (None, None), "2": (None, None)},
    "classes": {"a/1": ("a", None), "b/1": ("b", None)},
    "parts": {"test/1": (None, "test"), "train/1": (None, "train"), "val/1": (None, "validation")},
    "parts with classes": {"test/a/1": ("a", "test"), "threshold/a/1": ("a", "threshold")},
    "MVTec AD": {
        "test/bent/1": ("bent", "test"),
        "test/good/1": ("good", "test"),
        "train/good/1": ("good", "train"),
    },
}


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_folders_mean_the_same_whatever_the_format(tmp_path: Path, layout: str, ending: str) -> None:
    for name in LAYOUTS[layout]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}{ending}").write_bytes(FORMATS[ending]())
    source = sources.open_source(tmp_path)
    assert described(source) == {f"{name}{ending}": place for name, place in LAYOUTS[layout].items()}
    assert source.normal == ("good" if layout == "MVTec AD" else None)


@pytest.mark.parametrize("ending", FORMATS)
def test_masks_may_have_the_format_of_their_files(tmp_path: Path, ending: str) -> None:
    for name in ("train/good/1", "test/bent/1", "ground_truth/bent/1_mask"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}{ending}").write_bytes(FORMATS[ending]())
    masks = {picture.name: picture.mask for picture in sources.open_source(tmp_path)}
    assert masks[f"test/bent/1{ending}"] == tmp_path / f"ground_truth/bent/1_mask{ending}"


@pytest.mark.parametrize(
    ("name", "mask"),
    [("1.2.840.8", "1.2.840.8_mask.png"), ("8.NII.GZ", "8_mask.nii.gz"), ("a.b.dat", "a.b_mask.png")],
)
def test_the_name_of_a_mask_is_that_of_its_file_without_its_ending(
    tmp_path: Path, name: str, mask: str
) -> None:
    contents = {f"test/bent/{name}": FORMATS[".png"](), f"ground_truth/bent/{mask}": b"", "train/good/1": b""}
    for path, content in contents.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    found = sources.find_mask(tmp_path, tmp_path / "test/bent" / name)
    assert found is not None
    assert found.name.lower() == mask


@pytest.mark.parametrize(
    "beginning",
    [b"II*\0", b"MM\0*", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", bytes.fromhex("00000803"), b"\x1f\x8b\x08"],
    ids=["TIFF", "TIFF, big-endian", "PNG", "zip", "IDX", "gzip"],
)
@pytest.mark.parametrize("name", ["1.dcm", "1.tif", "IM0001"])
def test_a_dicom_file_is_one_whatever_its_free_bytes_say(tmp_path: Path, beginning: bytes, name: str) -> None:
    content = make_dicom(GREY.astype(np.uint16), RescaleSlope="3.5")
    (tmp_path / name).write_bytes(beginning.ljust(128, b"\0") + content[128:])
    for path in (tmp_path, tmp_path / name):
        source = sources.open_source(path)
        assert source.kind == "dicom"
        np.testing.assert_array_equal(next(iter(source)).pixels, np.float32(3.5) * GREY)


@pytest.mark.parametrize("suffix", ["jpg", "dat", ""])
def test_a_picture_is_found_under_a_lying_name(tree: Tree, suffix: str) -> None:
    assert names(sources.open_source(tree(f"a.{suffix}"))) == [f"a.{suffix}"]


def test_what_is_no_picture_is_passed_over(tree: Tree) -> None:
    folder = tree("a.png", ".hidden.png", ".cache/b.png")
    (folder / "notes.txt").write_text("P5 is a format")
    (folder / "table.xlsx").write_bytes(b"PK\x03\x04")
    assert names(sources.open_source(folder)) == ["a.png"]


ODD = ["with blanks.png", "ünï — 写真.png", "new\nline.png", "-rf.png", "'\".png", "a#3.png", "\udcff.png"]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_work(tree: Tree, name: str) -> None:
    folder = tree(name)
    assert names(sources.open_source(folder)) == [name]
    (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UserError) as raised:
        list(sources.open_source(folder))
    assert repr(f"{folder}/{name}") in str(raised.value)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", ["a folder with\nnewline", "-x"])
def test_an_odd_folder_works(tree: Tree, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tree("a.png")
    monkeypatch.chdir(folder.parent)
    folder.rename(name)
    assert names(sources.open_source(Path(name))) == ["a.png"]


@pytest.mark.parametrize("target", ["file", "folder", "nothing", "itself"])
def test_links_that_lead_out_or_nowhere_are_refused(tree: Tree, tmp_path: Path, target: str) -> None:
    folder = tree("good.png")
    (tmp_path / "outside").mkdir()
    (folder / "good.png").rename(tmp_path / "outside" / "secret.png")
    tree("good.png")
    places = {"file": "../outside/secret.png", "folder": "../outside", "nothing": "x.png", "itself": "a.png"}
    (folder / "a.png").symlink_to(places[target])
    with pytest.raises(UserError, match=r"a\.png' is a link (to '.*outside|that leads to nothing)"):
        list(sources.open_source(folder))
    source = sources.open_source(folder, skip_bad=True)
    assert names(source) == ["good.png"]
    assert [skipped.name for skipped in source.skipped] == ["a.png"]


def test_a_link_to_a_folder_inside_is_refused(tree: Tree) -> None:
    folder = tree("cats/a.png")
    (folder / "dogs").symlink_to("cats")
    with pytest.raises(UserError, match=r"dogs' is a link to a folder: its pictures would come twice"):
        list(sources.open_source(folder))


def test_links_inside_and_to_the_source_itself_are_followed(tree: Tree, tmp_path: Path) -> None:
    folder = tree("a.png")
    (folder / "b.png").symlink_to("a.png")
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "link.png").symlink_to(folder / "a.png")
    assert names(sources.open_source(tmp_path / "link")) == ["a.png", "b.png"]
    assert names(sources.open_source(tmp_path / "link.png")) == ["link.png"]


def test_a_mask_must_not_lead_out(mvtec: Path, tmp_path: Path) -> None:
    mask = mvtec / "ground_truth" / "scratch" / "000_mask.png"
    mask.rename(tmp_path / "mask.png")
    mask.symlink_to(tmp_path / "mask.png")
    with pytest.raises(UserError, match=r"scratch/000\.png' is a link to .*outside of the source"):
        list(sources.open_source(mvtec))


def damage(folder: Path) -> None:
    (folder / "bad.png").write_bytes((folder / "a.png").read_bytes()[:40])
    (folder / "empty.png").touch()
    (folder / "text.tiff").write_text("a text")
    pages = [Image.fromarray(GREY), Image.fromarray(GREY)]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages)
    whole = (folder / "pages.tif").read_bytes()
    (folder / "pages.tif").write_bytes(whole[:-20])


def test_a_bad_file_is_named(tree: Tree) -> None:
    folder = tree("a.png")
    damage(folder)
    with pytest.raises(
        UserError, match=r"images/bad\.png' is damaged.*Copy or export it again, or leave it out"
    ):
        list(sources.open_source(folder))


def test_bad_files_are_skipped_as_a_whole_and_listed(tree: Tree) -> None:
    folder = tree("a.png", "z.png")
    damage(folder)
    source = sources.open_source(folder, skip_bad=True)
    for _ in range(2):
        assert names(source) == ["a.png", "z.png"]
        assert [skipped.name for skipped in source.skipped] == [
            "bad.png",
            "empty.png",
            "pages.tif",
            "text.tiff",
        ]
        assert all(skipped.name in skipped.reason for skipped in source.skipped)


def test_skipping_everything_is_an_error(tree: Tree) -> None:
    folder = tree("a.png")
    (folder / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"holds no picture that can be read; 1 were skipped, .*a\.png"):
        list(sources.open_source(folder, skip_bad=True))


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (["train/a.png", "test/a.png", "more/a.png"], r"more/a\.png' lies beside the folders test, train"),
        (["train/a.png", "test/a.png", "a.png"], r"images/a\.png' lies beside the folders test, train"),
    ],
)
def test_a_tree_that_means_nothing_is_named(tree: Tree, pictures: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        sources.open_source(tree(*pictures))


@pytest.mark.parametrize(
    ("pictures", "labels"),
    [
        (["cats/a.png", "dogs/b.png"], ["cats", "dogs"]),
        (["a.png", "cats/b.png"], [None, None]),
        (["2024/may/a.png", "2025/june/b.png"], [None, None]),
        (["test/cats/b.png", "train/a.png"], [None, None]),
    ],
)
def test_folders_are_classes_where_every_picture_lies_in_one(
    tree: Tree, pictures: list[str], labels: list[str | None]
) -> None:
    assert [picture.label for picture in sources.open_source(tree(*pictures))] == labels


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no pictures: PNG.*are read, DICOM and NIfTI as well\. Put"):
        sources.open_source(tmp_path)


def test_a_folder_with_an_archive_points_to_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=GREY[None])
    with pytest.raises(UserError, match=r"If you mean '.*a\.npz', name the file itself"):
        sources.open_source(tmp_path)


def test_a_folder_above_idx_files_points_to_theirs(tmp_path: Path) -> None:
    (tmp_path / "FashionMNIST/raw").mkdir(parents=True)
    for part in ("train", "t10k"):
        (tmp_path / f"FashionMNIST/raw/{part}-images-idx3-ubyte").write_bytes(IDX)
    with pytest.raises(UserError, match=r"the IDX files in '.*FashionMNIST/raw', name that folder"):
        sources.open_source(tmp_path)


def test_two_kinds_in_one_folder_are_named(tree: Tree) -> None:
    folder = tree("a.png")
    (folder / "b.dcm").write_bytes(make_dicom(GREY))
    with pytest.raises(UserError, match=r"holds '.*a\.png' \(image\) and '.*b\.dcm' \(dicom\): one kind"):
        sources.open_source(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is neither a file nor a folder"),
        (b"\x80\x04K\x01.", r"holds no pictures by its content, which begins with b'\\x80\\x04K"),
        (b"\x93NUMPY\x01\x00", "holds no pictures by its content"),
    ],
    ids=["nothing", "a pickle", "an array"],
)
def test_a_file_that_is_none_of_these_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "a").write_bytes(content)
    with pytest.raises(UserError, match=f"a' {message}"):
        sources.open_source(tmp_path / "a")


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_may_not_be_read_is_named(tree: Tree, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tree("a.png")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open" if what == "file" else "iterdir", refuse)
    with pytest.raises(UserError, match="cannot be read: Permission denied"):
        sources.open_source(folder / "a.png" if what == "file" else folder)


def files(folder: Path) -> dict[str, Path]:
    """One file of each kind."""
    folder.mkdir(exist_ok=True)
    Image.fromarray(GREY).save(folder / "a.png")
    np.savez(folder / "a.npz", images=GREY[None])
    (folder / "idx").write_bytes(IDX)
    (folder / "a.dcm").write_bytes(make_dicom(GREY))
    (folder / "a.nii").write_bytes(make_nifti(np.ascontiguousarray(GREY.T)))
    return {"image": folder / "a.png", "idx": folder / "idx"} | {
        kind: folder / f"a.{suffix}" for kind, suffix in (("npz", "npz"), ("dicom", "dcm"), ("nifti", "nii"))
    }


@pytest.mark.parametrize("kind", ["image", "npz", "idx", "dicom", "nifti"])
@pytest.mark.parametrize("name", [None, "renamed", "lying.txt"])
def test_a_single_file_is_told_by_its_content(tmp_path: Path, kind: str, name: str | None) -> None:
    path = files(tmp_path)[kind]
    if name:
        path = path.rename(tmp_path / name)
    source = sources.open_source(path)
    assert source.kind == kind
    (picture,) = source
    np.testing.assert_array_equal(picture.pixels, GREY)


@pytest.mark.parametrize(("kind", "package"), [("dicom", "pydicom"), ("nifti", "nibabel")])
def test_a_missing_package_is_named_with_the_command(
    tmp_path: Path, kind: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files(tmp_path)[kind]
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(UserError, match=rf"needs the package {package}.*pip install '\.\[medical\]'"):
        sources.open_source(path, skip_bad=True)


def test_one_picture_is_in_memory_at_a_time(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = image_files.decode

    def counted(image: Image.Image) -> Any:
        read.append("a.png")
        return original(image)

    monkeypatch.setattr(image_files, "decode", counted)
    source = iter(sources.open_source(tree("a.png", "b.png", "c.png")))
    assert not read
    next(source)
    assert read == ["a.png"]


def test_a_picture_is_its_own_group_and_pages_share_theirs(tree: Tree) -> None:
    folder = tree("a.png")
    Image.fromarray(GREY).save(folder / "b.tif", save_all=True, append_images=[Image.fromarray(GREY)])
    assert [(picture.name, picture.group) for picture in sources.open_source(folder)] == [
        ("a.png", "a.png"),
        ("b.tif#0", "b.tif"),
        ("b.tif#1", "b.tif"),
    ]


def test_a_file_that_may_not_be_read_is_a_bad_one(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tree("a.png", "IM0001")
    original = Path.open

    def forbidden(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "IM0001":
            raise PermissionError(13, "Permission denied")
        return original(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(UserError, match=r"IM0001' cannot be read: Permission denied"):
        list(sources.open_source(folder))


def test_a_gzipped_picture_is_passed_over_as_other_files_are(tree: Tree) -> None:
    folder = tree("a.png")
    (folder / "b.png.gz").write_bytes(gzip.compress((folder / "a.png").read_bytes()))
    assert [picture.name for picture in sources.open_source(folder)] == ["a.png"]
