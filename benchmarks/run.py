"""Time our training against stock Keras and PyTorch, in one run: `make bench`, or python -m benchmarks.run.

Writes results.json, results.md, epoch_seconds.png and time_to_target.png. On two cores it takes about half an
hour, half of it for stock Keras to reach the target: leave the machine alone meanwhile. The residual network,
`--network residual`, takes a few minutes.
"""

import argparse
import importlib.metadata
import json
import math
import os
import platform
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

# Sets the environment variables of cae before NumPy and TensorFlow load.
import stages  # noqa: F401

# isort: split
from cae.core import environment

environment.import_quietly("tensorflow")

import keras
import numpy as np

from benchmarks import report
from benchmarks.contenders import (
    CONTENDERS,
    CONVOLUTIONAL,
    FAMILIES,
    KERAS,
    NETWORKS,
    OURS,
    PRODUCT_OPERATIONS,
    Contender,
    Job,
    count_cores,
    is_installed,
)
from cae.core import files, params
from cae.core.errors import UserError
from cae.datasets import splits
from cae.engine import family, keras_graph
from stages import command

ROOT = Path(__file__).parents[1]
RESULTS = Path("benchmarks")
# The contenders get neither the variables that cae sets for itself nor leftovers of a shell; ours sets its own.
TUNING = ("OPENBLAS_", "OMP_", "MKL_", "ONEDNN_")
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in environment.VARIABLES and not name.startswith(TUNING)
}
STOCK_BATCH = 128
# Stock Keras needed 50 epochs when the target was measured first; it is given up after 30 times our seconds.
STOCK_EPOCHS, STOCK_PATIENCE = 80, 30


class Scale(NamedTuple):
    """How much is measured."""

    rounds: int
    slice_images: int  # trained on in one round
    copies: tuple[int, ...]  # of the training images
    target: float  # validation loss


# The target is the validation loss of the stock recipe (Adam 1e-3, batch 128) after 50 epochs.
FULL = Scale(rounds=5, slice_images=12_800, copies=(1, 4, 16), target=0.27304)
QUICK = Scale(rounds=2, slice_images=256, copies=(1, 2), target=0.65)


class FailedError(Exception):
    """A process failed before it answered; the message is its last line on the standard error."""


