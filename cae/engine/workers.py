"""Training on several machines or GPUs: which strategy is used, and how the workers agree.

The environment variable TF_CONFIG names the machines, as TensorFlow documents it. Every machine is a worker
and runs the same command on the same data. Worker 0, the chief, writes the results.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from cae.core.errors import UserError

# Seconds to wait for a worker that does not answer.
ANSWER_TIMEOUT = 60
# Seconds to wait for all workers at the start.
START_TIMEOUT = 600
# host:port; an IPv6 address is in brackets.
ADDRESS = re.compile(r"(?:[\w.-]+|\[[0-9a-f:.]+\]):(\d{1,5})", re.ASCII | re.IGNORECASE)


def build_strategy(start_timeout: int = START_TIMEOUT) -> tf.distribute.Strategy:
    """Return the strategy for the workers of TF_CONFIG, for the GPUs of this machine, or for one device.

    The process ends by SIGALRM if the other workers do not start within `start_timeout` seconds.

    Raises:
        UserError: TF_CONFIG is not as TensorFlow documents it, or this worker cannot listen at its address.
    """
    if "TF_CONFIG" in os.environ:
        config = os.environ["TF_CONFIG"]
        check_config(config)
        options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=ANSWER_TIMEOUT)
        try:
            with explain_failures(), limit_wait(start_timeout):
                return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
        except (tf.errors.InvalidArgumentError, tf.errors.UnknownError) as error:
            raise UserError(
                f"This worker cannot listen at its address ({error.message}): give it an address of this "
                "machine, with a port that no other program uses, in TF_CONFIG of every worker; here it is "
                f"{config}"
            ) from error
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def check_config(text: str) -> None:
    """Raise UserError unless TF_CONFIG lists workers and gives the index of this one."""
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        workers, index = cluster["worker"], task["index"]
        is_valid = (
            # With a job "chief" beside the workers, two processes would write.
            list(cluster) == ["worker"]
            and task["type"] == "worker"
            and isinstance(workers, list)
            and all(map(is_address, workers))
            and type(index) is int  # not bool
            and 0 <= index < len(workers)
        )
    except (ValueError, KeyError, TypeError):
        is_valid = False
    if not is_valid:
        raise UserError(
            f"TF_CONFIG is {text!r}, but it has to look like "
            '{"cluster": {"worker": ["host:port", "host:port"]}, "task": {"type": "worker", "index": 0}}, '
            "with an index of its own, from 0, for each worker, ports from 1 to 65535 and no other job"
        )


def is_address(item: object) -> bool:
    """Return whether an item of TF_CONFIG is "host:port"."""
    address = ADDRESS.fullmatch(item) if isinstance(item, str) else None
    return address is not None and 1 <= int(address[1]) <= 65535


def check_same(strategy: tf.distribute.Strategy, fingerprints: Mapping[str, str]) -> None:
    """Raise UserError on every worker if a fingerprint of one differs from the chief's.

    `fingerprints` describes in words what the results depend on, in the same order on every worker.
    """
    if strategy.cluster_resolver is None:
        return
    workers = strategy.cluster_resolver.cluster_spec().num_tasks("worker")
    with explain_failures():
        chief_parts = json.loads(broadcast_from_chief(strategy, json.dumps(fingerprints).encode()))
        # Each worker fills in its own row; the sum shows all rows to all workers.
        differs = np.zeros((workers, len(fingerprints)), np.int64)
        differs[strategy.cluster_resolver.task_id] = [
            chief_parts.get(name) != fingerprint for name, fingerprint in fingerprints.items()
        ]
        differs = sum_over_workers(strategy, differs)
    if differs.any():
        differences = "; ".join(
            f"worker {worker} has other {' and '.join(np.array(list(fingerprints))[row.astype(bool)])}"
            for worker, row in enumerate(differs)
            if row.any()
        )
        raise UserError(
            f"The workers are not on the same job. Compared with worker 0: {differences}. "
            "Copy what differs from worker 0, then start all workers again."
        )


def check_shards(strategy: tf.distribute.Strategy, shards: int) -> None:
    """Raise UserError unless every replica gets the same number of the shards of a batch."""
    replicas = strategy.num_replicas_in_sync
    if replicas & (replicas - 1) or shards % replicas:
        raise UserError(
            f"train.shards is {shards}, but {replicas} workers (or GPUs) train together: their number must "
            "be a power of 2, and train.shards a multiple of it"
        )


def is_chief() -> bool:
    """Return whether this process writes the results: worker 0 of TF_CONFIG, or the only process."""
    config = os.environ.get("TF_CONFIG")
    return config is None or json.loads(config)["task"]["index"] == 0


def broadcast_from_chief(strategy: tf.distribute.Strategy, content: bytes) -> bytes:
    """Return the chief's `content` on every worker."""
    if strategy.cluster_resolver is None:
        return content
    # A sum to which the other workers add zeros: first of the length, then of the bytes.
    own = content if is_chief() else b""
    (length,) = sum_over_workers(strategy, np.array([len(own)]))
    padded = np.frombuffer(own.ljust(length, b"\0"), np.uint8).astype(np.int64)
    return sum_over_workers(strategy, padded).astype(np.uint8).tobytes()


def sum_over_workers(strategy: tf.distribute.Strategy, own: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Add up integers, one array of the same shape from each worker."""

    @tf.function
    def add() -> tf.Tensor:
        def reduce() -> tf.Tensor:
            return tf.distribute.get_replica_context().all_reduce(
                tf.distribute.ReduceOp.SUM, tf.constant(own)
            )

        return strategy.experimental_local_results(strategy.run(reduce))[0]

    # Each GPU of a worker has added that worker's numbers once.
    workers = strategy.cluster_resolver.cluster_spec().num_tasks("worker")
    return add().numpy() // (strategy.num_replicas_in_sync // workers)


@contextmanager
def limit_wait(seconds: int) -> Iterator[None]:
    """Let the system end the process if the block takes longer, and on Ctrl-C and SIGTERM.

    TensorFlow waits inside compiled code, in which no signal handler of Python runs.
    """
    print(f"waiting at most {seconds} s for all workers of TF_CONFIG", file=sys.stderr, flush=True)
    numbers = (signal.SIGALRM, signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)


@contextmanager
def explain_failures() -> Iterator[None]:
    """Turn the error that TensorFlow raises when another worker fails into a UserError."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.AbortedError) as error:
        # The first line after TensorFlow's traceback.
        cause = error.message.strip().rpartition("\n\n")[2].partition("\n")[0]
        cause = cause.removeprefix("Collective ops is aborted by: ").rstrip(":")
        raise UserError(
            f"Another worker stopped answering ({cause}). "
            "Start all workers again with the same commands: finished epochs are kept."
        ) from error
