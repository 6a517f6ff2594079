"""Names for content: the same bytes have the same name, wherever and whenever they are read."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def of_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal digits; OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(files: Iterable[Path], settings: Mapping[str, Any]) -> str:
    """Name the content of files and settings together: 16 hexadecimal digits of a SHA-256."""
    contents = [of_file(path) for path in sorted(files)]
    return hashlib.sha256(json.dumps([contents, settings], sort_keys=True).encode()).hexdigest()[:16]
