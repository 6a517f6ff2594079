"""The measurements, as a plain dictionary for results.json. Times in seconds, memory in bytes."""

import importlib.metadata
import math
import multiprocessing
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import contenders, report
from benchmarks.contenders import (
    CONTENDERS,
    CONVOLUTIONAL,
    FAMILIES,
    KERAS,
    OURS,
    PRODUCT_OPERATIONS,
    Contender,
    Job,
    is_installed,
)
from cae.core.environment import VARIABLES
from cae.core.errors import UserError

ROOT = Path(__file__).parents[1]
OUR_BATCHES, STOCK_BATCH = {"convolutional": 16, "residual": 128}, 128
# Stock Keras needed 50 epochs when the target was measured first; it is given up after 30 times our seconds.
STOCK_EPOCHS, STOCK_PATIENCE = 80, 30
# Neither what cae sets for itself nor leftovers of a shell may slow the others down; ours sets its own.
TUNING = re.compile("|".join([*(f"{name}$" for name in VARIABLES), "OPENBLAS_", "OMP_", "MKL_", "ONEDNN_"]))


class Scale(NamedTuple):
    """How much is measured."""

    quick: bool
    rounds: int
    slice_images: int  # trained on in one round
    target: float  # validation loss


# The target is the validation loss of the stock recipe (Adam 1e-3, batch 128) after 50 epochs.
FULL = Scale(quick=False, rounds=5, slice_images=12_800, target=0.27304)
QUICK = Scale(quick=True, rounds=2, slice_images=256, target=0.65)


def clean_environment() -> dict[str, str]:
    """Return the environment variables without those that tune the speed of libraries."""
    kept = {name: value for name, value in os.environ.items() if not TUNING.match(name)}
    return {**kept, "TF_CPP_MIN_LOG_LEVEL": "3"}


class Worker:
    """A new process in a clean environment, as a context manager.

    Attributes:
        peaks: the largest memory seen during calls, as `read_memory` names it.
    """

    def __enter__(self) -> "Worker":
        """Start the process."""
        self.peaks: dict[str, int] = {}
        self.cache = tempfile.TemporaryDirectory()
        self.pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        before = dict(os.environ)
        os.environ.clear()
        # What PyTorch compiles is not kept for the next run.
        os.environ.update(clean_environment(), TORCHINDUCTOR_CACHE_DIR=self.cache.name)
        try:
            self.process = self.pool.submit(os.getpid).result()
        finally:
            os.environ.clear()
            os.environ.update(before)
        return self

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in the process, watch its memory, and return the result; raises what it raises."""
        future = self.pool.submit(function, *arguments)
        while wait([future], timeout=0.1).not_done:
            for name, value in read_memory(self.process).items():
                self.peaks[name] = max(value, self.peaks.get(name, 0))
        return future.result()

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.pool.shutdown(cancel_futures=True)
        self.cache.cleanup()


def read_memory(process: int) -> dict[str, int]:
    """Return the memory of a process in bytes: `anonymous` now, `resident` at its peak; {} if unknown.

    Anonymous memory is what the process needs. Resident memory includes the pages of mapped files, which the
    system drops when it needs the room.
    """
    with suppress(OSError):
        status = Path(f"/proc/{process}/status").read_text()
        pairs = re.findall(r"^(RssAnon|VmHWM):\s+(\d+) kB$", status, re.M)
        return {{"RssAnon": "anonymous", "VmHWM": "resident"}[name]: int(size) * 1024 for name, size in pairs}
    return {}


@contextmanager
def record_failure(result: dict[str, Any]) -> Iterator[None]:
    """If a contender fails, write why into its result, and go on."""
    try:
        yield
    except Exception as error:
        result["problem"] = f"failed: {error}"
        log(f"{result['label']} failed: {error}")


def prepare(worker: Worker, contender: Contender, job: Job) -> dict[str, Any]:
    """Start a contender in a new process; return its result so far, with the seconds until it was ready."""
    result: dict[str, Any] = {name: getattr(contender, name) for name in ("name", "label", "family")}
    result |= {"batch": job.batch, "images": job.images}
    if not is_installed(contender):
        return result | {"problem": "not installed"}
    start = time.perf_counter()
    with record_failure(result):
        worker.call(contenders.prepare, contender.name, job)
        result["ready_seconds"] = time.perf_counter() - start
    log(f"{contender.label}, batch {job.batch}: {result.get('problem', 'ready')}")
    return result


def time_rounds(chosen: Sequence[Contender], job: Job, rounds: int) -> list[dict[str, Any]]:
    """Time the epochs of all contenders in turn, there and back: a slow moment of the machine hits all.

    All processes stay alive and wait; only one works at a time.
    """
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker()) for _ in chosen]
        results = [prepare(worker, one, job) for worker, one in zip(workers, chosen, strict=True)]
        for result in results:
            result["seconds"] = []
        for index in range(rounds):
            pairs = list(zip(workers, results, strict=True))
            for worker, result in pairs[:: -1 if index % 2 else 1]:
                if "problem" not in result:
                    with record_failure(result):
                        result["seconds"].append(worker.call(contenders.time_run))
                        log(f"round {index + 1}/{rounds}, {result['label']}: {result['seconds'][-1]:.2f} s")
        for worker, result in zip(workers, results, strict=True):
            result["peak_memory"] = worker.peaks
    return results


def time_to_target(contender: Contender, job: Job) -> dict[str, Any]:
    """Train until the validation loss is at the target, or the job's epochs or seconds are over."""
    with Worker() as worker:
        result = prepare(worker, contender, job) | {"curve": [], "reached": False}
        with record_failure(result):
            result["curve"] = worker.call(contenders.run)
            result["reached"] = result["curve"][-1]["val_loss"] <= (job.target or 0)
        log(f"{contender.label}: {len(result['curve'])} epochs, target reached: {result['reached']}")
        return result | {"peak_memory": worker.peaks}


