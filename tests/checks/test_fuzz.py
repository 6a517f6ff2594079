"""Damaged files of every format give images or a UserError, within bounds of time and memory."""

from pathlib import Path

import pytest

from cae.datasets.sources import open_source
from checks import fuzz

SAMPLES = fuzz.make_samples()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_can_be_read_before_it_is_damaged(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(fuzz.pack(name, SAMPLES[name]))
    assert list(open_source(tmp_path / name))


def test_the_same_seed_makes_the_same_files() -> None:
    first, second, other = (
        [fuzz.damage(fuzz.make_samples(), seed, index) for index in range(len(SAMPLES))] for seed in (1, 1, 2)
    )
    assert first == second != other


@pytest.mark.slow
def test_a_thousand_damaged_files_give_images_or_an_error(tmp_path: Path) -> None:
    outcomes = fuzz.run(1000, seed=1, out=tmp_path / "bad")
    assert {result for _, result in outcomes} == set(fuzz.ALLOWED)
    assert outcomes.total() == 1000
    assert not (tmp_path / "bad").exists()


@pytest.mark.slow
def test_a_file_with_another_outcome_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "ALLOWED", ("images",))
    outcomes = fuzz.run(40, seed=1, out=tmp_path)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert 0 < len(kept) == sum(times for (_, result), times in outcomes.items() if result != "images")
    for name, content in kept.items():
        index, _, sample = name.partition("-")
        assert fuzz.damage(SAMPLES, 1, int(index)) == (sample, content)
