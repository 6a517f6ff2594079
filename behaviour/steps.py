"""Name each part of what training makes of every network: python -m behaviour.steps --out FILE.

`make portable` runs this on several processors and compares. What is trained is `behaviour.training`.
"""

import argparse
from pathlib import Path
from typing import Any

from cae.core import environment

# Before NumPy and TensorFlow load. The runner of the stages would do it, too, but needs packages of DVC.
environment.set_variables()

from behaviour import digests
from cae.core import files


def main() -> None:
    """Write {network: {"weights": …, "losses": …, "optimizer": …, "model": …}} to --out."""
    training = environment.import_quietly("behaviour.training")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", choices=training.CASES, default=list(training.CASES))
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    files.write_json(chosen.out, {name: name_parts(training.CASES[name]()) for name in chosen.networks})


def name_parts(result: Any) -> dict[str, str]:
    """Return the digest of each part of what was trained, or of those of several networks."""
    results = result if isinstance(result, list) else [result]
    return {part: digests.compute_digest([one[part] for one in results]) for part in results[0]}


if __name__ == "__main__":
    main()