class Process:
    """A contender's process, as a context manager.

    Attributes:
        peaks: the largest memory seen so far, in bytes, as `read_memory` names it.
    """

    def __init__(self, contender: Contender, job: Job) -> None:
        # What PyTorch compiles is not kept for the next run.
        self.cache = tempfile.TemporaryDirectory()
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed in __exit__)
        self.peaks: dict[str, int] = {}
        self.start = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.contenders", contender.name, json.dumps(job._asdict())],
            cwd=ROOT,
            env={**ENVIRONMENT, "TORCHINDUCTOR_CACHE_DIR": self.cache.name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def __enter__(self) -> "Process":
        """Return the process."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()
        self.cache.cleanup()

    def receive(self) -> dict[str, Any]:
        """Wait for the next message.

        Raises:
            EOFError: the process ended without an error.
            FailedError: it failed.
        """
        assert self.process.stdout is not None
        answered = False
        while not answered:
            answered = bool(select.select([self.process.stdout], [], [], 0.1)[0])
            for name, value in read_memory(self.process.pid).items():
                self.peaks[name] = max(value, self.peaks.get(name, 0))
        if line := self.process.stdout.readline():
            return json.loads(line)
        if (code := self.process.wait()) == 0:
            raise EOFError
        self.errors.seek(0)
        lines = [line for line in self.errors.read().splitlines() if line.strip()]
        if code < 0:
            lines.append(f"killed by {signal.Signals(-code).name}")
        raise FailedError(lines[-1] if lines else f"exit code {code}")

    def wait_until_ready(self) -> float:
        """Wait until the contender has loaded and compiled; return the seconds since the start."""
        self.receive()
        return time.perf_counter() - self.start

    def time_epoch(self) -> float:
        """Let the contender train an epoch; return its seconds."""
        assert self.process.stdin is not None
        # If the process has died, receive() says why.
        with suppress(BrokenPipeError):
            print(file=self.process.stdin, flush=True)
        return float(self.receive()["seconds"])


def read_memory(pid: int) -> dict[str, int]:
    """Return the memory of a process in bytes: `anonymous` now, `resident` at its peak; {} if unknown.

    Anonymous memory is what the process needs. Resident memory includes the pages of mapped files, which the
    system drops when it needs the room.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    fields = dict(line.split(":", 1) for line in lines)
    names = {"anonymous": "RssAnon", "resident": "VmHWM"}
    return {name: int(fields[field].split()[0]) * 1024 for name, field in names.items() if field in fields}


@contextmanager
def record_failure(result: dict[str, Any]) -> Iterator[None]:
    """If a process fails, write why into its result, and go on."""
    try:
        yield
    except FailedError as error:
        result["problem"] = f"failed: {error}"
        log(f"{result['label']} failed: {error}")


def time_rounds(contenders: Sequence[Contender], job: Job, rounds: int) -> list[dict[str, Any]]:
    """Time the epochs of all contenders in turn, forwards and backwards: a slow moment of the machine hits all.

    All processes stay alive and wait; only one works at a time.
    """
    results: list[dict[str, Any]] = []
    with ExitStack() as stack:
        processes: list[tuple[dict[str, Any], Process]] = []
        for contender in contenders:
            result: dict[str, Any] = {name: getattr(contender, name) for name in ("name", "label", "family")}
            result |= {"batch": job.batch, "images": job.images, "seconds": []}
            results.append(result)
            if not is_installed(contender):
                result["problem"] = "not installed"
                log(f"{contender.label}: not installed")
                continue
            process = stack.enter_context(Process(contender, job))
            with record_failure(result):
                result["ready_seconds"] = process.wait_until_ready()
                processes.append((result, process))
                log(f"{contender.label}, batch {job.batch}: ready after {result['ready_seconds']:.1f} s")
        for index in range(rounds):
            for result, process in processes[:: 1 if index % 2 == 0 else -1]:
                if "problem" not in result:
                    with record_failure(result):
                        result["seconds"].append(process.time_epoch())
                        log(f"round {index + 1}/{rounds}, {result['label']}: {result['seconds'][-1]:.2f} s")
        for result, process in processes:
            result["peak_memory"] = process.peaks
    return results


def time_to_target(contender: Contender, job: Job, limit: float = math.inf) -> dict[str, Any]:
    """Train until the validation loss is at the target, or `limit` seconds are over; record every epoch.

    The seconds of the curve include validation but not the start, which is `ready_seconds`.
    """
    curve: list[dict[str, float]] = []
    result = {"name": contender.name, "label": contender.label, "batch": job.batch, "curve": curve}
    result["reached"] = False
    with Process(contender, job) as process, record_failure(result):
        result["ready_seconds"] = process.wait_until_ready()
        with suppress(EOFError):
            while not result["reached"] and (not curve or curve[-1]["seconds"] < limit):
                curve.append(epoch := process.receive())
                result["reached"] = epoch["val_loss"] <= (job.target or 0)
                log(f"{contender.label}, epoch {epoch['epoch']}: {epoch['val_loss']:.5f}, target {job.target}")
        result["peak_memory"] = process.peaks
    return result


def time_more_images(contender: Contender, job: Job, copies: Sequence[int]) -> list[dict[str, Any]]:
    """Time one epoch on the training images repeated several times over, each in a new process."""
    results: list[dict[str, Any]] = []
    source = np.load(Path(job.data, "train_images.npy"), mmap_mode="r")[: job.images]
    with tempfile.TemporaryDirectory(dir=Path(job.data).parent, prefix="benchmark-") as folder:
        for times in copies:
            shape = (len(source) * times, *source.shape[1:])
            path = Path(folder, "train_images.npy")
            repeated = np.lib.format.open_memmap(path, mode="w+", dtype=source.dtype, shape=shape)
            for start in range(0, len(repeated), len(source)):
                repeated[start : start + len(source)] = source
            result = {"copies": times, "images": len(repeated), "label": f"{len(repeated):,} images"}
            with Process(contender, job._replace(data=folder, images=len(repeated))) as process:
                with record_failure(result):
                    process.wait_until_ready()
                    result["seconds"] = process.time_epoch()
                    log(f"{result['label']}: {result['seconds']:.1f} s an epoch")
                result["peak_memory"] = process.peaks
            results.append(result)
    return results


def time_starts(repeats: int = 3) -> list[dict[str, Any]]:
    """Time the imports of every stage, beside Python, TensorFlow and a `dvc repro` that has nothing to do."""
    names = re.findall(r"python -m stages (\w+)", (ROOT / "dvc.yaml").read_text())
    commands = {"python": ["-c", "pass"], "tensorflow": ["-c", "import tensorflow"]}
    commands |= {f"stages.{name}": ["-c", f"import stages.{name}"] for name in names}
    commands["dvc repro, nothing to do"] = ["-m", "dvc", "repro"]
    results = []
    for name, arguments in commands.items():
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            run_python(*arguments)
            seconds.append(time.perf_counter() - start)
        results.append({"name": name, "seconds": median(seconds)})
        log(f"start of {name}: {median(seconds):.2f} s")
    return results


def run_python(*arguments: str) -> None:
    """Run Python without output; CalledProcessError if it fails."""
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=True, capture_output=True)


