"""The measurements, each a plain dictionary for results.json. Times in seconds, memory in bytes."""

import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import yaml

from benchmarks.contenders import REFERENCES, Contender
from benchmarks.processes import ENVIRONMENT, ROOT, FailedError, Process

Say = Callable[[str], None]


class Task(NamedTuple):
    """What is trained: a network, on the first so many images of a folder, in batches of one size."""

    network: str
    data: Path
    images: int
    batch: int


class Goal(NamedTuple):
    """What to train for: a validation loss, within so many epochs and seconds."""

    loss: float
    epochs: int
    seconds: float = math.inf


@contextmanager
def started(contender: Contender, job: str, task: Task, **options: object) -> Iterator[Process]:
    """Start a contender; what it compiles for itself is kept in a folder that goes with it."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {"TORCHINDUCTOR_CACHE_DIR": cache}
        options |= task._asdict()
        with Process(contender.module, job, options, contender.mode, environment) as process:
            yield process


def rounds(contenders: Sequence[Contender], task: Task, count: int, say: Say) -> list[dict[str, Any]]:
    """Time all contenders in turn, `count` rounds, there and back: whatever slows the machine hits them all.

    All processes stay alive and wait; only one works at a time. The references go along.
    """
    results: list[dict[str, Any]] = []
    references = [reference for reference in REFERENCES if task.network in reference.networks]
    with ExitStack() as stack:
        alive: list[tuple[dict[str, Any], Process]] = []
        for contender in (*references, *contenders):
            result: dict[str, Any] = {
                "name": contender.name,
                "label": contender.label,
                "family": contender.family,
                "batch": task.batch,
                "images": task.images,
                "seconds": [],
            }
            results.append(result)
            if not contender.installed:
                result["problem"] = "not installed"
                say(f"{contender.label}: not installed")
                continue
            process = stack.enter_context(started(contender, "rounds", task))
            with noted(result, say):
                result["ready_seconds"] = process.ready()
                alive.append((result, process))
                say(f"{contender.label}, batch {task.batch}: ready after {result['ready_seconds']:.1f} s")
        for index in range(count):
            for result, process in alive if index % 2 == 0 else alive[::-1]:
                if "problem" in result:
                    continue
                with noted(result, say):
                    result["seconds"].append(process.epoch())
                    say(f"round {index + 1}/{count}, {result['label']}: {result['seconds'][-1]:.2f} s")
        for result, process in alive:
            result["peak_memory"] = process.peaks
    return results


@contextmanager
def noted(result: dict[str, Any], say: Say) -> Iterator[None]:
    """Note in a contender's result that it failed, and say so."""
    try:
        yield
    except FailedError as error:
        result["problem"] = f"failed: {error}"
        say(f"{result['label']} failed: {error}")


def target(contender: Contender, task: Task, goal: Goal, say: Say) -> dict[str, Any]:
    """Train until the validation loss is low enough; keep every epoch on the way.

    A curve's `seconds` begin with training, validation included; `ready_seconds` is what came before.
    """
    result: dict[str, Any] = {
        "name": contender.name,
        "label": contender.label,
        "batch": task.batch,
        "curve": [],
        "reached": False,
    }
    with started(contender, "target", task, epochs=goal.epochs, target=goal.loss) as process:
        with noted(result, say):
            result["ready_seconds"] = process.ready()
            passed = 0.0
            while not result["reached"] and passed < goal.seconds:
                try:
                    epoch = process.hear()
                except EOFError:
                    say(f"{contender.label}: target not reached in {len(result['curve'])} epochs")
                    break
                passed = epoch["seconds"]
                result["curve"].append(epoch)
                result["reached"] = epoch["val_loss"] <= goal.loss
                say(
                    f"{contender.label}, epoch {epoch['epoch']}: validation {epoch['val_loss']:.5f} "
                    f"after {epoch['seconds']:.0f} s, target {goal.loss}"
                )
        result["peak_memory"] = process.peaks
    return result


def growth(contender: Contender, task: Task, copies: Sequence[int], say: Say) -> list[dict[str, Any]]:
    """Time one epoch on the images of a task repeated several times over, each in a new process."""
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=task.data.parent, prefix="benchmark-") as folder:
        repeat(task.data / "train_images.npy", Path(folder) / "train_images.npy", task.images, max(copies))
        for times in copies:
            count = task.images * times
            result: dict[str, Any] = {"copies": times, "images": count}
            results.append(result)
            repeated = task._replace(data=Path(folder), images=count)
            with started(contender, "rounds", repeated) as process:
                try:
                    process.ready()
                    result["seconds"] = process.epoch()
                except FailedError as error:
                    result["problem"] = f"failed: {error}"
                    say(f"{contender.label}, {count:,} images failed: {error}")
                    continue
                result["peak_memory"] = process.peaks
            say(f"{contender.label}, {count:,} images: {result['seconds']:.1f} s an epoch")
    return results


def repeat(source: Path, path: Path, images: int, copies: int) -> None:
    """Write the first `images` of a `.npy` file `copies` times into another one."""
    original = np.load(source, mmap_mode="r")[:images]
    shape = (len(original) * copies, *original.shape[1:])
    repeated = np.lib.format.open_memmap(path, mode="w+", dtype=original.dtype, shape=shape)
    for start in range(0, len(repeated), len(original)):
        repeated[start : start + len(original)] = original


def start_up(count: int, say: Say) -> list[dict[str, Any]]:
    """Time the start of every stage, which is its imports, beside that of Python and of TensorFlow alone."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    names = re.findall(r"python -m stages (\w+)", " ".join(stage["cmd"] for stage in stages.values()))
    statements = {"python": "pass", "tensorflow": "import tensorflow"}
    statements |= {f"stages.{name}": f"import stages.{name}" for name in names}
    results = []
    for name, statement in statements.items():
        seconds = median(run([sys.executable, "-c", statement]) for _ in range(count))
        results.append({"name": name, "seconds": seconds})
        say(f"start of {name}: {seconds:.2f} s")
    return results


def nothing_to_do(count: int, say: Say) -> dict[str, Any]:
    """Time `dvc repro` where every stage is up to date; a problem where one is not."""
    dvc = [sys.executable, "-m", "dvc"]
    try:
        run([*dvc, "status", "--quiet", "dvc.yaml"])
        seconds = median(run([*dvc, "repro"]) for _ in range(count))
    except subprocess.CalledProcessError:
        say("dvc repro: not timed, the pipeline is not up to date")
        return {"problem": "not timed: the pipeline was not up to date"}
    say(f"dvc repro with nothing to do: {seconds:.2f} s")
    return {"seconds": seconds}


def run(command: Sequence[str]) -> float:
    """Run a command in silence and return its seconds; CalledProcessError where it fails."""
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=True, capture_output=True)
    return time.perf_counter() - start
