"""The environment is pinned before anything that reads it is loaded, and TensorFlow loads silently."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cae.ground import runtime

ROOT = Path(__file__).parents[2]
BARE = {name: value for name, value in os.environ.items() if name not in runtime.PINNED}
WATCH = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("numpy", "tensorflow"):
            print(name, os.environ.get("ONEDNN_MAX_CPU_ISA"), os.environ.get("OPENBLAS_CORETYPE"))
sys.meta_path.insert(0, Watch())
"""
# Stock Keras and PyTorch are timed as they come: their scripts in benchmarks/ pin nothing.
DOORS = [
    "stages.prepare",
    "stages.train",
    "stages.evaluate",
    "stages.probe",
    "studies.anomaly.score",
    "studies.anomaly.report",
    "studies.anomaly.distribution",
    "studies.recipe.run",
    "benchmarks.run",
    "benchmarks.ours",
]


@pytest.mark.parametrize("module", DOORS)
def test_every_door_pins_the_environment_before_numpy_and_tensorflow_load(module: str) -> None:
    command = [sys.executable, "-c", f"{WATCH}\nimport {module}"]
    done = subprocess.run(command, cwd=ROOT, env=BARE, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["numpy AVX2 Haswell", "tensorflow AVX2 Haswell"]
    assert done.stderr == ""


def test_what_a_user_has_set_is_overwritten() -> None:
    command = [sys.executable, "-c", "import cae, os; print(os.environ['OMP_NUM_THREADS'])"]
    environment = BARE | {"OMP_NUM_THREADS": "7"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_silenced_lets_python_errors_through() -> None:
    with pytest.raises(ZeroDivisionError), runtime.silenced():
        _ = 1 // 0
