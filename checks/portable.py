"""Train every network on processors of several makers and compare the results: make portable.

The trainings of `behaviour.steps` run on this machine and, emulated by QEMU, on x86-64 processors of two
makers and on ARM64. The exit code is 0 if weights, losses, Adam's state and saved models are the same bytes
on all of them. Python for ARM64, from Debian, and its packages of requirements.txt are downloaded once.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_cache_path

from cae.core.errors import UserError

ROOT = Path(__file__).parents[1]
CACHE = user_cache_path("cae") / "portable"
PROGRAMS = ("apt-get", "dpkg", "qemu-x86_64", "qemu-aarch64", "aarch64-linux-gnu-gcc")
# Without its C library, which apt-get only recommends, the compiler compiles nothing.
INSTALL = "apt-get install qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
# The C libraries, by version, that wheels are made for; Debian's is as new as the newest of them.
GLIBC = range(36, 16, -1)
# Network → result of its training (weights, losses, optimizer, model) → digest.
Digests = Mapping[str, Mapping[str, str]]


class Processor(NamedTuple):
    """A processor, and how Python is started on it."""

    name: str
    python: tuple[str, ...]
    environment: Mapping[str, str] = {}


NATIVE = Processor("this machine", (sys.executable,))
# Both have AVX2 and FMA. They differ in maker, model and caches, from which libraries choose how to compute.
INTEL = Processor("Intel Haswell", ("qemu-x86_64", "-cpu", "Haswell", sys.executable))
AMD = Processor("AMD EPYC", ("qemu-x86_64", "-cpu", "EPYC", sys.executable))
# The newest instructions that QEMU has, and those of a processor that servers have.
ARM = {"ARM64 with all instructions": "max", "ARM Neoverse N1": "neoverse-n1"}


def main() -> int:
    """Train on every processor, as many at a time as there are cores; compare; print what differs."""
    check_programs()
    folder = prepare_arm()
    # The slowest first, so that no core is idle at the end.
    processors = [
        *(make_arm_processor(name, model, folder) for name, model in ARM.items()),
        INTEL,
        AMD,
        NATIVE,
    ]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        trained = list(pool.map(try_to_train, processors))
    results = {processor.name: digests for processor, digests in zip(processors, trained, strict=True)}
    native = results.pop(NATIVE.name)
    if not native:
        return 1
    differences = compare(native, results)
    if differences:
        print(f"not the same bytes as on {NATIVE.name}:", *differences, sep="\n  ")
        return 1
    print(f"{len(native)} networks: the same bytes on {', '.join([NATIVE.name, *results])}")
    return 0


def check_programs() -> None:
    """Raise UserError if this machine cannot emulate the others; say what to install."""
    if platform.machine() != "x86_64":
        raise UserError(f"this processor is {platform.machine()}, but the others are emulated on x86-64 only")
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise UserError(f"no {', no '.join(missing)} on this machine. On Debian, as root: {INSTALL}")


def try_to_train(processor: Processor) -> Digests:
    """Train on a processor; if that fails, print why and return no digests, so that the others go on."""
    try:
        return train(processor)
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        return {}


def train(processor: Processor, *networks: str) -> Digests:
    """Train networks, by default all, on a processor; print how long it took."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="portable-") as folder:
        out = Path(folder) / "digests.json"
        chosen = ("--networks", *networks) if networks else ()
        command = (*processor.python, "-m", "behaviour.steps", *chosen, "--out", str(out))
        run(f"training on {processor.name}", command, processor.environment)
        digests: Digests = json.loads(out.read_text())
    print(f"{processor.name}: {time.monotonic() - start:.0f} s", flush=True)
    return digests


def compare(native: Digests, results: Mapping[str, Digests]) -> list[str]:
    """List what differs, as `processor: network: part, part`."""
    differences = []
    for processor, digests in results.items():
        if not digests:
            differences.append(f"{processor}: nothing was trained")
            continue
        for network in sorted(native.keys() | digests.keys()):
            here, there = native.get(network, {}), digests.get(network, {})
            parts = [part for part in sorted(here.keys() | there.keys()) if here.get(part) != there.get(part)]
            if parts:
                differences.append(f"{processor}: {network}: {', '.join(parts)}")
    return differences


