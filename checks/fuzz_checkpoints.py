"""Damage checkpoints at random: python -m checks.fuzz_checkpoints [--count N] [--seed N].

Each damaged file either holds the state that was saved, to the bit, or is set aside and training starts
afresh; in either case it must end with the network of a run that was never killed. Most files are only
loaded; every fiftieth is trained on from.
"""

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import stages  # noqa: F401  # pins the environment, before NumPy and TensorFlow load

# isort: split
import keras
import numpy as np

from behaviour.training import KillError
from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.engine.engine import choose_engine
from cae.networks import tasks
from cae.networks.settings import Recipe
from checks.fuzz import damaged

RUN = Recipe(epochs=2, batch_size=4, learning_rate=0.01, patience=5, shards=2, seed=1, engine="fast")
IMAGES = np.random.default_rng(0).random((12, 4, 4, 1), dtype=np.float32)
# Loaded files for one that is trained on from.
LOADS = 50


def train(checkpoint: Checkpoint, killed: bool = False) -> bytes:
    """Train a small network, or break off after an epoch; return its weights."""

    def kill(_: object) -> None:
        raise KillError

    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
    with contextlib.suppress(KillError):
        training.fit(
            tasks.reconstruct(network, choose_engine("fast"), "cross_entropy"),
            IMAGES,
            IMAGES,
            RUN,
            checkpoint,
            record=kill if killed else None,
        )
    return b"".join(weights.tobytes() for weights in network.get_weights())


def outcome(checkpoint: Checkpoint, content: bytes, saved: bytes, whole: bytes | None) -> str:
    """Load a file of this content, train on from it where `whole` says with which end; say how it ended."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            if whole is not None:
                checkpoint.path.write_bytes(content)
                if train(checkpoint) != whole:
                    return "another network"
            checkpoint.path.write_bytes(content)
            state = checkpoint.load()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if state is None:
        return "set aside" if str(checkpoint.path) in said.getvalue() else "set aside in silence"
    return "resumed" if state.to_bytes() == saved else "another state"


def main() -> int:
    """Damage and load the files, and print how they ended."""
    parser = argparse.ArgumentParser(prog="python -m checks.fuzz_checkpoints", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="damaged files")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="another one, other damage")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    outcomes = Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        whole = train(Checkpoint(Path(folder) / "whole", "run"))
        checkpoint = Checkpoint(Path(folder) / "killed", "run")
        train(checkpoint, killed=True)
        content, state = checkpoint.path.read_bytes(), checkpoint.load()
        assert state is not None
        for index in range(arguments.count):
            end = whole if index % LOADS == 0 else None
            # The first is whole, to see that such a one is resumed.
            stored = damaged({checkpoint.path.name: content}, arguments.seed, index)[1] if index else content
            outcomes[outcome(checkpoint, stored, state.to_bytes(), end)] += 1
    for result, times in sorted(outcomes.items()):
        print(f"{result:24} {times:6}")
    return int(bool(set(outcomes) - {"set aside", "resumed"}))


if __name__ == "__main__":
    sys.exit(main())
