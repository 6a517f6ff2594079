"""What every contender's process does: get ready, say so, then train when told.

Nothing but the standard library is imported: each contender decides when NumPy is loaded, and with what
environment.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def arguments() -> argparse.Namespace:
    """Read what `benchmarks.contenders` asks of a process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=("rounds", "target"), help="time epochs, or train to a target")
    parser.add_argument("--network", required=True, help="what is trained, as params.yaml names it")
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared images")
    parser.add_argument("--images", type=int, required=True, help="train on the first so many")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--mode", nargs="*", default=[], help="what makes this contender special")
    parser.add_argument("--epochs", type=int, help="at most so many on the way to the target")
    parser.add_argument("--target", type=float, help="validation binary cross-entropy to reach")
    return parser.parse_args()


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Channel:
    """The line to the process that runs the benchmark: JSON, one message a line."""

    def __init__(self) -> None:
        # What a library prints must not get between the messages: it goes to stderr.
        self.out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def say(self, **message: Any) -> None:
        """Send one message."""
        print(json.dumps(message), file=self.out, flush=True)

    def serve(self, epoch: Callable[[], object]) -> None:
        """Run an epoch whenever a line comes in, and answer with its seconds; end when stdin is closed."""
        self.say(ready=True)
        for _ in sys.stdin:
            start = time.perf_counter()
            epoch()
            self.say(seconds=time.perf_counter() - start)

    def reporter(self, network: Any, target: float) -> Callable[[int, dict[str, Any]], None]:
        """Return an `on_epoch_end` that reports every epoch and stops at the target; its clock starts now."""
        self.say(ready=True)
        start = time.perf_counter()

        def on_epoch_end(epoch: int, logs: dict[str, Any]) -> None:
            seconds, loss = time.perf_counter() - start, float(logs["val_loss"])
            self.say(epoch=epoch + 1, seconds=seconds, val_loss=loss)
            if loss <= target:
                network.stop_training = True

        return on_epoch_end
