"""Time our training against stock Keras and PyTorch, in one run: `make bench`, or python -m benchmarks.run.

Writes results.json, results.md, epoch_seconds.png and time_to_target.png. On two cores it takes about
half an hour, half of it stock Keras on its way to the target: leave the machine alone meanwhile.
"""

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Pins the environment and loads TensorFlow silently, before anything else does.
import stages  # noqa: F401

# isort: split
from rich.console import Console

from benchmarks import bound, charts, machine, measure, product, summary
from benchmarks.contenders import CONTENDERS, KERAS, OURS, Contender
from benchmarks.report import report
from cae.ground import artifacts, params, splits
from cae.ground.errors import UserError
from cae.ground.params import Params
from cae.networks import convolutional
from stages import command

RESULTS = Path("benchmarks")
STOCK_BATCH = 128
# It needed 50 when the target was measured first.
STOCK_EPOCHS = 80
# Stock is given up after so many times what ours took: the report then has a limit instead of a ratio.
STOCK_PATIENCE = 30


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    batches: tuple[int, ...]
    rounds: int
    slice_images: int  # trained on in one round
    images: int | None  # for growth and for time to target; None: all
    copies: tuple[int, ...]  # of these images, for growth
    target: float  # validation loss
    repeats: int  # of a start-up


def full(batch: int) -> Scale:
    """Return the scale of a benchmark; `batch` is the batch size of our recipe."""
    return Scale(
        batches=tuple(sorted({batch, STOCK_BATCH})),
        rounds=5,
        slice_images=12_800,
        images=None,
        copies=(1, 4, 16),
        # The validation loss of the stock recipe (Adam 1e-3, batch 128) after 50 epochs.
        target=0.27304,
        repeats=3,
    )


QUICK = Scale(
    batches=(STOCK_BATCH,), rounds=2, slice_images=256, images=256, copies=(1, 2), target=0.65, repeats=1
)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"see that everything runs: {QUICK.slice_images} images, no meaningful time",
    )
    names = [contender.name for contender in CONTENDERS]
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="NAME", help=f"of {', '.join(names)}"
    )
    parser.add_argument(
        "--data", type=Path, default=Path("data/prepared"), help="the prepared images (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for them (default: %(default)s)")
    asked = parser.parse_args()
    if asked.out == RESULTS and (asked.quick or asked.only != names):
        parser.error("--quick and --only measure a part: name another folder for the results with --out")
    return asked


class Narrator:
    """Tells on the terminal what happens, with the minutes since the start."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.start = time.monotonic()

    def __call__(self, text: str) -> None:
        """Say one line."""
        minutes, seconds = divmod(int(time.monotonic() - self.start), 60)
        self.console.print(f"{minutes:3}:{seconds:02}  {text}", highlight=False, markup=False, soft_wrap=True)


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
    say = Narrator()
    settings = params.load()
    recipe = params.run(settings)
    scale = QUICK if asked.quick else full(recipe.batch_size)
    data = asked.data.resolve()
    train = splits.images(data, "train")
    images = len(train)
    if images < scale.slice_images:
        raise UserError(f"{asked.data} has {images} training images, but {scale.slice_images} are needed.")
    contenders = [contender for contender in CONTENDERS if contender.name in asked.only]
    results = described(scale, settings, train.shape, say)
    timed = []
    for batch in scale.batches:
        timed += measure.rounds(contenders, data, scale.slice_images, batch, scale.rounds, say)
    results["rounds"] = timed
    write(asked.out, results)
    ours = next((contender for contender in contenders if contender.family == OURS), None)
    stock = fastest_stock(timed)
    if ours and stock:
        results["target"] = targets(ours, stock, data, scale, recipe, say)
        write(asked.out, results)
    if ours:
        count = scale.images or images
        results["growth"] = measure.growth(ours, data, count, recipe.batch_size, scale.copies, say)
        write(asked.out, results)
    results["start_up"] = measure.start_up(scale.repeats, say)
    results["nothing_to_do"] = measure.nothing_to_do(scale.repeats, say)
    write(asked.out, results)
    for batch in scale.batches:
        for family, ratio in summary.speed_ups(timed, batch).items():
            say(f"batch {batch}: an epoch of ours is {ratio:.2f} times as fast as the fastest {family} mode")
    say(f"written: {asked.out}/results.md")


def described(scale: Scale, settings: Params, train: tuple[int, ...], say: measure.Say) -> dict[str, Any]:
    """Begin the results: the machine, what is measured, how much arithmetic; `train` is (N, H, W, 1)."""
    network = convolutional.build(
        settings.model.convolutional.filters, train[1:], settings.train.seed
    ).network
    this_machine = machine.description()
    if (load := this_machine["load_before"]) > 0.5:
        say(f"the machine is busy (load average {load}): times will be too long and noisy")
    return {
        "machine": this_machine,
        "settings": {
            "quick": scale is QUICK,
            "batches": scale.batches,
            "epoch_images": train[0],
            "rounds": scale.rounds,
            "slice_images": scale.slice_images,
        },
        "arithmetic": {
            "operations_an_image": bound.operations(network),
            "product_operations": product.OPERATIONS,
        },
    }


def targets(
    ours: Contender, stock: Contender, data: Path, scale: Scale, recipe: params.Run, say: measure.Say
) -> dict[str, Any]:
    """Time both ways to the target, ours first: stock is given up after a multiple of its time."""
    goal = measure.Goal(scale.target, recipe.epochs)
    first = measure.target(ours, data, scale.images, recipe.batch_size, goal, say)
    seconds = STOCK_PATIENCE * (summary.target_seconds(first) or math.inf)
    goal = measure.Goal(scale.target, STOCK_EPOCHS, seconds)
    second = measure.target(stock, data, scale.images, STOCK_BATCH, goal, say)
    return {"loss": scale.target, "runs": [first, second]}


def fastest_stock(timed: Sequence[dict[str, Any]]) -> Contender | None:
    """Return the stock mode that took the least time at the stock batch size."""
    fastest = summary.fastest(timed, STOCK_BATCH, KERAS)
    return next(
        (contender for contender in CONTENDERS if fastest and contender.name == fastest["name"]), None
    )


if __name__ == "__main__":
    command.run(main)