def count_operations(network: keras.Model) -> int:
    """Count the floating-point operations that training takes for one image, at their stock cost.

    The forward pass takes for a convolution with kernel h × w, from C to D channels, onto H × W pixels
        2·h·w·C·D·H·W
    and for a dense layer from M to N numbers
        2·M·N;
    the gradient of its kernel takes as much, and so does the gradient of its input, which layers that read
    the image itself do not need. Everything else is small beside it.
    """
    total = 0
    # Tensors that depend on weights: only their gradients are needed.
    learned: set[int] = set()
    for call in keras_graph.read_graph(network).calls:
        layer, inputs = call.operation, set(call.inputs.values())
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            forward = 2 * math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
            total += forward * (3 if inputs & learned else 2)
        if inputs & learned or getattr(layer, "weights", None):
            learned.update(call.outputs)
    return total


def describe_machine() -> dict[str, Any]:
    """Describe processor, memory, versions and the load before the benchmark, without the host's name."""
    processor, memory = (read_fields(Path("/proc", name)) for name in ("cpuinfo", "meminfo"))
    versions = {"python": platform.python_version()}
    for package in ("tensorflow", "keras", "numpy", "torch"):
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    flags = processor.get("flags", "").split()
    return {
        "processor": processor.get("model name", platform.machine()),
        "instruction_sets": [name for name in ("avx2", "avx512f") if name in flags],
        "cores": count_cores(),
        "memory_gib": round(int(memory.get("MemTotal", "0 kB").split()[0]) / 2**20, 1),
        "system": platform.system(),
        "versions": versions,
        "load_before": round(os.getloadavg()[0], 2),
    }


def read_fields(path: Path) -> Mapping[str, str]:
    """Read the first paragraph of a `name : value` file; {} if there is no such file."""
    lines = path.read_text().partition("\n\n")[0].splitlines() if path.exists() else []
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


