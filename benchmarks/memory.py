"""Peak memory and time of the stages on own images, and on 16 times as many: `python -m benchmarks.memory`.

Writes memory.csv, in some minutes on two cores. Peaks are read from /proc, which Linux alone has.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from PIL import Image

from benchmarks import report
from benchmarks.measure import ROOT, clean_environment, log, read_memory
from cae.core import files
from cae.core.errors import UserError

RESULTS = Path("benchmarks/memory.csv")
IMAGES, TIMES = 1_000, 16
SIDE = 64
# Training and validation work on 2,000 tiles at once: the fewer images must fill these calls as well, or the
# more ones would take more memory for that alone. So an image gives nine tiles.
CHANGES: Mapping[str, Mapping[str, object]] = {
    "data": {"tiles": {"size": 28, "stride": 18}},
    "split": {"train": 0.6, "validation": 0.25, "threshold": 0.05, "test": 0.1},
    "train": {"epochs": 1},
}
COLUMNS = {
    "seconds": ("seconds", 1, "times, at most 20"),
    "anonymous": ("peak memory, MiB", 2**20, "times, at most 1.2"),
    "resident": ("with mapped files, MiB", 2**20, "times"),
}


def main() -> None:
    """Run every command on many images and on few, and write what each took."""
    if not read_memory(os.getpid()):
        raise UserError("the peak of a process's memory is read from /proc: run this on Linux")
    rows = []
    # The many first: what a first run on this machine has to compile must not be counted against the few.
    for images in (IMAGES * TIMES, IMAGES):
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder)
            make_project(project, images)
            for name, arguments in list_commands(project).items():
                rows.append({"command": name, "pictures": images, **measure_command(arguments)})
                log(f"{name}, {images:,} images: {rows[-1]['seconds']:.0f} s")
    table = pd.DataFrame(rows).sort_values("pictures", kind="stable").round({"seconds": 2})
    files.write_csv(RESULTS, table)
    print(report.write_table(compare(table)))


def make_project(project: Path, images: int) -> None:
    """Make a project like custom/, with grey PNGs: a slope, a square and noise."""
    pipeline = yaml.safe_load((ROOT / "custom/dvc.yaml").read_text())
    for stage in pipeline["stages"].values():
        # Without the digests of what the code computes: it may be timed while it is edited.
        stage["params"] = [entry for entry in stage["params"] if isinstance(entry, str)]
    (project / "dvc.yaml").write_text(yaml.safe_dump(pipeline))
    settings = yaml.safe_load((ROOT / "custom/params.yaml").read_text())
    for section, values in CHANGES.items():
        settings[section] |= values
    (project / "params.yaml").write_text(yaml.safe_dump(settings))
    (project / "images").mkdir()
    draws = np.random.default_rng(1)
    rows, columns = np.indices((SIDE, SIDE))
    for index in range(images):
        grey = rows * draws.random() + columns * draws.random() + draws.integers(0, 16, rows.shape)
        top, left = draws.integers(0, SIDE - 16, 2)
        grey[top : top + 16, left : left + 16] += 90
        Image.fromarray(grey.astype(np.uint8)).save(project / "images" / f"{index:06}.png")


def list_commands(project: Path) -> Mapping[str, Sequence[str]]:
    """List what is run on a project, by its name and in this order."""
    stages = ("prepare", "baselines", "train", "evaluate", "probe", "detect")
    score = ["--out", f"{project / 'scores.csv'}", "--model", f"{project / 'models/autoencoder.keras'}"]
    return {
        **{f"stages {name}": ["stages", name, f"{project}"] for name in stages},
        "cae score": ["cae", "score", f"{project / 'images'}", *score],
    }


def measure_command(arguments: Sequence[str]) -> dict[str, float]:
    """Run `python -m` with some arguments; return its seconds and its peaks of memory in bytes."""
    peaks: dict[str, int] = {}
    start = time.perf_counter()
    command = [sys.executable, "-m", *arguments]
    with (
        tempfile.TemporaryFile("w+") as output,
        subprocess.Popen(command, cwd=ROOT, env=clean_environment(), stdout=output, stderr=output) as process,
    ):
        while process.poll() is None:
            for name, value in read_memory(process.pid).items():
                peaks[name] = max(value, peaks.get(name, 0))
            # Some peaks are short.
            time.sleep(0.02)
        seconds = time.perf_counter() - start
        output.seek(0)
        if process.returncode:
            raise UserError(f"{' '.join(command)} failed:\n{output.read()[-2000:]}")
    return {"seconds": seconds, **peaks}


def compare(table: pd.DataFrame) -> pd.DataFrame:
    """Compare what each command took of few images and of many."""
    few, many = (f"{count:,}" for count in (table["pictures"].min(), table["pictures"].max()))
    names = list(table["command"].unique())
    columns = {f"{few} → {many} images": [f"`{name}`" for name in names]}
    for column, (title, unit, times) in COLUMNS.items():
        values = table.pivot(index="command", columns="pictures", values=column).loc[names].to_numpy()
        columns[title] = [f"{before / unit:,.0f} → {after / unit:,.0f}" for before, after in values]
        columns[times] = [f"{after / before:.2f}" for before, after in values]
    return pd.DataFrame(columns)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
