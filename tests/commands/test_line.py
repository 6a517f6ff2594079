"""The commands as their user types them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cae import __main__
from cae.commands import line
from cae.ground.errors import UserError


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
    assert "from 9 pictures: false alarms expected 10.00%, with 95 % confidence" in printed
    assert "above the threshold: 5" in printed


def test_a_network_and_a_source_are_described(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line.run(["info", str(photos)])
    printed = capsys.readouterr().out
    assert "code       4 × 4 × 8 = 128 numbers\nparameters 12,785\n" in printed
    assert "pictures   5 × 28 × 28 uint8\n" in printed


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


@pytest.mark.parametrize("command", ["encode", "reconstruct", "score", "info"])
def test_every_command_has_an_example_in_its_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        line.run([command, "--help"])
    assert ended.value.code == 0
    assert f"Example: cae {command} photos" in " ".join(capsys.readouterr().out.split())


def test_a_mistake_is_told_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["cae", "encode", "nowhere", "--out", "codes.npz"])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert str(ended.value.code).startswith("error: 'nowhere' is neither a file nor a folder")