def log(text: str) -> None:
    """Print one line with the time of day."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def write(folder: Path, results: Mapping[str, Any]) -> None:
    """Write the results so far, and their report and figures."""
    files.write_json(folder / "results.json", dict(results))
    files.write_bytes(folder / "results.md", report.write_report(results).encode())
    if results["network"] == CONVOLUTIONAL:
        files.write_figure(folder / "epoch_seconds.png", report.plot_epoch_seconds(results))
    if "target" in results:
        files.write_figure(folder / "time_to_target.png", report.plot_time_to_target(results))


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="check that everything runs: few images, times mean nothing"
    )
    parser.add_argument("--network", choices=NETWORKS, default=CONVOLUTIONAL)
    parser.add_argument("--data", type=Path, default=Path("data/prepared"), help="the prepared images")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    arguments = parser.parse_args()
    if arguments.out == RESULTS and (arguments.quick or arguments.network != CONVOLUTIONAL):
        parser.error(f"the results in {RESULTS} are those of a full run: name another folder with --out")
    return arguments


def main() -> None:
    """Measure one part after another; write the results after each, so that a stopped run leaves some."""
    arguments = read_arguments()
    scale = QUICK if arguments.quick else FULL
    settings = params.load()
    train = splits.images(arguments.data, "train")
    if len(train) < scale.slice_images:
        raise UserError(f"{arguments.data} has {len(train)} training images; {scale.slice_images} are needed")
    if not arguments.quick:
        check_up_to_date()
    batch = getattr(settings.model, arguments.network).batch_size
    batches = sorted({batch, STOCK_BATCH}) if arguments.network == CONVOLUTIONAL else [batch]
    model = settings.model.model_copy(update={"name": arguments.network})
    network = family.build(model, train.shape[1:], settings.train.seed).network
    results: dict[str, Any] = {
        "network": arguments.network,
        "machine": describe_machine(),
        "settings": {
            "quick": arguments.quick,
            "batches": batches,
            "epoch_images": len(train),
            "rounds": scale.rounds,
            "slice_images": scale.slice_images,
        },
        "arithmetic": {
            "operations_an_image": count_operations(network),
            "product_operations": PRODUCT_OPERATIONS,
        },
        "rounds": [],
    }
    contenders = list_contenders(arguments.network, arguments.quick)
    job = Job(arguments.network, str(arguments.data.resolve()), scale.slice_images, batch)
    for batch in batches:
        results["rounds"] += time_rounds(contenders, job._replace(batch=batch), scale.rounds)
    write(arguments.out, results)
    if arguments.network == CONVOLUTIONAL:
        ours = next(contender for contender in contenders if contender.family == OURS)
        job = job._replace(images=scale.slice_images if arguments.quick else len(train))
        to_target = job._replace(epochs=settings.train.epochs, target=scale.target)
        results["target"] = {"loss": scale.target, "runs": race_to_target(ours, results, to_target)}
        write(arguments.out, results)
        results["growth"] = time_more_images(ours, job, scale.copies)
        if not arguments.quick:
            results["start_up"] = time_starts()
        write(arguments.out, results)
    log(f"written: {arguments.out}/results.md")


def check_up_to_date() -> None:
    """Raise UserError if `dvc repro`, whose start is timed, would do anything."""
    try:
        run_python("-m", "dvc", "status", "--quiet", "dvc.yaml")
    except subprocess.CalledProcessError as error:
        raise UserError("the pipeline is not up to date: run dvc repro first") from error


def list_contenders(network: str, quick: bool) -> list[Contender]:
    """List what is timed on a network; quickly, only the first of each family."""
    contenders = [contender for contender in CONTENDERS if network in contender.networks]
    if not quick:
        return contenders
    return [next(one for one in contenders if one.family == family) for family in FAMILIES]


def race_to_target(ours: Contender, results: Mapping[str, Any], job: Job) -> list[dict[str, Any]]:
    """Time ours and the fastest mode of stock Keras to the target; Keras is given up after a while."""
    first = time_to_target(ours, job)
    limit = STOCK_PATIENCE * first["curve"][-1]["seconds"] if first["reached"] else math.inf
    epochs = report.tabulate_epochs(results)
    timed = epochs[(epochs["family"] == KERAS) & (epochs["batch"] == STOCK_BATCH)]
    fastest = timed.sort_values("median")["name"].iloc[0]
    stock = next(contender for contender in CONTENDERS if contender.name == fastest)
    return [first, time_to_target(stock, job._replace(batch=STOCK_BATCH, epochs=STOCK_EPOCHS), limit)]


if __name__ == "__main__":
    command.run(main)
