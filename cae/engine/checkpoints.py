"""Checkpoints: the state of a training run after its last finished epoch, from which a killed run resumes.

A checkpoint is one file, FINGERPRINT.state. The fingerprint is computed from data, parameters and code, so a
run never resumes from the state of another one. The file is replaced atomically after each epoch, so a kill
at any moment leaves the state of the last finished epoch. It ends in a digest, so damage is noticed.
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
DIGEST_BYTES = 32  # of SHA-256


@dataclass(frozen=True)
class State:
    """A training run after a finished epoch."""

    arrays: Mapping[str, Arrays]  # "weights", "optimizer" and "best_weights"
    values: Mapping[str, Any]  # what JSON stores exactly: the history and early stopping

    def to_bytes(self) -> bytes:
        """Return everything as the content of one `.npz` file."""
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
        """Return the state that `to_bytes` turned into `content`, equal to the bit."""
        arrays: dict[str, list[npt.NDArray[Any]]] = {}
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            values = json.loads(str(file["values"]))
            for key in sorted(set(file.files) - {"values"}):
                arrays.setdefault(key.partition("/")[0], []).append(file[key])
        return cls(arrays, values)


@dataclass(frozen=True)
class Checkpoint:
    """The stored state of one network of one run.

    A folder belongs to one run at a time, which holds its lock.
    """

    folder: Path
    run: str  # the fingerprint of the run
    network: str = ""  # which network, if the run trains several

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / f"{'-'.join(filter(None, (self.run, self.network)))}.state"

    def save(self, state: State) -> None:
        """Replace the stored state, then remove the states of earlier runs, which were killed.

        Raises:
            UserError: the folder cannot be written or the disk is full; the old state is kept.
        """
        content = state.to_bytes()
        files.write_bytes(self.path, content + self.compute_digest(content))
        for path in list_leftovers(self.folder):
            if not path.name.startswith(self.run):
                remove(path)

    def load(self) -> State | None:
        """Return the stored state, or None if there is none; a damaged file is renamed and reported.

        Raises:
            UserError: the file cannot be read, or is damaged and cannot be renamed.
        """
        try:
            stored = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            self.set_aside("it is a folder")
            return None
        except OSError as error:
            raise UserError(
                f"The checkpoint {self.path} cannot be read ({error.strerror}): make it readable to resume "
                "training, or delete it to start from the beginning"
            ) from error
        content, digest = stored[:-DIGEST_BYTES], stored[-DIGEST_BYTES:]
        if digest != self.compute_digest(content):
            self.set_aside("its digest is wrong")
            return None
        return State.from_bytes(content)

    def compute_digest(self, content: bytes) -> bytes:
        """Return the SHA-256 of the file's name and content, which the file ends in."""
        return hashlib.sha256(self.path.stem.encode() + content).digest()

    def set_aside(self, reason: str) -> None:
        """Rename a damaged file to NAME.damaged and print a note; UserError if it cannot be renamed."""
        damaged = self.path.with_suffix(".damaged")
        try:
            remove(damaged)
            self.path.replace(damaged)
        except OSError as error:
            raise UserError(
                f"The checkpoint {self.path} is damaged ({reason}) and cannot be renamed "
                f"({error.strerror}): delete it, then run again; training starts from the beginning"
            ) from error
        print(
            f"note: the checkpoint {self.path} is damaged ({reason}). It was renamed to {damaged}, and "
            "training starts from the beginning",
            file=sys.stderr,
        )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other run out of the folder while the block runs.

        The system releases the lock when the process ends, even if it is killed.

        Raises:
            UserError: another process holds the lock; a killed `dvc` can leave its training process alive.
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
                    f"Process {holder} is already training here. Wait until it ends, or stop it with "
                    f"kill {holder} and run again: its finished epochs are kept."
                ) from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def list_leftovers(folder: Path) -> list[Path]:
    """List what runs have left in a folder of checkpoints, files half-written at a kill included."""
    return [path for pattern in ("*.state", "*.damaged", ".*.part") for path in folder.glob(pattern)]


def remove(path: Path) -> None:
    """Remove a file, or a folder with its content, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
