"""One training job on several machines or GPUs: how they work together, who writes, who knows what.

Machines are named in the environment variable TF_CONFIG, as TensorFlow documents it; every machine runs the
same command on the same data.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from cae.errors import UserError

# Seconds after which a worker that no longer answers is given up.
PATIENCE = 60
# Seconds to wait at the start for workers that have not come yet.
PATIENCE_AT_START = 600


def strategy(patience: int = PATIENCE_AT_START) -> tf.distribute.Strategy:
    """Return how this job is distributed: over TF_CONFIG's workers, over this machine's GPUs, or not at all.

    The process ends by SIGALRM if the other workers do not come within `patience` seconds.

    Raises:
        UserError: TF_CONFIG is not what TensorFlow documents.
    """
    if "TF_CONFIG" in os.environ:
        check_config(os.environ["TF_CONFIG"])
        options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=PATIENCE)
        with explained(), bounded(patience):
            return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def check_config(text: str) -> None:
    """Raise UserError unless `text` names workers and says which of them this one is."""
    try:
        config = json.loads(text)
        workers, index = config["cluster"]["worker"], config["task"]["index"]
        valid = config["task"]["type"] == "worker" and 0 <= index < len(workers)
    except (ValueError, KeyError, TypeError):
        valid = False
    if not valid:
        raise UserError(
            f"TF_CONFIG is {text!r}, but it has to look like "
            '{"cluster": {"worker": ["host:port", "host:port"]}, "task": {"type": "worker", "index": 0}}, '
            "with an index of its own for each worker"
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


def from_chief(strategy: tf.distribute.Strategy, content: bytes) -> bytes:
    """Return the chief's `content` on every worker."""
    if strategy.cluster_resolver is None:
        return content
    # Everyone else adds zeros to what the chief has: first to its length, then to its bytes.
    mine = content if is_chief(strategy) else b""
    (length,) = added(strategy, np.array([len(mine)]))
    padded = np.frombuffer(mine.ljust(length, b"\0"), np.uint8).astype(np.int64)
    return added(strategy, padded).astype(np.uint8).tobytes()


def added(strategy: tf.distribute.Strategy, mine: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
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
def bounded(seconds: int) -> Iterator[None]:
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
def explained() -> Iterator[None]:
    """Turn the failure of another worker into a UserError."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.AbortedError) as error:
        first_line = error.message.partition("\n")[0]
        raise UserError(
            f"Another worker stopped answering ({first_line}). "
            "Start all workers again with the same commands: finished epochs are kept."
        ) from error
