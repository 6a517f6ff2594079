"""The machine in words: what must stand beside a timing, and nothing that names a host."""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from benchmarks import worker

PACKAGES = ("tensorflow", "keras", "numpy", "torch")
INSTRUCTION_SETS = ("avx2", "avx512f")


def description() -> dict[str, Any]:
    """Describe processor, memory, versions, and how busy the machine is before the benchmark starts."""
    processor = fields(Path("/proc/cpuinfo"))
    flags = processor.get("flags", "").split()
    memory = fields(Path("/proc/meminfo")).get("MemTotal", "0 kB")
    return {
        "processor": processor.get("model name", platform.machine()),
        "instruction_sets": [name for name in INSTRUCTION_SETS if name in flags],
        "cores": worker.cores(),
        "memory_gib": round(int(memory.split()[0]) / 2**20, 1),
        "system": platform.system(),
        "versions": {"python": platform.python_version()} | versions(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Look up the versions of the libraries that are compared, as far as they are installed."""
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed


def fields(path: Path) -> dict[str, str]:
    """Read the first paragraph of a `name : value` file; {} where there is no such file."""
    if not path.exists():
        return {}
    lines = path.read_text().partition("\n\n")[0].splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}
