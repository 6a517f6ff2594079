"""What must be fixed before NumPy and TensorFlow load, so that the same inputs give the same bits.

A stage or a command calls `pin` before anything else, and loads what is heavy with `load`. The library
imported for its own sake changes nothing of its user's; where it promises bytes, it calls `check`.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from cae.core.errors import UserError

VARIABLES = {
    # One thread inside an operation: its sums keep one order whatever the machine has. Parallelism is
    # between operations: the shards of a batch run side by side (cae/engine/steps.py).
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2),
    "OMP_NUM_THREADS": "1",
    # oneDNN's operations are on by default on newer processors only.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # Matrix products are compiled for the machine's instruction set: AVX2 is what x86 machines share.
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ONEDNN_DEFAULT_FPMATH_MODE": "STRICT",
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    # Also keeps Keras's predict from XLA, which would compile for the machine's own instruction set.
    "TF_DETERMINISTIC_OPS": "1",
    "KERAS_BACKEND": "tensorflow",
    # TensorFlow's own lines would bury what the user has to read.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GRPC_VERBOSITY": "ERROR",
}

# What else a shell could change a result with.
UNSET = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "TF_XLA_FLAGS")

_pinned = False


def set_variables() -> None:
    """Fix the environment of this process, before NumPy or TensorFlow loads in it.

    Values a user has set are overwritten on purpose: an `OMP_NUM_THREADS` left over in a shell must not
    change a trained network.

    Raises:
        UserError: NumPy or TensorFlow is loaded already, and has read another environment.
    """
    global _pinned
    if _pinned:
        return
    if early := [name for name in ("numpy", "tensorflow") if name in sys.modules]:
        raise UserError(
            "already loaded, with other settings than those that give the same results on every run: "
            f"{', '.join(early)}. Begin a new process (in a notebook, restart the kernel) and import this "
            "first, or call cae.core.environment.set_variables() there before anything else"
        )
    os.environ.update(VARIABLES)
    for name in UNSET:
        os.environ.pop(name, None)
    _pinned = True


def import_quietly(module: str) -> ModuleType:
    """Import a module that may load TensorFlow, silently, and fix what can be fixed only then."""
    with silence_stderr():
        loaded = import_module(module)
    if _pinned and "tensorflow" in sys.modules:
        configure_tensorflow()
    return loaded


def configure_tensorflow() -> None:
    """Fix the settings of TensorFlow and Keras that results depend on."""
    with silence_stderr():
        import keras
        import tensorflow as tf

        # Looking for GPUs complains where there is none; the answer is kept.
        tf.config.list_physical_devices()
    # A user's own ~/.keras/keras.json may say otherwise.
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    # It reorders additions and moves factors out of sums: a part of a sum would no longer have the bits that
    # it has when another worker computes it.
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    # Advice on how to write graphs is for us, not for who trains.
    tf.get_logger().setLevel("ERROR")


def check() -> None:
    """Refuse to go on where the bytes that are promised would not come out; call it before training.

    Raises:
        UserError: `pin` was not called.
    """
    if not _pinned:
        raise UserError(
            "Training gives the same bytes on every run only if cae.core.environment.set_variables() has "
            "fixed the number of threads and the like: call it before NumPy, Keras or TensorFlow is imported"
        )
    configure_tensorflow()


@contextmanager
def silence_stderr() -> Iterator[None]:
    """Send what compiled code writes to stderr nowhere: TensorFlow's first lines ignore its log level."""
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
