"""The audit runs a study from nothing and names what differs from what is committed."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from checks import audit
from tests.pipeline.conftest import ENVIRONMENT

pytestmark = pytest.mark.slow
STUDY = "studies/toy"
STAGE = {
    "cmd": "echo 1 > table.csv; echo 2 > model",
    "outs": ["model", {"table.csv": {"cache": False}}],
}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed project with a study that was run."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    (tmp_path / STUDY).mkdir(parents=True)
    run(tmp_path, "git init --quiet")
    run(tmp_path / STUDY, "dvc init --subdir --quiet")
    declare(tmp_path, STAGE["cmd"])
    run(tmp_path / STUDY, "dvc repro --quiet")
    commit(tmp_path)
    return tmp_path


def run(folder: Path, command: str) -> None:
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)


def declare(clone: Path, command: object) -> None:
    stages = {"stages": {"make": STAGE | {"cmd": command}}}
    (clone / STUDY / "dvc.yaml").write_text(yaml.safe_dump(stages))


def commit(clone: Path) -> None:
    run(clone, "git add --all")
    run(clone, "git commit --quiet --message all")


def test_a_study_that_comes_out_the_same_takes_one_line(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clone / STUDY / "model").unlink()
    assert audit.audit(clone, STUDY)
    assert re.fullmatch(rf"{STUDY}: the same, \d\.\d minutes\n", capsys.readouterr().out)


def test_every_file_that_differs_is_named(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clone / STUDY / "table.csv").write_text("another number")
    lock = (clone / STUDY / "dvc.lock").read_text()
    entries = yaml.safe_load(lock)["stages"]["make"]["outs"]
    for entry in entries:
        lock = lock.replace(entry["md5"], "ab" * 16)
    (clone / STUDY / "dvc.lock").write_text(lock)
    commit(clone)
    assert not audit.audit(clone, STUDY)
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{STUDY}: not the same, ")
    assert others == [
        f"   M {STUDY}/dvc.lock",
        f"   M {STUDY}/table.csv",
        "  another checksum in dvc.lock: model of make",
        "  another checksum in dvc.lock: table.csv of make",
    ]


def test_a_study_that_fails_shows_why(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declare(clone, "echo wrong value; exit 1")
    commit(clone)
    assert not audit.audit(clone, STUDY)
    shown = capsys.readouterr()
    assert shown.out.startswith(f"{STUDY}: failed after")
    assert "wrong value" in shown.err


def test_a_study_that_never_ran_is_not_the_same(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not audit.audit(clone, "studies/other")
    assert "studies/other: has no dvc.lock" in capsys.readouterr().out