def describe_machine() -> dict[str, Any]:
    """Describe processor, memory, versions and the load before the benchmark, without the host's name."""
    processor, memory = (Path("/proc", name).read_text() for name in ("cpuinfo", "meminfo"))
    versions = {"python": platform.python_version()}
    for package in ("tensorflow", "keras", "numpy", "torch"):
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    model = re.search(r"^model name\s*: (.*)$", processor, re.M)
    size = re.search(r"^MemTotal:\s*(\d+) kB$", memory, re.M)
    return {
        "processor": model[1] if model else platform.machine(),
        "instruction_sets": [name for name in ("avx2", "avx512f") if f" {name} " in processor],
        "cores": contenders.count_cores(),
        "memory_gib": round(int(size[1]) / 2**20, 1) if size else None,
        "system": platform.system(),
        "versions": versions,
        "load_before": round(os.getloadavg()[0], 2),
    }


def measure(network: str, data: Path, scale: Scale) -> Iterator[dict[str, Any]]:
    """Measure everything, one part after another; yield all results so far after each."""
    images = len(np.load(data / "train_images.npy", mmap_mode="r"))
    if images < scale.slice_images:
        raise UserError(f"{data} has {images} training images; {scale.slice_images} are needed")
    with Worker() as worker:
        operations = worker.call(contenders.count_operations, network)
    job = Job(network, str(data), scale.slice_images, OUR_BATCHES[network])
    batches = sorted({job.batch, STOCK_BATCH})
    results: dict[str, Any] = {
        "network": network,
        "machine": describe_machine(),
        "settings": {
            "quick": scale.quick,
            "batches": batches,
            "epoch_images": images,
            "rounds": scale.rounds,
            "slice_images": scale.slice_images,
        },
        "arithmetic": {"operations_an_image": operations, "product_operations": PRODUCT_OPERATIONS},
    }
    chosen = list_contenders(network, scale.quick)
    results["rounds"] = [
        result for batch in batches for result in time_rounds(chosen, job._replace(batch=batch), scale.rounds)
    ]
    yield results
    if network == CONVOLUTIONAL:
        ours = next(one for one in chosen if one.family == OURS)
        job = job._replace(images=scale.slice_images if scale.quick else images, target=scale.target)
        yield results | {"target": {"loss": scale.target, "runs": race_to_target(ours, results, job)}}


def list_contenders(network: str, quick: bool) -> list[Contender]:
    """List what is timed on a network; quickly, only the first of each family."""
    chosen = [contender for contender in CONTENDERS if network in contender.networks]
    if not quick:
        return chosen
    return [next(one for one in chosen if one.family == family) for family in FAMILIES]


def race_to_target(ours: Contender, results: Mapping[str, Any], job: Job) -> list[dict[str, Any]]:
    """Time ours and the fastest mode of stock Keras to the target; Keras is given up after a while."""
    first = time_to_target(ours, job)
    limit = STOCK_PATIENCE * first["curve"][-1]["seconds"] if first["reached"] else math.inf
    epochs = report.tabulate_epochs(results)
    timed = epochs[(epochs["family"] == KERAS) & (epochs["batch"] == STOCK_BATCH)]
    fastest = timed.sort_values("median")["name"].iloc[0]
    stock = next(contender for contender in CONTENDERS if contender.name == fastest)
    return [first, time_to_target(stock, job._replace(batch=STOCK_BATCH, epochs=STOCK_EPOCHS, seconds=limit))]


def log(text: str) -> None:
    """Print one line with the time of day."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)
