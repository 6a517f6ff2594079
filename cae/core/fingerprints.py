"""Hashes of content: equal content has the same hash, whatever its name, place or time."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's content as hexadecimal digits; OSError if it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_values(values: Mapping[str, Any]) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of values that JSON can hold, keys sorted."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def hash_files(pattern: str) -> str:
    """Hash the paths and contents of all files that match a pattern such as `cae/**/*.py`, from here."""
    paths = sorted(path for path in Path().glob(pattern) if path.is_file())
    return hash_values({path.as_posix(): hash_file(path) for path in paths})
