"""The TensorFlow operations of `native/`: compiled on this machine, once, when they are first needed."""

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
# Compiled libraries, each named by what it was made of. Every clone and every queued run finds them here, and
# no folder of sources, which DVC hashes, ever holds anything else.
BUILDS = user_cache_path("cae")
# KERNELS are compiled once for each; the processor chooses when the library is loaded.
INSTRUCTIONS: dict[str, list[str]] = {"portable": []}
if platform.machine() == "x86_64":
    INSTRUCTIONS |= {"avx2": ["-mavx2", "-mfma"], "avx512": ["-mavx512f", "-mprefer-vector-width=512"]}
KERNELS = ("convolution.c", "arithmetic.c")
# On which the bits are the same; `arm64` is what macOS calls ARM64.
PROCESSORS = ("x86_64", "aarch64", "arm64")
# No product and sum become one operation, and no sum is reordered, but where the source says so.
FLAGS = (
    *("-std=gnu11", "-O3", "-fPIC", "-fvisibility=hidden"),
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
)


@cache
def operations() -> Any:
    """Return the module of the operations, compiled if this source has not been yet.

    Raises:
        UserError: there is no C compiler, it fails, what it made cannot be written or loaded,
            CAE_INSTRUCTIONS names no set, or the processor is none of PROCESSORS.
    """
    if platform.machine() not in PROCESSORS:
        raise UserError(
            f"This processor is {platform.machine()}, but the C code that trains is for x86-64 and ARM64: "
            "set train.engine to stock in params.yaml"
        )
    asked = os.environ.get("CAE_INSTRUCTIONS")
    if asked is not None and asked not in INSTRUCTIONS:
        raise UserError(f"CAE_INSTRUCTIONS is {asked!r}, but must be one of: {', '.join(INSTRUCTIONS)}")
    path = library()
    if not path.exists():
        build(path)
    try:
        return tf.load_op_library(str(path))
    except tf.errors.NotFoundError as error:
        raise UserError(
            f"{path}, compiled to train, cannot be loaded ({error.message}). If nothing in its folder may be "
            "executed (mounted noexec), name another in the environment variable XDG_CACHE_HOME, or set "
            "train.engine to stock in params.yaml; if the file is damaged, delete it: it is compiled anew"
        ) from error


def get_instruction_set() -> str:
    """Return the name in INSTRUCTIONS of the set that the operations use on this processor."""
    operations()
    name = ctypes.CDLL(str(library())).cae_instructions
    name.restype = ctypes.c_char_p
    return name().decode()


def library() -> Path:
    """Return where the library made of the sources as they are now belongs."""
    sources = b"".join(path.read_bytes() for path in sorted(SOURCES.glob("*.[ch]")))
    settings = repr((command(), INSTRUCTIONS, FLAGS, tf.version.VERSION, sys.version_info[:2])).encode()
    return BUILDS / f"{hashlib.sha256(sources + settings).hexdigest()[:16]}.so"


def build(target: Path) -> None:
    """Compile the operations into `target`, which appears whole or not at all; UserError as `operations`."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            objects = [
                compiled(source, Path(folder) / f"{source}.{name}.o", [f"-DINSTRUCTIONS={name}", *flags])
                for source in KERNELS
                for name, flags in INSTRUCTIONS.items()
            ]
            objects.append(
                compiled("operations.c", Path(folder) / "operations.o", [f"-I{tf.sysconfig.get_include()}"])
            )
            whole = Path(folder) / target.name
            compiler("-shared", *objects, *tf.sysconfig.get_link_flags(), "-lm", "-o", whole)
            whole.replace(target)
    except OSError as error:
        raise UserError(
            f"{target.parent} could not be written ({error.strerror or error}), but what trains is compiled "
            "there: free some space, make the folder writable or name another in the environment variable "
            "XDG_CACHE_HOME, then run again"
        ) from error


def compiled(source: str, target: Path, flags: list[str]) -> Path:
    """Compile one source file and return the object file."""
    compiler(*FLAGS, *flags, "-c", SOURCES / source, "-o", target)
    return target


def command() -> list[str]:
    """Return how to call the C compiler: what the environment variable CC names, or else `cc`."""
    return shlex.split(os.environ.get("CC") or "cc")


def compiler(*arguments: str | Path) -> None:
    """Run the C compiler."""
    whole = [*command(), *map(str, arguments)]
    try:
        subprocess.run(whole, capture_output=True, text=True, check=True)
    except OSError as error:
        raise UserError(
            f"Training is compiled on this machine, but there is no C compiler {whole[0]!r} "
            f"({error.strerror}): install gcc or clang, or name one in the environment variable CC; or set "
            "train.engine to stock in params.yaml, which is slower and needs none"
        ) from error
    except subprocess.CalledProcessError as error:
        raise UserError(f"The C compiler failed: {shlex.join(whole)}\n{error.stderr}") from error
