"""One training job on several machines or GPUs: how they work together, who writes, who knows what.

Machines are named in the environment variable TF_CONFIG, as TensorFlow documents it; every machine runs the
same command on the same data.
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

# Seconds after which a worker that no longer answers is given up.
PATIENCE = 60
# Seconds to wait at the start for workers that have not come yet.
PATIENCE_AT_START = 600
# host:port; an IPv6 address stands in brackets.
ADDRESS = re.compile(r"(?:[\w.-]+|\[[0-9a-f:.]+\]):(\d{1,5})", re.ASCII | re.IGNORECASE)


def build_strategy(patience: int = PATIENCE_AT_START) -> tf.distribute.Strategy:
    """Return how this job is distributed: over TF_CONFIG's workers, over this machine's GPUs, or not at all.

    The process ends by SIGALRM if the other workers do not come within `patience` seconds.

    Raises:
        UserError: TF_CONFIG is not what TensorFlow documents, or this worker cannot listen at its address.
    """
    if "TF_CONFIG" in os.environ:
        config = os.environ["TF_CONFIG"]
        check_config(config)
        options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=PATIENCE)
        try:
            with explain_failures(), limit_wait(patience):
                return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
        except (tf.errors.InvalidArgumentError, tf.errors.UnknownError) as error:
            raise UserError(
                f"This worker cannot listen at its address ({error.message}): give it one of this machine, "
                f"with a port that no other program uses, in every worker's TF_CONFIG; here it is {config}"
            ) from error
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def check_config(text: str) -> None:
    """Raise UserError unless `text` names workers and says which of them this one is."""
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        workers, index = cluster["worker"], task["index"]
        valid = (
            # TensorFlow knows other jobs too; with a chief beside the workers, two would write.
            list(cluster) == ["worker"]
            and task["type"] == "worker"
            and isinstance(workers, list)
            and all(map(is_address, workers))
            and type(index) is int  # true is not 1
            and 0 <= index < len(workers)
        )
    except (ValueError, KeyError, TypeError):
        valid = False
    if not valid:
        raise UserError(
            f"TF_CONFIG is {text!r}, but it has to look like "
            '{"cluster": {"worker": ["host:port", "host:port"]}, "task": {"type": "worker", "index": 0}}, '
            "with an index of its own, from 0, for each worker, ports from 1 to 65535 and no other job"
        )


def is_address(item: object) -> bool:
    """Tell whether an item of TF_CONFIG is "host:port"."""
    address = ADDRESS.fullmatch(item) if isinstance(item, str) else None
    return address is not None and 1 <= int(address[1]) <= 65535


def check_same(strategy: tf.distribute.Strategy, parts: Mapping[str, str]) -> None:
    """Raise UserError, on every worker, unless all of them have the chief's fingerprint of every part.

    `parts` maps what a worker works with, in words and in the same order everywhere, to its fingerprint.
    """
    if strategy.cluster_resolver is None:
        return
    workers = strategy.cluster_resolver.cluster_spec().num_tasks("worker")
    with explain_failures():
        chiefs = json.loads(broadcast_from_chief(strategy, json.dumps(parts).encode()))
        # A row a worker, which fills in its own: the sum shows all of them to everyone.
        differs = np.zeros((workers, len(parts)), np.int64)
        differs[strategy.cluster_resolver.task_id] = [chiefs.get(name) != own for name, own in parts.items()]
        differs = sum_over_workers(strategy, differs)
    if differs.any():
        differences = "; ".join(
            f"worker {worker} has other {' and '.join(np.array(list(parts))[row.astype(bool)])}"
            for worker, row in enumerate(differs)
            if row.any()
        )
        raise UserError(
            f"The workers are not on the same job. Compared with worker 0: {differences}. "
            "Copy what differs from worker 0, then start all workers again."
        )


def check_shards(strategy: tf.distribute.Strategy, shards: int) -> None:
    """Raise UserError unless every replica gets the same number of a batch's shards."""
    replicas = strategy.num_replicas_in_sync
    if replicas & (replicas - 1) or shards % replicas:
        raise UserError(
            f"train.shards is {shards}, but {replicas} workers (or GPUs) work together: their number has to "
            "be a power of 2, and train.shards a multiple of it"
        )


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Tell whether this process is the one that writes: worker 0, or the only one."""
    resolver = strategy.cluster_resolver
    return resolver is None or resolver.task_id in (None, 0)


def broadcast_from_chief(strategy: tf.distribute.Strategy, content: bytes) -> bytes:
    """Return the chief's `content` on every worker."""
    if strategy.cluster_resolver is None:
        return content
    # Everyone else adds zeros to what the chief has: first to its length, then to its bytes.
    mine = content if is_chief(strategy) else b""
    (length,) = sum_over_workers(strategy, np.array([len(mine)]))
    padded = np.frombuffer(mine.ljust(length, b"\0"), np.uint8).astype(np.int64)
    return sum_over_workers(strategy, padded).astype(np.uint8).tobytes()


def sum_over_workers(strategy: tf.distribute.Strategy, mine: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Add up whole numbers, one array of the same shape from each worker."""

    @tf.function
    def add() -> tf.Tensor:
        def replica() -> tf.Tensor:
            return tf.distribute.get_replica_context().all_reduce(
                tf.distribute.ReduceOp.SUM, tf.constant(mine)
            )

        return strategy.experimental_local_results(strategy.run(replica))[0]

    # Every GPU of a worker adds that worker's numbers once.
    workers = strategy.cluster_resolver.cluster_spec().num_tasks("worker")
    return add().numpy() // (strategy.num_replicas_in_sync // workers)


@contextmanager
def limit_wait(seconds: int) -> Iterator[None]:
    """Let the system end the process if the block takes longer, or on Ctrl-C and SIGTERM.

    TensorFlow waits inside compiled code, where no handler written in Python would ever run.
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
    """Turn the failure of another worker into a UserError."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.AbortedError) as error:
        raise UserError(
            f"Another worker stopped answering ({find_cause(error.message)}). "
            "Start all workers again with the same commands: finished epochs are kept."
        ) from error


def find_cause(message: str) -> str:
    """Pick from a message of TensorFlow the line that says what happened: the first after its traceback."""
    last_paragraph = message.strip().rpartition("\n\n")[2]
    return last_paragraph.partition("\n")[0].removeprefix("Collective ops is aborted by: ").rstrip(":")
