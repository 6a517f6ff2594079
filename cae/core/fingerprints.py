"""Names for content: the same bytes have the same name, wherever and whenever they are read."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal digits; OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_values(content: Mapping[str, Any]) -> str:
    """Name what JSON can hold by 16 hexadecimal digits of a SHA-256, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def hash_files(pattern: str) -> str:
    """Name the places and the content of all files here that a pattern such as `cae/**/*.py` matches."""
    files = sorted(path for path in Path().glob(pattern) if path.is_file())
    return hash_values({path.as_posix(): hash_file(path) for path in files})
