"""The real commands name a mistake without a traceback and write nothing; neither does Ctrl-C print one."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.pipeline.conftest import ENVIRONMENT, Project

pytestmark = pytest.mark.slow


def test_a_wrong_value_stops_dvc_with_one_message_and_nothing_written(project: Project) -> None:
    project.set_params({"train": {"epoch": 3}})
    lock = project.read("dvc.lock")
    done = project.dvc("repro", "train", check=False)
    assert done.returncode != 0
    assert done.stderr.count("error: ") == 1
    assert "train.epoch is not a known key" in done.stderr
    assert "Traceback" not in done.stderr
    # DVC removes the old results before a stage runs.
    assert not (project.folder / "metrics/train.json").exists()
    assert project.read("dvc.lock") == lock


def test_outside_the_project_the_missing_file_is_named(tmp_path: Path) -> None:
    elsewhere = Project(tmp_path)
    done = elsewhere.run("python", "-m", "stages", "train", check=False, PYTHONPATH=str(ROOT))
    assert done.returncode == 1
    assert "dvc.yaml cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupt_while_a_stage_still_imports_ends_it_without_a_traceback(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "stages", tmp_path / "stages")
    (tmp_path / "cae").mkdir()
    # Stands in for the seconds that TensorFlow takes.
    (tmp_path / "cae" / "__init__.py").write_text("import signal; signal.raise_signal(signal.SIGINT)")
    done = Project(tmp_path).run("python", "-m", "stages", "prepare", check=False)
    assert done.returncode == -signal.SIGINT
    assert done.stderr == ""


def test_an_interrupted_stage_ends_at_once_though_a_thread_goes_on(tmp_path: Path) -> None:
    script = """
import signal, threading, time
from stages import runner

def stage():
    threading.Thread(target=time.sleep, args=(600,)).start()
    signal.raise_signal(signal.SIGINT)

runner.execute(stage)
"""
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 128 + signal.SIGINT
    assert done.stderr.startswith("stopped by SIGINT: no incomplete file was left")
    assert "Traceback" not in done.stderr