def make_arm_processor(name: str, model: str, folder: Path) -> Processor:
    """Return an ARM64 processor that runs the Python in `folder`, prepared by `prepare_arm`."""
    root = folder / "root"
    python = ("qemu-aarch64", "-L", str(root), "-cpu", model, str(root / "usr/bin/python3"))
    # QEMU starts the compiler, a program of this machine, as it is.
    return Processor(name, python, {"PYTHONPATH": str(folder / "packages"), "CC": "aarch64-linux-gnu-gcc"})


def prepare_arm() -> Path:
    """Return the folder with an ARM64 Python and its packages; download them if the pins have changed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = select_pins((ROOT / "requirements.txt").read_text(), project["dependencies"])
    folder = CACHE / hashlib.sha256(pins.encode()).hexdigest()[:16]
    if not folder.exists():
        print(f"downloading Python and TensorFlow for ARM64, once, to {folder}", flush=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            whole = Path(scratch) / "whole"
            unpack_python(whole / "root", Path(scratch) / "apt")
            install_packages(whole, pins)
            # Renamed at the end, so that a download that was stopped starts again.
            whole.rename(folder)
    return folder


def select_pins(requirements: str, wanted: list[str]) -> str:
    """Return the lines of a requirements file that pin some packages and their dependencies.

    Below each package, after `via`, the file names the packages that need it.
    """
    blocks = re.findall(r"^\w.*\n(?:    .*\n)*", requirements, re.M)
    # A package may have several pins, for different versions of Python.
    pins = [(re.split("[=<> ]", block)[0], block) for block in blocks]
    chosen: set[str] = set()
    more = {re.split("[=<> ]", name)[0] for name in wanted}
    while more - chosen:
        chosen |= more
        more = {name for name, pin in pins if chosen & set(re.findall(r"^    # (?:via)? +(\S+)$", pin, re.M))}
    return "".join(pin for name, pin in pins if name in chosen)


def unpack_python(root: Path, apt: Path) -> None:
    """Download Debian's Python for ARM64 with its dependencies and unpack it, without root rights."""
    for state in ("lists/partial", "cache/archives/partial"):
        (apt / state).mkdir(parents=True)
    # As if nothing were installed: the packages of this machine are for another processor.
    (apt / "status").touch()
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "Dir::State::Lists": f"{apt}/lists",
        "Dir::State::status": f"{apt}/status",
        "Dir::Cache": f"{apt}/cache",
        "Debug::NoLocking": "1",
    }
    apt_get = ("apt-get", "-qq", *(f"-o={name}={value}" for name, value in options.items()))
    run("reading Debian's list of packages", (*apt_get, "update"))
    packages = ("python3", "libgomp1", "libstdc++6")
    install = ("install", "--download-only", "--yes", "--no-install-recommends", *packages)
    run("downloading Debian's packages", (*apt_get, *install))
    root.mkdir(parents=True)
    for package in sorted((apt / "cache/archives").glob("*.deb")):
        run(f"unpacking {package.name}", ("dpkg", "-x", str(package), str(root)))
    # Since Debian 13 everything is in /usr, but programs look in /lib.
    if not (root / "lib").exists():
        (root / "lib").symlink_to("usr/lib")


def install_packages(folder: Path, pins: str) -> None:
    """Install pinned packages, checked by their hashes, into the folder of the ARM64 Python."""
    (folder / "requirements.txt").write_text(pins)
    version = (folder / "root/usr/bin/python3").readlink().name.removeprefix("python")
    platforms = [f"manylinux_2_{minor}_aarch64" for minor in GLIBC] + ["manylinux2014_aarch64"]
    command = (
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--require-hashes", "--no-deps", "--only-binary=:all:", "--python-version", version),
        *(f"--platform={name}" for name in platforms),
        *("--target", str(folder / "packages"), "-r", str(folder / "requirements.txt")),
    )
    run("installing packages for ARM64", command)


def run(action: str, command: tuple[str, ...], environment: Mapping[str, str] | None = None) -> None:
    """Run a command in the project's folder; if it fails, UserError with its last lines of output."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | (environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        # QEMU prints in every thread which features of a processor it does not emulate.
        lines = [line for line in done.stdout.splitlines() if "TCG doesn't support" not in line]
        raise UserError("\n".join([f"{action} failed with exit code {done.returncode}:", *lines[-20:]]))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"error: {error}")
