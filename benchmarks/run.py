"""Time our training against stock Keras and PyTorch, in one run: `make bench`, or python -m benchmarks.run.

Writes results.json, results.md, epoch_seconds.png and time_to_target.png. On two cores it takes about
half an hour, half of it stock Keras on its way to the target: leave the machine alone meanwhile. The second
network, `--network residual`, takes a few minutes.
"""

import argparse
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Pins the environment and loads TensorFlow silently, before anything else does.
from benchmarks import pinned  # noqa: F401

# isort: split
from cae.MISSING import Params
from rich.console import Console

from benchmarks import bound, charts, large_product, machine, measure, summary
from benchmarks.contenders import (
    CONTENDERS,
    CONVOLUTIONAL,
    KERAS,
    NETWORKS,
    OURS,
    RESIDUAL,
    Contender,
)
from benchmarks.report import report
from cae.core import files, params
from cae.core.errors import UserError
from cae.datasets import splits
from cae.engine import family
from cae.networks.model import Model
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

    batches: Mapping[str, tuple[int, ...]]  # of each network
    rounds: int
    slice_images: int  # trained on in one round
    images: int | None  # for growth and for time to target; None: all
    copies: tuple[int, ...]  # of these images, for growth
    target: float  # validation loss
    repeats: int  # of a start-up


def full(model: Model) -> Scale:
    """Return the scale of a benchmark: every network at the batch size of its recipe."""
    return Scale(
        batches={
            CONVOLUTIONAL: tuple(sorted({model.convolutional.batch_size, STOCK_BATCH})),
            RESIDUAL: (model.residual.batch_size,),
        },
        rounds=5,
        slice_images=12_800,
        images=None,
        copies=(1, 4, 16),
        # The validation loss of the stock recipe (Adam 1e-3, batch 128) after 50 epochs.
        target=0.27304,
        repeats=3,
    )


QUICK = Scale(
    batches=dict.fromkeys(NETWORKS, (STOCK_BATCH,)),
    rounds=2,
    slice_images=256,
    images=256,
    copies=(1, 2),
    target=0.65,
    repeats=1,
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
    networks = list(NETWORKS)
    parser.add_argument(
        "--network",
        nargs="+",
        choices=networks,
        default=[CONVOLUTIONAL],
        metavar="NAME",
        help=f"of {', '.join(networks)} (default: {CONVOLUTIONAL})",
    )
    parser.add_argument(
        "--data", type=Path, default=Path("data/prepared"), help="the prepared images (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for them (default: %(default)s)")
    asked = parser.parse_args()
    if asked.out == RESULTS and (asked.quick or asked.only != names or asked.network != [CONVOLUTIONAL]):
        parser.error(
            "--quick, --only and --network measure a part: name another folder for the results with --out"
        )
    asked.data = asked.data.resolve()
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
    files.write_json(folder / "results.json", results)
    files.write_bytes(folder / "results.md", report(results).encode())
    if "rounds" in results:
        files.write_figure(folder / "epoch_seconds.png", charts.epoch_seconds(results))
    if "target" in results:
        files.write_figure(folder / "time_to_target.png", charts.time_to_target(results))


def main() -> None:
    """Measure one part after the other; write after each, so that a stopped run has shown something."""
    asked = arguments()
    say = Narrator()
    settings = params.load()
    scale = QUICK if asked.quick else full(settings.model)
    images = len(splits.images(asked.data, "train"))
    if images < scale.slice_images:
        raise UserError(f"{asked.data} has {images} training images, but {scale.slice_images} are needed.")
    results = {"machine": machine.description(), "settings": {"quick": asked.quick}}
    if (load := results["machine"]["load_before"]) > 0.5:
        say(f"the machine is busy (load average {load}): times will be too long and noisy")
    for network in asked.network:
        timed = epochs(network, asked, scale, settings, say)
        # The default network's stand at the top, beside all else that is measured of it.
        results |= timed if network == CONVOLUTIONAL else {network: timed}
        write(asked.out, results)
    if CONVOLUTIONAL in asked.network:
        further(results, asked, scale, settings, say)
    say(f"written: {asked.out}/results.md")


def epochs(
    network: str, asked: argparse.Namespace, scale: Scale, settings: Params, say: measure.Say
) -> dict[str, Any]:
    """Time the epochs of one network, beside what is measured and how much arithmetic it is."""
    contenders = [one for one in CONTENDERS if one.name in asked.only and network in one.networks]
    train = splits.images(asked.data, "train")
    model = settings.model.model_copy(update={"name": network})
    autoencoder = family.build(model, train.shape[1:], settings.train.seed)
    rounds: list[dict[str, Any]] = []
    for batch in scale.batches[network]:
        task = measure.Task(network, asked.data, scale.slice_images, batch)
        rounds += measure.rounds(contenders, task, scale.rounds, say)
        for rival, ratio in summary.speed_ups(rounds, batch).items():
            say(f"{network}, batch {batch}: ours is {ratio:.2f} times as fast as the fastest {rival} mode")
    return {
        "settings": {
            "quick": asked.quick,
            "batches": scale.batches[network],
            "epoch_images": len(train),
            "rounds": scale.rounds,
            "slice_images": scale.slice_images,
        },
        "arithmetic": {
            "operations_an_image": bound.operations(autoencoder),
            "product_operations": large_product.OPERATIONS,
        },
        "rounds": rounds,
    }


def further(
    results: dict[str, Any], asked: argparse.Namespace, scale: Scale, settings: Params, say: measure.Say
) -> None:
    """Measure the rest: the default network's way to the target, its growth, and how long starts take."""
    images = scale.images or results["settings"]["epoch_images"]
    task = measure.Task(CONVOLUTIONAL, asked.data, images, settings.model.convolutional.batch_size)
    ours = next((one for one in CONTENDERS if one.name in asked.only and one.family == OURS), None)
    stock = fastest_stock(results["rounds"])
    if ours and stock:
        results["target"] = targets(ours, stock, task, scale.target, settings.train.epochs, say)
        write(asked.out, results)
    if ours:
        results["growth"] = measure.growth(ours, task, scale.copies, say)
        write(asked.out, results)
    results["start_up"] = measure.start_up(scale.repeats, say)
    results["nothing_to_do"] = measure.nothing_to_do(scale.repeats, say)
    write(asked.out, results)


def targets(
    ours: Contender, stock: Contender, task: measure.Task, loss: float, epochs: int, say: measure.Say
) -> dict[str, Any]:
    """Time both ways to the target, ours first: stock is given up after a multiple of its time."""
    first = measure.target(ours, task, measure.Goal(loss, epochs), say)
    seconds = STOCK_PATIENCE * (summary.target_seconds(first) or math.inf)
    goal = measure.Goal(loss, STOCK_EPOCHS, seconds)
    second = measure.target(stock, task._replace(batch=STOCK_BATCH), goal, say)
    return {"loss": loss, "runs": [first, second]}


def fastest_stock(timed: Sequence[dict[str, Any]]) -> Contender | None:
    """Return the stock mode that took the least time at the stock batch size."""
    fastest = summary.fastest(timed, STOCK_BATCH, KERAS)
    return next(
        (contender for contender in CONTENDERS if fastest and contender.name == fastest["name"]), None
    )


if __name__ == "__main__":
    command.run(main)
