"""Damage checkpoints at random: python -m checks.fuzz_checkpoints [--count N] [--seed N].

A damaged file must either give exactly the state that was saved, or be set aside so that training starts from
the beginning; in both cases training must end with the network of a run that was never killed. Most files are
only loaded; training resumes from every fiftieth.
"""

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import stages  # noqa: F401  # sets the environment variables before NumPy and TensorFlow load

# isort: split
import keras
import numpy as np

from behaviour.training import KillError
from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.engine.engine import choose_engine
from cae.networks import tasks
from cae.networks.settings import Recipe
from checks.fuzz import damage

RECIPE = Recipe(epochs=2, batch_size=4, learning_rate=0.01, patience=5, shards=2, seed=1, engine="fast")
IMAGES = np.random.default_rng(0).random((12, 4, 4, 1), dtype=np.float32)
# Training resumes from one in so many files.
TRAINED = 50


def train(checkpoint: Checkpoint, killed: bool = False) -> bytes:
    """Train a small network, or stop after an epoch as if killed; return its weights."""

    def kill(_: object) -> None:
        raise KillError

    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
    task = tasks.reconstruct(network, choose_engine("fast"), "cross_entropy")
    with contextlib.suppress(KillError):
        training.fit(task, IMAGES, IMAGES, RECIPE, checkpoint, record=kill if killed else None)
    return b"".join(weights.tobytes() for weights in network.get_weights())


def load(checkpoint: Checkpoint, content: bytes, expected: bytes) -> str:
    """Load a checkpoint file of this content; return how it ended. `expected` is the state that was saved."""
    checkpoint.path.write_bytes(content)
    output = io.StringIO()
    with contextlib.redirect_stderr(output):
        state = checkpoint.load()
    if state is None:
        return "set aside" if str(checkpoint.path) in output.getvalue() else "set aside without a note"
    return "resumed" if state.to_bytes() == expected else "another state"


def resume(checkpoint: Checkpoint, content: bytes, expected: bytes) -> str:
    """Resume training from a checkpoint file of this content; return whether it ends with these weights."""
    checkpoint.path.write_bytes(content)
    with contextlib.redirect_stderr(io.StringIO()):
        return "trained" if train(checkpoint) == expected else "another network"


def main() -> int:
    """Damage and load the files; print how they ended."""
    parser = argparse.ArgumentParser(prog="python -m checks.fuzz_checkpoints", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="damaged files")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="another one makes other files")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    outcomes = Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        weights = train(Checkpoint(Path(folder) / "whole", "run"))
        checkpoint = Checkpoint(Path(folder) / "killed", "run")
        train(checkpoint, killed=True)
        content, state = checkpoint.path.read_bytes(), checkpoint.load()
        assert state is not None
        for index in range(arguments.count):
            # The first file is not damaged: training must resume from it.
            stored = damage({checkpoint.path.name: content}, arguments.seed, index)[1] if index else content
            try:
                outcomes[load(checkpoint, stored, state.to_bytes())] += 1
                if index % TRAINED == 0:
                    outcomes[resume(checkpoint, stored, weights)] += 1
            except Exception as error:
                outcomes[f"{type(error).__name__}: {error}"] += 1
    for result, times in sorted(outcomes.items()):
        print(f"{result:24} {times:6}")
    return int(bool(set(outcomes) - {"set aside", "resumed", "trained"}))


if __name__ == "__main__":
    sys.exit(main())
