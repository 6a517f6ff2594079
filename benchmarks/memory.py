"""Peak memory and time of the commands on own pictures, of 16 times as many: `python -m benchmarks.memory`.

Writes memory.csv, in some minutes on two cores. Peaks are read from /proc, which Linux alone has.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

# Pins the environment, before NumPy loads.
import stages  # noqa: F401

# isort: split
import numpy as np
import pandas as pd
import yaml
from PIL import Image

from benchmarks import markdown
from benchmarks.processes import ENVIRONMENT, ROOT, FailedError, memory
from cae.core import files
from cae.core.errors import UserError
from stages import command

RESULTS = Path("benchmarks/memory.csv")
PICTURES, TIMES = 1_000, 16
SIDE = 64
# Training and validation work on 2,000 pieces at once: the fewer pictures must fill these calls as well, or
# the more ones would take more memory for that alone. So a picture gives nine pieces.
CHANGES: Mapping[str, Mapping[str, object]] = {
    "data": {"tiles": {"size": 28, "stride": 18}},
    "split": {"train": 0.6, "validation": 0.25, "threshold": 0.05, "test": 0.1},
    "train": {"epochs": 1},
}
# Seconds between two looks at a command's memory: some of its peaks are short.
LOOK = 0.02
MEASURED = ("seconds", "anonymous", "resident")
HEADER = (
    "seconds",
    "times, at most 20",
    "peak memory, MiB",
    "times, at most 1.2",
    "with mapped files, MiB",
    "times",
)


class Cost(NamedTuple):
    """What a command took: bytes of memory, each at its own peak, of the largest of its processes."""

    seconds: float
    # What it needs.
    anonymous: int
    # With the pages of mapped files that it happened to keep.
    resident: int


def main() -> None:
    """Run every command on many pictures and on few, and write what each took."""
    if not memory(os.getpid()):
        raise UserError("the peak of a process's memory is read from /proc: run this on Linux")
    rows = []
    # The many first: whatever a first run on this machine has to compile or load does not help them.
    for pictures in (PICTURES * TIMES, PICTURES):
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder)
            begin(project, pictures)
            for name, arguments in commands(project).items():
                cost = measured(arguments)
                print(f"{name}, {pictures:,} pictures: {cost.seconds:.0f} s", file=sys.stderr, flush=True)
                rows.append({"command": name, "pictures": pictures, **cost._asdict()})
    table = pd.DataFrame(rows).sort_values("pictures", kind="stable").round({"seconds": 2})
    files.write_csv(RESULTS, table)
    print(compared(table))


def begin(project: Path, pictures: int) -> None:
    """Make a project like own/, with its pictures."""
    # It lies elsewhere, and depends on the same digests.
    declared = (ROOT / "own/dvc.yaml").read_text().replace("../behaviour/", f"{ROOT}/behaviour/")
    (project / "dvc.yaml").write_text(declared)
    settings = yaml.safe_load((ROOT / "own/params.yaml").read_text())
    for section, values in CHANGES.items():
        settings[section] |= values
    (project / "params.yaml").write_text(yaml.safe_dump(settings))
    draw(project / settings["data"]["source"], pictures)


def draw(folder: Path, pictures: int) -> None:
    """Draw grey PNGs, uint8 (SIDE, SIDE): a slope, a square and noise."""
    folder.mkdir()
    draws = np.random.default_rng(1)
    rows, columns = np.indices((SIDE, SIDE))
    for index in range(pictures):
        levels = rows * draws.random() + columns * draws.random() + draws.integers(0, 16, rows.shape)
        top, left = draws.integers(0, SIDE - 16, 2)
        levels[top : top + 16, left : left + 16] += 90
        Image.fromarray(levels.astype(np.uint8)).save(folder / f"{index:06}.png")


def commands(project: Path) -> Mapping[str, Sequence[str]]:
    """Return what is run on a project, by its name and in this order: the second trains for the others."""
    score = ["--out", f"{project / 'scores.csv'}", "--model", f"{project / 'models/autoencoder.keras'}"]
    return {
        "own.prepare": ["own", "prepare", f"{project}"],
        "own.train": ["own", "train", f"{project}"],
        "own.evaluate": ["own", "evaluate", f"{project}"],
        "own.probe": ["own", "probe", f"{project}"],
        "own.detect": ["own", "detect", f"{project}"],
        "cae score": ["cae", "score", f"{project / 'images'}", *score],
    }


def measured(arguments: Sequence[str]) -> Cost:
    """Run `python -m` with some arguments and watch what it takes; FailedError where it fails."""
    peaks = {"anonymous": 0, "resident": 0}
    start = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=ROOT, env=ENVIRONMENT, stdout=said, stderr=said
        ) as process,
    ):
        while process.poll() is None:
            for member in family(process.pid):
                for name, value in memory(member).items():
                    peaks[name] = max(value, peaks[name])
            time.sleep(LOOK)
        seconds = time.perf_counter() - start
        said.seek(0)
        lines = said.read().split("\n")
    if process.returncode:
        raise FailedError(next((line for line in reversed(lines) if line), f"exit code {process.returncode}"))
    return Cost(seconds, **peaks)


def family(process: int) -> Iterator[int]:
    """Yield a process and those that descend from it, as far as they still live."""
    yield process
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        # A thread or a process may end between two looks.
        with suppress(OSError):
            for child in children.read_text().split():
                yield from family(int(child))


def compared(table: pd.DataFrame) -> str:
    """Compare what each command took of few pictures and of many, as Markdown; in MiB where it is memory."""
    few, many = table["pictures"].min(), table["pictures"].max()
    rows = []
    for name in table["command"].unique():
        of_name = table[table["command"] == name].set_index("pictures")
        cells = [f"`{name}`"]
        for kind, unit in zip(MEASURED, (1, 2**20, 2**20), strict=True):
            before, after = of_name.loc[few, kind], of_name.loc[many, kind]
            cells += [f"{before / unit:,.0f} → {after / unit:,.0f}", f"{after / before:.2f}"]
        rows.append(cells)
    return markdown.table([f"{few:,} → {many:,} pictures", *HEADER], rows)


if __name__ == "__main__":
    command.run(main)
