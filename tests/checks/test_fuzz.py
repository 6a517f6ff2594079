"""Damaged files of all formats end in pictures or in the clear error, within bounds of time and memory."""

import sys
from pathlib import Path

import pytest

from cae.datasets.sources import open_source
from checks import fuzz

NAMES = sorted(fuzz.samples())


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_can_be_read_before_it_is_damaged(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(fuzz.packed(name, fuzz.samples()[name]))
    assert list(open_source(tmp_path / name))


def test_the_same_seed_makes_the_same_files() -> None:
    files = fuzz.samples()
    assert files == fuzz.samples()
    made = [fuzz.damaged(files, seed, index) for seed in (1, 1, 2) for index in range(len(files))]
    first, again, other = (made[start :: len(files)] for start in (0, 0, 1))
    assert first == again != other


def test_a_thousand_damaged_files_give_pictures_or_the_clear_error(tmp_path: Path) -> None:
    outcomes = fuzz.run(1000, seed=1, out=tmp_path / "bad")
    assert {result for _, result in outcomes} == set(fuzz.ALLOWED)
    assert outcomes.total() == 1000
    assert not (tmp_path / "bad").exists()


def test_what_is_not_allowed_is_kept_counted_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fuzz, "ALLOWED", ("pictures",))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["fuzz", "--count", "40", "--seed", "1"])
    assert fuzz.main() == 1
    kept = sorted((tmp_path / "fuzz-1").iterdir())
    assert 0 < len(kept) < 40
    printed = capsys.readouterr().out
    assert "seed 1\n" in printed
    assert f"40 files read, {len(kept)} with another outcome, kept in {tmp_path}" in printed
    index, _, name = kept[0].name.partition("-")
    assert kept[0].read_bytes() == fuzz.damaged(fuzz.samples(), 1, int(index))[1]
    assert name in NAMES
