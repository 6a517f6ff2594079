"""Time our training against stock Keras and PyTorch, in one run: `make bench`, or python -m benchmarks.run.

Writes results.json, results.md, epoch_seconds.png and time_to_target.png. On two cores it takes about an
hour, most of it the stock recipe on its way to the target: leave the machine alone meanwhile.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cae import artifacts, models, params, splits

# After cae, which loads TensorFlow silently.
# isort: split
from rich.console import Console

from benchmarks import bound, charts, machine, measure, product, summary
from benchmarks.contenders import CONTENDERS, KERAS, OURS, Contender
from benchmarks.report import report
from cae.errors import UserError
from stages import command

STOCK_BATCH = 128
# Validation loss of the stock recipe (Adam 1e-3, batch 128) after 50 epochs.
TARGET = 0.27304
STOCK_EPOCHS = 60
COPIES = (1, 4, 16)


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    rounds: int
    slice_images: int  # trained on in one round
    growth_images: int | None  # repeated 1, 4, 16 times; None: all
    repeats: int  # of a start-up


FULL = Scale(rounds=5, slice_images=12_800, growth_images=None, repeats=3)
QUICK = Scale(rounds=2, slice_images=256, growth_images=256, repeats=1)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"see that everything runs: {QUICK.slice_images} images a round, no time to target",
    )
    names = [contender.name for contender in CONTENDERS]
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="NAME", help=f"of {', '.join(names)}"
    )
    parser.add_argument(
        "--data", type=Path, default=Path("data/prepared"), help="the prepared images (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("benchmarks"), help="folder for the results (default: %(default)s)"
    )
    return parser.parse_args()


class Narrator:
    """Tells on the terminal what happens, with the minutes since the start."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.start = time.monotonic()

    def __call__(self, text: str) -> None:
        """Say one line."""
        minutes, seconds = divmod(int(time.monotonic() - self.start), 60)
        self.console.print(f"{minutes:3}:{seconds:02}  {text}", highlight=False, markup=False)


def write(folder: Path, results: dict[str, Any]) -> None:
    """Write what there is so far."""
    artifacts.write_json(folder / "results.json", results)
    artifacts.write_bytes(folder / "results.md", report(results).encode())
    if "rounds" in results:
        artifacts.write_figure(folder / "epoch_seconds.png", charts.epoch_seconds(results))
    if "target" in results:
        artifacts.write_figure(folder / "time_to_target.png", charts.time_to_target(results))


def main() -> None:
    """Measure one part after the other; write after each, so that a stopped run has shown something."""
    asked = arguments()
    scale = QUICK if asked.quick else FULL
    say = Narrator()
    recipe = params.load().train
    data = asked.data.resolve()
    images = len(splits.images(data, "train"))
    if images < scale.slice_images:
        raise UserError(f"{asked.data} has {images} training images, but {scale.slice_images} are needed.")
    chosen = [contender for contender in CONTENDERS if contender.name in asked.only]
    batches = sorted({recipe.batch_size, STOCK_BATCH})
    found = machine.description()
    if found["load_before"] > 0.5:
        say(f"the machine is busy (load average {found['load_before']}): times will be too long and noisy")
    results: dict[str, Any] = {
        "machine": found,
        "settings": {
            "quick": asked.quick,
            "batches": batches,
            "epoch_images": images,
            "rounds": scale.rounds,
            "slice_images": scale.slice_images,
        },
        "arithmetic": {
            "operations_an_image": bound.operations(models.autoencoder(recipe.seed)),
            "product_operations": product.OPERATIONS,
        },
    }
    results["start_up"] = measure.start_up(scale.repeats, say)
    results["nothing_to_do"] = measure.nothing_to_do(scale.repeats, say)
    write(asked.out, results)
    timed = []
    for batch in batches:
        timed += measure.rounds(chosen, data, scale.slice_images, batch, scale.rounds, say)
    results["rounds"] = timed
    write(asked.out, results)
    ours = next((contender for contender in chosen if contender.family == OURS), None)
    if ours:
        count = scale.growth_images or images
        results["growth"] = measure.growth(ours, data, count, recipe.batch_size, COPIES, say)
        write(asked.out, results)
    stock = fastest_stock(timed)
    if ours and stock and not asked.quick:
        runs = results["target"] = {"loss": TARGET, "runs": []}
        for contender, batch, epochs in ((ours, recipe.batch_size, None), (stock, STOCK_BATCH, STOCK_EPOCHS)):
            runs["runs"].append(measure.target(contender, data, batch, epochs, TARGET, say))
            write(asked.out, results)
    for batch in batches:
        for family, ratio in summary.speed_ups(timed, batch).items():
            say(f"batch {batch}: an epoch of ours is {ratio:.2f} times as fast as the fastest {family} mode")
    say(f"written: {asked.out}/results.md")


def fastest_stock(timed: Sequence[dict[str, Any]]) -> Contender | None:
    """Return the stock mode that took the least time at the stock batch size."""
    fastest = summary.fastest(timed, STOCK_BATCH, KERAS)
    return next(
        (contender for contender in CONTENDERS if fastest and contender.name == fastest["name"]), None
    )


if __name__ == "__main__":
    command.run(main)
