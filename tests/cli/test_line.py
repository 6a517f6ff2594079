"""The commands as their user types them."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from cae import __main__
from cae.cli import DEFAULT, line
from cae.cli.views import Seeing, answers
from cae.core import files
from cae.core.errors import UserError
from cae.datasets import sources
from cae.figures.error_maps import COLOURS
from cae.networks.resizable import ResizableAutoencoder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five grey pictures, one in a folder, one with a name that needs care."""
    draws = np.random.default_rng(0)
    for name in ("0.png", "1.png", "2.png", "-3 ä.png", "more/4.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draws.integers(0, 256, (28, 28), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


NAMES = ["-3 ä.png", "0.png", "1.png", "2.png", "more/4.png"]


def test_codes_come_with_the_names_of_their_pictures(photos: Path, tmp_path: Path) -> None:
    line.run(["encode", str(photos), "--out", str(tmp_path / "codes.npz")])
    with np.load(tmp_path / "codes.npz", allow_pickle=False) as stored:
        assert stored["names"].tolist() == NAMES
        assert (stored["codes"].dtype, stored["codes"].shape) == (np.float32, (5, 128))


def test_the_same_pictures_give_the_same_file(photos: Path, tmp_path: Path) -> None:
    contents = []
    for name in ("a.npz", "b.npz"):
        line.run(["encode", str(photos), "--out", str(tmp_path / name)])
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {member.date_time for member in archive.infolist()} == {files.ZIP_EPOCH}


def test_codes_of_different_lengths_are_not_put_into_one_table(photos: Path, tmp_path: Path) -> None:
    Image.new("L", (60, 60)).save(photos / "z.png")
    with pytest.raises(UserError, match=r"'-3 ä.png' has 128 numbers and that of 'z.png' 512"):
        line.run(["encode", str(photos), "--out", str(tmp_path / "codes.npz")])
    assert not (tmp_path / "codes.npz").exists()
    line.run(["encode", str(photos), "--out", str(tmp_path / "codes.npz"), "--resize"])


def test_reconstructions_are_pictures_of_the_same_size(photos: Path, tmp_path: Path) -> None:
    Image.new("L", (60, 40)).save(photos / "z.png")
    line.run(["reconstruct", str(photos), "--out", str(tmp_path / "again")])
    for name in NAMES:
        assert Image.open(tmp_path / "again" / f"{name}.png").size == (28, 28)
    assert Image.open(tmp_path / "again/z.png.png").size == (60, 40)


def test_scores_and_maps_come_for_every_picture(photos: Path, tmp_path: Path) -> None:
    scores, maps = tmp_path / "scores.csv", tmp_path / "maps"
    line.run(["score", str(photos), "--out", str(scores), "--maps", str(maps)])
    table = pd.read_csv(scores)
    assert table.columns.tolist() == ["name", "score"]
    assert table["name"].tolist() == NAMES
    # Noise is nothing that a network for clothes could reconstruct.
    assert (table["score"] > 0.05).all()
    assert Image.open(maps / "more/4.png.png").mode == "RGB"
    # The lighter a map, the greater the error.
    lightness = [np.asarray(Image.open(maps / f"{name}.png").convert("L")).mean() for name in NAMES]
    assert min(lightness) > 30


def test_a_threshold_comes_from_normal_pictures(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    black = tmp_path / "normal"
    black.mkdir()
    for place in range(9):
        Image.new("L", (28, 28), place).save(black / f"{place}.png")
    rest = ["--normal", str(black), "--false-alarms", "0.1", "--out", str(tmp_path / "scores.csv")]
    line.run(["score", str(photos), *rest])
    assert pd.read_csv(tmp_path / "scores.csv")["anomaly"].tolist() == [1] * 5
    printed = capsys.readouterr().out
    assert "from 9 pictures: false alarms expected 10.00%, with 95% confidence" in printed
    assert "above the threshold: 5" in printed


def test_a_spot_makes_the_score_that_of_the_worst_place(photos: Path, tmp_path: Path) -> None:
    scores, maps = tmp_path / "scores.csv", tmp_path / "maps"
    line.run(["score", str(photos), "--out", str(scores), "--maps", str(maps), "--spot", "1.5"])
    source, trained = sources.open_source(photos), ResizableAutoencoder(DEFAULT)
    for answer, score in zip(answers(source, trained, Seeing()), pd.read_csv(scores)["score"], strict=True):
        smooth = gaussian_filter(answer.squared_error, 1.5, mode="mirror", truncate=3)
        assert score == smooth.max()
        shown = np.asarray(Image.open(maps / f"{answer.name}.png"))
        np.testing.assert_array_equal(shown, COLOURS(np.sqrt(smooth), bytes=True)[..., :3])


def test_a_threshold_is_set_by_scores_of_the_same_kind(photos: Path, tmp_path: Path) -> None:
    rest = ["--normal", str(photos), "--false-alarms", "0.2", "--spot", "1.5"]
    line.run(["score", str(photos), "--out", str(tmp_path / "scores.csv"), *rest])
    # The highest of five is the threshold, and not above itself.
    assert pd.read_csv(tmp_path / "scores.csv")["anomaly"].tolist() == [0] * 5


def test_a_network_and_a_source_are_described(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line.run(["info", str(photos)])
    printed = capsys.readouterr().out
    assert "code       4 × 4 × 8 = 128 numbers\nparameters 12,785\n" in printed
    assert "pictures   28 × 28, uint8: 5\n" in printed


def test_a_bad_file_ends_a_command_without_half_a_result(photos: Path, tmp_path: Path) -> None:
    (photos / "bad.png").write_bytes((photos / "0.png").read_bytes()[:50])
    with pytest.raises(UserError, match=r"bad\.png"):
        line.run(["score", str(photos), "--out", str(tmp_path / "scores.csv")])
    assert not (tmp_path / "scores.csv").exists()


def test_or_is_passed_over_and_listed(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "bad.png").write_bytes((photos / "0.png").read_bytes()[:50])
    line.run(["score", str(photos), "--skip-bad", "--out", str(tmp_path / "scores.csv")])
    assert pd.read_csv(tmp_path / "scores.csv")["name"].tolist() == NAMES
    assert "bad.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reconstruct", "photos", "--out", "photos/again"], "photos/again lies in photos, which is read"),
        (["score", "photos", "--out", "scores.csv", "--maps", "photos"], "photos would be written over"),
        (["score", "photos", "--out", "photos/0.png"], "0.png is a picture, and would be written over"),
        (["encode", "photos/0.png", "--out", "photos/0.png"], "would be written over what is read"),
        (
            ["score", "photos", "--out", "scores.csv", "--false-alarms", "0.1"],
            "--false-alarms needs --normal",
        ),
        (
            ["score", "photos", "--out", "scores.csv", "--tiles", "0"],
            "tiles are square, 1 to 28 pixels apart",
        ),
        (["score", "photos", "--out", "scores.csv", "--spot", "0"], "must be above 0 and at most 1000"),
        (["score", "photos", "--out", "scores.csv", "--window", "9", "1"], "the lower one first"),
        (
            ["score", "photos", "--out", "scores.csv", "--resize-to", "0", "9"],
            "both sides must be at least 1",
        ),
    ],
)
def test_what_would_do_harm_or_nothing_is_refused(
    photos: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(photos.parent)
    with pytest.raises(UserError, match=message):
        line.run(arguments)
    assert not Path("scores.csv").exists()


def test_two_pictures_of_one_name_are_not_written_over_each_other(tmp_path: Path) -> None:
    pages = [Image.new("L", (28, 28), level) for level in (0, 255)]
    (tmp_path / "photos").mkdir()
    pages[0].save(tmp_path / "photos/a.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "photos/a.tif#0", format="png")
    with pytest.raises(UserError, match=r"two images have the name 'a\.tif#0'"):
        line.run(["reconstruct", str(tmp_path / "photos"), "--out", str(tmp_path / "again")])


def test_a_name_that_is_no_utf_8_is_written_in_hexadecimal(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("L", (28, 28)).save(tmp_path / "photos/a\udcff.png", format="png")
    line.run(["score", str(tmp_path / "photos"), "--out", str(tmp_path / "scores.csv")])
    assert pd.read_csv(tmp_path / "scores.csv")["name"].tolist() == ["a\\xff.png"]


def test_options_on_the_way_to_the_network_are_carried_out(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    colours = np.random.default_rng(0).integers(0, 90, (60, 60, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "photos/a.png")
    (picture,) = sources.open_source(tmp_path / "photos")
    for options, seeing in (
        (["--resize"], Seeing((0, 90), grey=True, size=(28, 28))),
        (["--resize-to", "28", "36"], Seeing((0, 90), grey=True, size=(28, 36))),
        (["--tiles", "14"], Seeing((0, 90), grey=True, tiles=14)),
    ):
        rest = ["--out", str(tmp_path / "again"), "--grey", "--window", "0", "90", *options]
        line.run(["reconstruct", str(tmp_path / "photos"), *rest])
        (answer,) = answers([picture], ResizableAutoencoder(DEFAULT), seeing)
        written = np.asarray(Image.open(tmp_path / "again/a.png.png"))
        assert written.shape == (60, 60)
        levels = np.rint(255 * answer.sized(answer.reconstruction)[..., 0])
        np.testing.assert_allclose(written, levels, atol=1)


@pytest.mark.parametrize("low", ["-1e3", "-1000", "-1.0E+3", "-1e-7"])
def test_a_window_may_begin_below_0(low: str, photos: Path, tmp_path: Path) -> None:
    rest = ["--out", str(tmp_path / "scores.csv"), "--window", low, "400"]
    line.run(["score", str(photos), *rest])
    made = answers(sources.open_source(photos), ResizableAutoencoder(DEFAULT), Seeing((float(low), 400)))
    expected = [answer.squared_error.mean() for answer in made]
    np.testing.assert_allclose(pd.read_csv(tmp_path / "scores.csv")["score"], expected, rtol=1e-6)


def test_a_name_too_long_for_what_is_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("L", (28, 28)).save(tmp_path / "photos" / f"{'a' * 240}.png")
    with pytest.raises(UserError, match="has more than 230 bytes: shorten"):
        line.run(["reconstruct", str(tmp_path / "photos"), "--out", str(tmp_path / "again")])


@pytest.mark.parametrize(
    "example", ["encode photos", "reconstruct photos", "score photos", "info photos", "export --out"]
)
def test_every_command_has_an_example_in_its_help(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        line.run([example.split()[0], "--help"])
    assert ended.value.code == 0
    assert f"Example: cae {example}" in " ".join(capsys.readouterr().out.split())


def test_a_mistake_is_told_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["cae", "encode", "nowhere", "--out", "codes.npz"])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert str(ended.value.code).startswith("error: 'nowhere' is neither a file nor a folder")
