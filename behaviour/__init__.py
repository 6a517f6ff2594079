"""What the project computes, as digests: studies and `custom/` depend on them instead of source files.

Each module with a table CASES runs a part of the library on tiny fixed inputs. `python -m behaviour NAME`
writes `behaviour/NAME.json`: a digest for each case, and the sources that it was computed from. An edit that
changes no result changes no digest, so it makes no study stale. To bring the digests up to date:
`cd behaviour && dvc repro`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cae.core import fingerprints

FOLDER = Path("behaviour")
# What decides what a case computes; `stages/runner/inputs.py` compares it with the records of digests.
SOURCES = (
    "behaviour/*.py",
    "cae/**/*.[ch]",
    "cae/**/*.py",
    "requirements.txt",
    "stages/**/*.py",
)
Cases = Mapping[str, Callable[[], Any]]
"""What a digest is called → a function without arguments, whose result `digests.compute_digest` names."""


def hash_sources() -> dict[str, str]:
    """Name the sources as they are now: pattern → fingerprint of the files that it matches."""
    return {pattern: fingerprints.hash_files(pattern) for pattern in SOURCES}
