"""The benchmark's side of a contender's process: start it, talk to it, watch its memory."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from cae.core.environment import VARIABLES

ROOT = Path(__file__).parents[1]
# Neither what cae pins for itself nor a shell's leftovers may slow the stock contenders; ours pins it anew.
STEERING = ("OPENBLAS_", "OMP_", "MKL_", "ONEDNN_")
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in VARIABLES and not name.startswith(STEERING)
}
# Seconds between two looks at a process's memory.
LOOK = 0.1


class FailedError(Exception):
    """A contender's process failed before it answered; the message is its last line on stderr."""


def memory(pid: int) -> dict[str, int]:
    """Return a process's memory in bytes, `anonymous` now and `resident` at its peak; {} where not Linux.

    Anonymous memory is what the process needs: pages of a mapped file are counted as resident, but the
    system drops them as it likes.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    fields = dict(line.split(":", 1) for line in lines)
    names = {"anonymous": "RssAnon", "resident": "VmHWM"}
    return {ours: int(fields[name].split()[0]) * 1024 for ours, name in names.items() if name in fields}


class Process:
    """A contender's process, `python -m MODULE JOB --OPTION VALUE …`, as a context manager.

    Attributes:
        peaks: the largest memory seen while waiting for an answer, bytes, as `memory` names it.
        started: when the process was started, on the clock of `time.perf_counter`.
    """

    def __init__(
        self,
        module: str,
        job: str,
        options: Mapping[str, object],
        mode: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        command = [sys.executable, "-m", module, job]
        command += [f"--{name}={value}" for name, value in options.items() if value is not None]
        self.peaks: dict[str, int] = {}
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed in __exit__)
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [*command, *(["--mode", *mode] if mode else [])],
            cwd=ROOT,
            env={**ENVIRONMENT, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def __enter__(self) -> "Process":
        """Return the process."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()

    def hear(self) -> dict[str, Any]:
        """Wait for the next message.

        Raises:
            EOFError: the process has done all it had to do and ended.
            FailedError: it failed.
        """
        out = self.process.stdout
        assert out is not None
        while not select.select([out], [], [], LOOK)[0]:
            self.look()
        self.look()
        line = out.readline()
        if not line:
            if self.process.wait() == 0:
                raise EOFError
            self.errors.seek(0)
            said = [line for line in self.errors.read().splitlines() if line.strip()]
            if self.process.returncode < 0:
                said.append(f"killed by {signal.Signals(-self.process.returncode).name}")
            raise FailedError(said[-1] if said else f"exit code {self.process.returncode}")
        return json.loads(line)

    def ready(self) -> float:
        """Wait until the contender has loaded and compiled; return the seconds since the process started."""
        self.hear()
        return time.perf_counter() - self.started

    def epoch(self) -> float:
        """Run an epoch and return its seconds."""
        stdin = self.process.stdin
        assert stdin is not None
        # Where the pipe is broken, hear() tells what the process died of.
        with suppress(BrokenPipeError):
            print("go", file=stdin, flush=True)
        return float(self.hear()["seconds"])

    def look(self) -> None:
        """Take note of the memory."""
        for name, value in memory(self.process.pid).items():
            self.peaks[name] = max(value, self.peaks.get(name, 0))
