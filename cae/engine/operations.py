"""The TensorFlow operations in C, from `native/`: compiled once on each machine, when first needed."""

import ctypes
import hashlib
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import tensorflow as tf
from platformdirs import user_cache_path

from cae.core.errors import UserError

SOURCES = Path(__file__).with_name("native")
# Compiled libraries, named by a hash of what they are compiled from: every clone and every queued run finds
# them here.
LIBRARIES = user_cache_path("cae")
# KERNELS are compiled once for each instruction set; which one is used is decided when the library is loaded.
INSTRUCTIONS: dict[str, list[str]] = {"portable": []}
if platform.machine() == "x86_64":
    INSTRUCTIONS |= {"avx2": ["-mavx2", "-mfma"], "avx512": ["-mavx512f", "-mprefer-vector-width=512"]}
KERNELS = ("convolution.c", "arithmetic.c")
# Processors that give the same bits; macOS calls ARM64 `arm64`.
PROCESSORS = ("x86_64", "aarch64", "arm64")
# The compiler may neither fuse a product with a sum nor reorder sums.
FLAGS = (
    *("-std=gnu11", "-O3", "-fPIC", "-fvisibility=hidden"),
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
)


@cache
def load_operations() -> Any:
    """Return the module of the operations; compile them if no library of these sources exists.

    Raises:
        UserError: there is no C compiler, compiling fails, the library cannot be written or loaded,
            CAE_INSTRUCTIONS names no instruction set, or the processor is none of PROCESSORS.
    """
    if platform.machine() not in PROCESSORS:
        raise UserError(
            f"This processor is {platform.machine()}, but the C code for training is for x86-64 and ARM64: "
            "set train.engine to stock in params.yaml"
        )
    instructions = os.environ.get("CAE_INSTRUCTIONS")
    if instructions is not None and instructions not in INSTRUCTIONS:
        raise UserError(
            f"CAE_INSTRUCTIONS is {instructions!r}, but must be one of: {', '.join(INSTRUCTIONS)}"
        )
    path = get_library_path()
    if not path.exists():
        compile_library(path)
    try:
        return tf.load_op_library(str(path))
    except tf.errors.NotFoundError as error:
        raise UserError(
            f"{path}, compiled for training, cannot be loaded ({error.message}). If its file system does not "
            "allow programs (mounted noexec), set the environment variable XDG_CACHE_HOME to another folder, "
            "or set train.engine to stock in params.yaml; if the file is damaged, delete it: it will be "
            "compiled again"
        ) from error


def get_instruction_set() -> str:
    """Return the name in INSTRUCTIONS of the instruction set that the operations use on this processor."""
    load_operations()
    name = ctypes.CDLL(str(get_library_path())).cae_instructions
    name.restype = ctypes.c_char_p
    return name().decode()


def get_library_path() -> Path:
    """Return the path of the library, whose name is a hash of the sources, the compiler and the versions."""
    sources = b"".join(path.read_bytes() for path in sorted(SOURCES.glob("*.[ch]")))
    settings = (get_compiler(), INSTRUCTIONS, FLAGS, tf.version.VERSION, sys.version_info[:2])
    return LIBRARIES / f"{hashlib.sha256(sources + repr(settings).encode()).hexdigest()[:16]}.so"


def compile_library(path: Path) -> None:
    """Compile the operations into `path`, atomically; raises as `load_operations`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as name:
            folder = Path(name)
            tensorflow = [f"-I{tf.sysconfig.get_include()}"]
            sources = [("operations", "operations.c", tensorflow)] + [
                (f"{source}.{instructions}", source, [f"-DINSTRUCTIONS={instructions}", *flags])
                for source in KERNELS
                for instructions, flags in INSTRUCTIONS.items()
            ]
            for target, source, flags in sources:
                run_compiler(*FLAGS, *flags, "-c", SOURCES / source, "-o", folder / f"{target}.o")
            objects = [folder / f"{target}.o" for target, _, _ in sources]
            library = folder / path.name
            run_compiler("-shared", *objects, *tf.sysconfig.get_link_flags(), "-lm", "-o", library)
            library.replace(path)
    except OSError as error:
        raise UserError(
            f"{path.parent} could not be written ({error.strerror or error}), where the C code for training "
            "is compiled: free some space, make the folder writable or set the environment variable "
            "XDG_CACHE_HOME to another folder, then run again"
        ) from error


def get_compiler() -> list[str]:
    """Return the command of the C compiler: the environment variable CC, or `cc`."""
    return shlex.split(os.environ.get("CC") or "cc")


def run_compiler(*arguments: str | Path) -> None:
    """Run the C compiler."""
    command = [*get_compiler(), *map(str, arguments)]
    try:
        subprocess.run(command, capture_output=True, text=True, check=True)
    except OSError as error:
        raise UserError(
            f"Training needs a C compiler, but there is no C compiler {command[0]!r} ({error.strerror}): "
            "install gcc or clang, or set the environment variable CC to one; or set train.engine to stock "
            "in params.yaml, which is slower and needs none"
        ) from error
    except subprocess.CalledProcessError as error:
        raise UserError(f"The C compiler failed: {shlex.join(command)}\n{error.stderr}") from error
