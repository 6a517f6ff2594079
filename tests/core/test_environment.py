"""The environment is set before NumPy and TensorFlow read it; TensorFlow is imported late and silently."""

import os
import subprocess
import sys

import pytest

from cae.core import environment
from tests import ROOT

SHELL = {name: value for name, value in os.environ.items() if name not in environment.VARIABLES}
# Reports the environment when NumPy or TensorFlow is about to be imported, and ends the process.
REPORT = """
import os, sys
class Report:
    def find_spec(self, name, path=None, target=None):
        if name in ("numpy", "tensorflow"):
            names = "OMP_NUM_THREADS", "ONEDNN_MAX_CPU_ISA", "TF_XLA_FLAGS"
            print(*(os.environ.get(name) for name in names), flush=True)
            os._exit(0)
sys.meta_path.insert(0, Report())
"""


def run_python(program: str, **variables: str) -> str:
    """Run a program in a process whose environment nobody has set, and return what it prints."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=ROOT, env=SHELL | variables, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("module", ["stages.runner", "cae.cli"])
def test_the_environment_is_set_before_numpy_and_tensorflow_are_imported(module: str) -> None:
    program = f"{REPORT}\nimport {module}, numpy"
    found = run_python(program, OMP_NUM_THREADS="7", TF_XLA_FLAGS="--tf_xla_auto_jit=2")
    assert found == "1 AVX2 None\n"


def test_the_runner_and_the_data_sets_are_imported_without_tensorflow() -> None:
    program = "import sys, stages.runner, cae.datasets.prepared; print('tensorflow' in sys.modules)"
    assert run_python(program) == "False\n"


def test_tensorflow_is_imported_silently_and_configured() -> None:
    program = """
import os, sys
os.dup2(1, 2)
import stages.runner
from cae.core import environment
environment.import_quietly("cae.engine.training")
import tensorflow as tf
print(tf.config.optimizer.get_experimental_options()["arithmetic_optimization"])
"""
    assert run_python(program) == "False\n"


def test_a_process_of_a_users_own_is_left_alone_but_cannot_train() -> None:
    program = """
import os
from cae.core import environment
before = {name: os.environ.get(name) for name in environment.VARIABLES}
with environment.silence_stderr():
    from cae.engine import engine, steps
    from cae.networks import tasks
    import keras
# Keras and TensorFlow set some themselves.
names = set(environment.VARIABLES) - {"KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL"}
print([name for name in names if os.environ.get(name) != before[name]])
network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
task = tasks.reconstruct(network, engine.choose_engine("fast"), "cross_entropy")
for attempt in (
    environment.set_variables,
    lambda: steps.Steps(task, keras.optimizers.Adam(), shards=1),
):
    try:
        attempt()
    except environment.UserError as error:
        print(error)
"""
    unchanged, too_late, not_set = run_python(program, OMP_NUM_THREADS="7").splitlines()
    assert unchanged == "[]"
    assert "numpy and tensorflow was imported before the environment variables were set" in too_late
    assert "call cae.core.environment.set_variables() before NumPy, Keras or TensorFlow" in not_set


def test_an_error_passes_through_silence() -> None:
    with pytest.raises(ZeroDivisionError), environment.silence_stderr():
        _ = 1 // 0
