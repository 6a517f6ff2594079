"""Short names of results: two have the same digest only if they agree to the last bit."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from behaviour import Cases
from cae.core import fingerprints


def compute_digests(cases: Cases) -> dict[str, str]:
    """Compute every case and name its result."""
    return {name: compute_digest(compute()) for name, compute in cases.items()}


def compute_digest(result: Any) -> str:
    """Name a result by 16 hexadecimal digits of a SHA-256.

    Results are None, bool, int, float, str, bytes, NumPy arrays and scalars, pandas tables, and lists, tuples
    and dictionaries of results. Anything else raises TypeError.
    """
    return fingerprints.hash_values({"result": describe(result)})


def describe(result: Any) -> Any:
    """Describe a result without loss in what JSON can hold; a list begins with the kind of what it holds."""
    match result:
        case np.generic():
            return describe(result.item())
        case None | bool() | int() | str():
            return result
        case float():
            return ["float", result.hex()]
        case bytes():
            return ["bytes", hashlib.sha256(result).hexdigest()]
        case np.ndarray():
            values = describe(result.tolist() if result.dtype.hasobject else result.tobytes())
            return ["array", str(result.dtype), list(result.shape), values]
        case pd.DataFrame():
            columns = [[str(name), column.tolist()] for name, column in result.items()]
            return ["table", describe(columns), describe(result.index.tolist())]
        case Mapping():
            items = sorted(result.items(), key=lambda item: str(item[0]))
            return ["dict", *([describe(key), describe(value)] for key, value in items)]
        case list() | tuple():
            return ["list", *map(describe, result)]
        case _ if result is pd.NA:
            return ["missing"]
    raise TypeError(f"{type(result).__name__} has no digest")
