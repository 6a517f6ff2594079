"""The audit runs a study from nothing and names what differs from what is committed."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from checks import audit, reproduce
from tests.pipeline.conftest import ENVIRONMENT

STUDY = "studies/toy"


def lock(**checksums: str) -> dict[str, object]:
    outputs = [{"path": path, "md5": checksum} for path, checksum in checksums.items()]
    return {"stages": {"make": {"outs": outputs}}}


def test_outputs_whose_checksums_differ_are_listed() -> None:
    committed, new = lock(same="1", changed="2", removed="3"), lock(same="1", changed="4", added="5")
    assert reproduce.list_differences(committed, new) == [
        "added of make",
        "changed of make",
        "removed of make",
    ]


def test_a_study_that_never_ran_is_not_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not audit.audit(tmp_path, STUDY)
    assert f"{STUDY}: has no dvc.lock" in capsys.readouterr().out


def test_a_study_alone_gets_the_images_that_another_study_prepared(tmp_path: Path) -> None:
    prepared = "studies/industrial/data/prepared"
    for name in (*audit.NEEDED, prepared):
        (tmp_path / "root" / name).mkdir(parents=True)
    audit.copy_inputs(tmp_path / "root", tmp_path / "clone")
    assert (tmp_path / "clone" / prepared).is_dir()


@pytest.mark.slow
def test_a_study_is_run_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    def run(command: str, folder: Path = tmp_path / STUDY) -> None:
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)

    def commit(command: str) -> None:
        outputs = ["model", {"table.csv": {"cache": False}}]
        (tmp_path / STUDY / "dvc.yaml").write_text(
            yaml.safe_dump({"stages": {"make": {"cmd": command, "outs": outputs}}})
        )
        run("git add --all")
        run("git commit --quiet --message all")

    (tmp_path / STUDY).mkdir(parents=True)
    run("git init --quiet", tmp_path)
    run("dvc init --subdir --quiet")
    command = "echo 1 > table.csv; echo 2 > model"
    commit(command)
    run("dvc repro --quiet")
    commit(command)
    assert audit.audit(tmp_path, STUDY)
    assert re.fullmatch(rf"{STUDY}: the same, \d\.\d minutes\n", capsys.readouterr().out)

    (tmp_path / STUDY / "table.csv").write_text("another number")
    commit(command)
    assert not audit.audit(tmp_path, STUDY)
    assert capsys.readouterr().out.splitlines()[1:] == [f"   M {STUDY}/table.csv"]

    commit("echo wrong value; exit 1")
    assert not audit.audit(tmp_path, STUDY)
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{STUDY}: failed after")
    assert "wrong value" in captured.err
