"""Run the tests of the C code under AddressSanitizer and UndefinedBehaviorSanitizer.

`python -m checks.sanitize` runs them once for every instruction set of this processor. If a sanitizer reports
an error, it is printed and the exit code is 1. Needs Linux and gcc. Further arguments go to pytest, as in
`-k upsampling`.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from cae.core.errors import UserError

ROOT = Path(__file__).parents[1]
# The tests that call the operations. The others in these files are about the compiler, or start processes to
# try every instruction set, as this script does.
TESTS = ("tests/engine/test_forward.py", "tests/engine/test_operations.py")
CHOSEN = ("-m", "not slow", "-k", "test_forward or refused")
# The sets of cae.engine.operations, and their flags in /proc/cpuinfo. AddressSanitizer does not see masked
# accesses, which the AVX code uses at the ends of rows; `portable` uses none.
INSTRUCTIONS = {"portable": "", "avx2": "avx2 fma", "avx512": "avx2 fma avx512f"}
# Optimized code would take minutes to compile and leave out reads whose result is not used.
FLAGS = ("-g", "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all", "-O0")


def main() -> int:
    """Run the tests with each instruction set; reports of the sanitizers go to the standard error."""
    failed = False
    for name in available(Path("/proc/cpuinfo").read_text()):
        print(f"{name}:", flush=True)
        failed |= run(ROOT, name, *sys.argv[1:]) != 0
    return int(failed)


def available(processor: str) -> list[str]:
    """List the instruction sets of a processor, given the content of /proc/cpuinfo."""
    return [name for name, needed in INSTRUCTIONS.items() if set(needed.split()) <= set(processor.split())]


def run(root: Path, instructions: str, *arguments: str) -> int:
    """Test the clone `root` with one instruction set; return pytest's exit code."""
    # Captured output would be lost when a sanitizer ends the process.
    options = ("--numprocesses=0", "--capture=no", *CHOSEN)
    command = [sys.executable, "-m", "pytest", *options, *TESTS, *arguments]
    with tempfile.TemporaryDirectory(prefix="sanitize-") as folder:
        settings = environment(root, Path(folder)) | {"CAE_INSTRUCTIONS": instructions}
        return subprocess.run(command, cwd=root, env=settings, check=False).returncode


def environment(root: Path, folder: Path) -> dict[str, str]:
    """Return the environment in which the operations are built, in `folder`, with the sanitizers."""
    native, header = root / "cae/engine/native", root / "checks/sanitize.h"
    flags = shlex.join([*FLAGS, "-isystem", str(native), "-include", str(header)])
    return os.environ | {
        # The flags come last, to override -O3; LD_PRELOAD is for Python, not for the compiler.
        "CC": shlex.join(["sh", "-c", f'LD_PRELOAD= exec gcc "$@" {flags}', "gcc"]),
        # Other runs must not use what is compiled here.
        "XDG_CACHE_HOME": str(folder),
        # Python links neither; AddressSanitizer must be loaded first, and needs the exceptions of C++.
        "LD_PRELOAD": f"{runtime('libasan.so')} {runtime('libstdc++.so')}",
        # Python and TensorFlow do not free all their memory.
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def runtime(name: str) -> Path:
    """Return the path of a library of gcc; UserError if there is no gcc, or it was installed without."""
    command = ["gcc", f"-print-file-name={name}"]
    try:
        path = Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
    except OSError as error:
        raise UserError(
            f"There is no compiler 'gcc' ({error.strerror}), whose sanitizers are used"
        ) from error
    if not path.is_absolute():
        raise UserError(f"gcc has no {name}: install its sanitizers")
    return path


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"error: {error}")
