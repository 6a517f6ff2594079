"""The TensorFlow operations of `cae/native/`: compiled on this machine, once, when they are first needed."""

import hashlib
import os
import platform
import shlex
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import tensorflow as tf

from cae.errors import UserError

SOURCES = Path(__file__).with_name("native")
# Compiled libraries, each named by what it was made of.
BUILDS = SOURCES / "build"
# `convolution.c` is compiled once for each; the processor chooses when the library is loaded.
INSTRUCTIONS = {"portable": []} | (
    {"avx2": ["-mavx2", "-mfma"], "avx512": ["-mavx512f"]} if platform.machine() == "x86_64" else {}
)
# No product and sum become one operation, and no sum is reordered, but where the source says so.
FLAGS = ("-std=gnu11", "-O3", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")


@cache
def operations() -> Any:
    """Return the module of the operations, compiled if this source has not been yet.

    Raises:
        UserError: there is no C compiler, it fails, or the folder cannot be written.
    """
    sources = b"".join(path.read_bytes() for path in sorted(SOURCES.glob("*.[ch]")))
    made_of = hashlib.sha256(sources + repr((INSTRUCTIONS, FLAGS, tf.version.VERSION)).encode())
    library = BUILDS / f"{made_of.hexdigest()[:16]}.so"
    if not library.exists():
        build(library)
    return tf.load_op_library(str(library))


def build(library: Path) -> None:
    """Compile the operations into `library`, which appears whole or not at all."""
    try:
        library.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            objects = [
                compiled("convolution.c", Path(folder) / f"{name}.o", [f"-DINSTRUCTIONS={name}", *flags])
                for name, flags in INSTRUCTIONS.items()
            ]
            objects.append(
                compiled("operations.c", Path(folder) / "operations.o", [f"-I{tf.sysconfig.get_include()}"])
            )
            whole = Path(folder) / library.name
            compiler("-shared", *objects, *tf.sysconfig.get_link_flags(), "-lm", "-o", whole)
            whole.replace(library)
    except OSError as error:
        raise UserError(f"{library.parent} could not be written: {error.strerror or error}.") from error


def compiled(source: str, target: Path, flags: list[str]) -> Path:
    """Compile one source file and return the object file."""
    compiler(*FLAGS, *flags, "-c", SOURCES / source, "-o", target)
    return target


def compiler(*arguments: str | Path) -> None:
    """Run the C compiler, the one that the environment variable CC names or else `cc`."""
    command = [*shlex.split(os.environ.get("CC", "cc")), *map(str, arguments)]
    try:
        subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise UserError(
            f"Training is compiled on this machine, but there is no C compiler {command[0]!r}: "
            "install gcc or clang, or name one in the environment variable CC"
        ) from error
    except subprocess.CalledProcessError as error:
        raise UserError(f"The C compiler failed: {shlex.join(command)}\n{error.stderr}") from error
