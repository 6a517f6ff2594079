"""Exact resume: what a training run needs to go on after being killed, as if it never was.

One file holds everything after a finished epoch; it is replaced atomically, so a kill at any moment leaves
the state of the last finished epoch. The file is named by a fingerprint of data, parameters and code, and
ends in a digest of that name and its content: a run never picks up another's state, or a damaged one.
"""

import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cae.core import files
from cae.core.errors import UserError

try:
    import fcntl
except ImportError:  # Windows: no lock
    fcntl = None  # type: ignore[assignment]  # the module does not exist there

Arrays = Sequence[npt.NDArray[Any]]
# Bytes of a SHA-256.
DIGEST = 32


@dataclass(frozen=True)
class State:
    """A training run after a finished epoch."""

    arrays: Mapping[str, Arrays]  # "weights", "optimizer" and "best_weights"
    values: Mapping[str, Any]  # numbers that JSON holds exactly: history, early stopping

    def to_bytes(self) -> bytes:
        """Pack everything into one `.npz`."""
        arrays = {
            f"{group}/{index:03}": array
            for group, members in self.arrays.items()
            for index, array in enumerate(members)
        }
        with io.BytesIO() as buffer:
            np.savez(buffer, allow_pickle=False, values=np.array(json.dumps(self.values)), **arrays)
            return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "State":
        """Unpack what `to_bytes` packed, every bit of it."""
        arrays: dict[str, list[npt.NDArray[Any]]] = {}
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            values = json.loads(str(file["values"]))
            for key in sorted(set(file.files) - {"values"}):
                arrays.setdefault(key.partition("/")[0], []).append(file[key])
        return cls(arrays, values)


@dataclass(frozen=True)
class Checkpoint:
    """The saved state of one run; `name` is the run's fingerprint."""

    folder: Path
    name: str

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / f"{self.name}.state"

    def compute_digest(self, content: bytes) -> bytes:
        """Return the SHA-256 that stands behind the content of the file."""
        return hashlib.sha256(self.name.encode() + content).digest()

    def save(self, state: State) -> None:
        """Replace the saved state.

        Raises:
            UserError: the folder cannot be written or the disk is full; the old state is kept.
        """
        content = state.to_bytes()
        files.write_bytes(self.path, content + self.compute_digest(content))

    def load(self) -> State | None:
        """Return the saved state, or None where there is none, or a damaged one, which is set aside.

        Raises:
            UserError: it cannot be read, or is damaged and cannot be set aside.
        """
        try:
            stored = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            self.set_aside("a folder")
            return None
        except OSError as error:
            raise UserError(
                f"{self.path}, where training goes on, cannot be read ({error.strerror}): make it readable, "
                "or delete it; then training starts afresh"
            ) from error
        content, digest = stored[:-DIGEST], stored[-DIGEST:]
        if digest != self.compute_digest(content):
            self.set_aside("not what was saved")
            return None
        return State.from_bytes(content)

    def set_aside(self, reason: str) -> None:
        """Move the file out of the way, and say so; UserError where that fails."""
        aside = self.path.with_suffix(".damaged")
        try:
            remove(aside)
            self.path.replace(aside)
        except OSError as error:
            raise UserError(
                f"{self.path}, where training goes on, cannot be read ({reason}), nor moved away "
                f"({error.strerror}): delete it, then run again; training starts afresh"
            ) from error
        print(
            f"note: {self.path}, where training was to go on, is damaged ({reason}): it is now {aside}, and "
            "training starts afresh",
            file=sys.stderr,
        )

    def clear(self) -> None:
        """Remove this run's state, those of killed runs with other fingerprints, and damaged ones."""
        for path in (*self.folder.glob("*.state"), *self.folder.glob("*.damaged")):
            remove(path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other process off the folder while the block runs.

        The system drops the lock when the process ends, however it ends.

        Raises:
            UserError: another process holds it; a killed `dvc` can leave its training process alive.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / "lock").open("a+")
        except OSError as error:
            raise UserError(
                f"{self.folder} cannot be written: {error.strerror}. Make it writable."
            ) from error
        with file:
            try:
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                holder = file.read().strip()
                raise UserError(
                    f"Process {holder} is already training here. Wait for it to end, or stop it with "
                    f"kill {holder}; then run again: what it has finished is kept."
                ) from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def remove(path: Path) -> None:
    """Remove a file, or a folder with what it holds, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
