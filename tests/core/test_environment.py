"""The environment is pinned before anything that reads it is loaded, and TensorFlow loads silently."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cae.core import environment

ROOT = Path(__file__).parents[2]
BARE = {name: value for name, value in os.environ.items() if name not in environment.VARIABLES}
WATCH = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("numpy", "tensorflow"):
            print(name, os.environ.get("ONEDNN_MAX_CPU_ISA"), os.environ.get("OPENBLAS_CORETYPE"))
sys.meta_path.insert(0, Watch())
"""
# Stock Keras and PyTorch are timed as they come: their scripts in benchmarks/ pin nothing.
PINNED = ("stages", "own", "studies", "cae.cli", "benchmarks.ours")
LIGHT = (
    "stages.prepare",
    "own.prepare",
    "studies.anomaly.report",
    "studies.denoising.report",
    "studies.denoising.tune",
    "studies.rate.report",
    "studies.seeds.report",
)


@pytest.mark.parametrize("module", PINNED)
def test_the_environment_is_pinned_before_numpy_and_tensorflow_load(module: str) -> None:
    command = [sys.executable, "-c", f"{WATCH}\nimport {module}, numpy, tensorflow"]
    done = subprocess.run(command, cwd=ROOT, env=BARE, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.splitlines()) == ["numpy AVX2 Haswell", "tensorflow AVX2 Haswell"]


@pytest.mark.parametrize("module", LIGHT)
def test_a_stage_that_trains_nothing_starts_without_tensorflow(module: str) -> None:
    assert python(f"import {module}, sys; print('tensorflow' in sys.modules)") == "False\n"


@pytest.mark.parametrize("stage", ["train", "evaluate"])
def test_a_wrong_parameter_is_told_before_anything_heavy_is_imported(stage: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("train: {epochs: 0}")
    program = f"""
import os, sys, runpy
sys.path.insert(0, {str(ROOT)!r})
os.chdir({str(tmp_path)!r})
sys.argv[1:] = [{stage!r}]
try:
    runpy.run_module("stages", run_name="__main__")
except SystemExit as error:
    print("epochs is 0" in str(error.code), sorted({{"keras", "numpy", "tensorflow"}} & set(sys.modules)))
"""
    assert python(program) == "True []\n"


def test_loading_a_module_that_needs_tensorflow_is_silent_and_configures_it() -> None:
    program = """
import stages
from cae.core import environment
environment.import_quietly("cae.engine.training")
import tensorflow as tf
print(tf.config.optimizer.get_experimental_options()["arithmetic_optimization"])
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=BARE, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


def python(program: str, **environment: str) -> str:
    """Run a program in a process that nobody has pinned, and return what it prints."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=ROOT, env=BARE | environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_pinning_overwrites_what_a_user_has_set() -> None:
    program = "import stages, os; print(os.environ['OMP_NUM_THREADS'], os.environ.get('TF_XLA_FLAGS'))"
    assert python(program, OMP_NUM_THREADS="7", TF_XLA_FLAGS="--tf_xla_auto_jit=2") == "1 None\n"


def test_the_library_imported_for_its_own_sake_changes_nothing() -> None:
    program = """
import os
before = dict(os.environ)
from cae.core import errors, params, environment
from cae.networks import convolutional
changed = {name for name, value in os.environ.items() if before.get(name) != value}
# TensorFlow and Keras set some of their own.
print(sorted(changed & set(environment.VARIABLES)))
"""
    assert python(program, OMP_NUM_THREADS="7") == "[]\n"


def test_what_promises_bytes_refuses_where_nothing_is_pinned() -> None:
    program = """
import keras
from cae.engine.engine import choose_engine
from cae.networks import tasks
from cae.engine.steps import Steps
from cae.core.errors import UserError
network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
try:
    Steps(tasks.reconstruct(network, choose_engine("fast"), "cross_entropy"), keras.optimizers.Adam(), shards=1)
except UserError as error:
    print(error)
"""
    assert (
        "call cae.core.environment.set_variables() before NumPy, Keras or TensorFlow is imported"
        in python(program)
    )


@pytest.mark.parametrize("early", ["numpy", "tensorflow"])
def test_pinning_too_late_is_an_error(early: str) -> None:
    program = f"""
import {early}
from cae.core import environment
from cae.core.errors import UserError
try:
    environment.set_variables()
except UserError as error:
    print(error)
"""
    printed = python(program)
    assert re.search(rf"same results on every run: .*{early}\. Begin", printed)
    assert "restart the kernel" in printed


def test_silenced_lets_python_errors_through() -> None:
    with pytest.raises(ZeroDivisionError), environment.silence_stderr():
        _ = 1 // 0
