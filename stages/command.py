"""How a stage starts and ends at the terminal."""

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from cae.core import environment
from cae.core.errors import UserError


class Stopped(BaseException):
    """The user or the system asked the process to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def stop(number: int, _: FrameType | None) -> None:
    """Unwind the stack, so that temporary files are removed on the way out."""
    raise Stopped(number)


def run_module(name: str, check_parameters: Callable[[], object]) -> None:
    """Run `main` of a module as a stage; a wrong parameter is told before anything heavy is imported."""

    def stage() -> None:
        check_parameters()
        environment.import_quietly(name).main()

    run(stage)


def run(stage: Callable[[], None]) -> None:
    """Run a stage and end the process as its user expects.

    A user's mistake is told in plain words on stderr and ends with exit code 1; SIGINT and SIGTERM end
    with 128 and the signal's number, as in a shell. The time taken is printed and written nowhere.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    start = time.monotonic()
    try:
        stage()
    except UserError as error:
        sys.exit(f"error: {error}")
    except Stopped as stopped:
        print(
            f"stopped by {stopped}: nothing half-written was left. Run the same command again to go on: "
            "training resumes after its last finished epoch, anything else starts afresh.",
            file=sys.stderr,
            flush=True,
        )
        sys.stdout.flush()
        # Threads in compiled code may go on for long, and crash where Python is taken down under them.
        os._exit(128 + stopped.number)
    print(f"done in {time.monotonic() - start:.0f} s")
