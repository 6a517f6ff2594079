"""The environment that results depend on: what NumPy and TensorFlow read from it, and TensorFlow's options.

NumPy and TensorFlow read environment variables when they are imported. Every stage and command therefore
calls `set_variables` before it imports anything else. Importing the library changes nothing in a user's
process; training calls `check` and refuses to start where the variables are not set.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from cae.core.errors import UserError

VARIABLES = {
    # One thread within an operation, so that its sums keep one order on any machine. Operations run in
    # parallel instead: the shards of a batch (cae/engine/steps.py).
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2),
    "OMP_NUM_THREADS": "1",
    # By default only newer processors use oneDNN's operations.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # Matrix products use the instruction set that all x86 machines share: AVX2.
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ONEDNN_DEFAULT_FPMATH_MODE": "STRICT",
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    # Also keeps Keras's predict from XLA, which would compile for this machine's instruction set.
    "TF_DETERMINISTIC_OPS": "1",
    "KERAS_BACKEND": "tensorflow",
    # Hide TensorFlow's log, which would bury our messages.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GRPC_VERBOSITY": "ERROR",
}
# Removed, because they change results as well.
UNSET = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "TF_XLA_FLAGS")

_variables_are_set = False


def set_variables() -> None:
    """Set the environment variables that results depend on, before NumPy or TensorFlow is imported.

    Values that the user has set are overwritten: an `OMP_NUM_THREADS` left over in a shell must not change a
    trained network.

    Raises:
        UserError: NumPy or TensorFlow is already imported, with other values.
    """
    global _variables_are_set
    if _variables_are_set:
        return
    if imported := [name for name in ("numpy", "tensorflow") if name in sys.modules]:
        raise UserError(
            f"{' and '.join(imported)} was imported before the environment variables were set that give the "
            "same results on every run. Start a new process (in a notebook, restart the kernel) and import "
            "this first, or call cae.core.environment.set_variables() before any other import"
        )
    os.environ.update(VARIABLES)
    for name in UNSET:
        os.environ.pop(name, None)
    _variables_are_set = True


def import_quietly(module: str) -> ModuleType:
    """Import a module without TensorFlow's messages; configure TensorFlow if that imported it."""
    with silence_stderr():
        imported = import_module(module)
    if _variables_are_set and "tensorflow" in sys.modules:
        configure_tensorflow()
    return imported


def configure_tensorflow() -> None:
    """Set the options of TensorFlow and Keras that results depend on."""
    with silence_stderr():
        import keras
        import tensorflow as tf

        # The first look for GPUs prints complaints where there is none.
        tf.config.list_physical_devices()
    # ~/.keras/keras.json may say otherwise.
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    # This optimisation reorders additions: a part of a sum that another worker computes would differ in bits.
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    tf.get_logger().setLevel("ERROR")


def check_variables() -> None:
    """Check that the environment is as training needs it, and configure TensorFlow.

    Raises:
        UserError: `set_variables` was not called.
    """
    if not _variables_are_set:
        raise UserError(
            "Training gives the same bytes on every run only with fixed environment variables, which are not "
            "set: call cae.core.environment.set_variables() before NumPy, Keras or TensorFlow is imported"
        )
    configure_tensorflow()


@contextmanager
def silence_stderr() -> Iterator[None]:
    """Discard what compiled code writes to stderr: TensorFlow's first lines ignore its log level."""
    stderr = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)
