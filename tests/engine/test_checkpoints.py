"""Checkpoints: a run resumes from its own last state alone, and one process at a time uses a folder."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cae.core.errors import UserError
from cae.engine.checkpoints import Checkpoint, State

STATE = State({"weights": [np.arange(3, dtype=np.float32)]}, {"history": [{"epoch": 1, "loss": 1 / 3}]})
# Locks a folder until its input ends.
LOCK = """
import sys
from pathlib import Path
from cae.engine.checkpoints import Checkpoint
with Checkpoint(Path(sys.argv[1]), "run").lock():
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(tmp_path, "run")


@given(
    st.lists(
        arrays.arrays(np.float32, arrays.array_shapes(min_dims=0), elements=st.floats(width=32)), max_size=12
    ),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_state_is_restored_to_the_bit(weights: list[np.ndarray], loss: float) -> None:
    restored = State.from_bytes(State({"weights": weights}, {"loss": loss}).to_bytes())
    assert restored.values == {"loss": loss}
    found = restored.arrays.get("weights", [])
    assert [(array.shape, array.tobytes()) for array in found] == [(a.shape, a.tobytes()) for a in weights]


def test_the_newest_state_replaces_the_old_one(checkpoint: Checkpoint) -> None:
    assert checkpoint.load() is None
    for epoch in (1, 2):
        checkpoint.save(State({}, {"epoch": epoch}))
    assert checkpoint.load() == State({}, {"epoch": 2})


def test_a_run_does_not_load_the_state_of_another_one(checkpoint: Checkpoint) -> None:
    other = Checkpoint(checkpoint.folder, "other")
    other.save(STATE)
    assert checkpoint.load() is None
    # Not even under its own name.
    other.path.rename(checkpoint.path)
    assert checkpoint.load() is None


def test_a_run_that_has_a_state_removes_those_of_earlier_runs(checkpoint: Checkpoint) -> None:
    earlier = Checkpoint(checkpoint.folder, "earlier")
    earlier.save(STATE)
    # Loading removes nothing: a run that is stopped in its first epoch costs no other run its state.
    checkpoint.load()
    assert earlier.path.exists()
    earlier.path.with_suffix(".damaged").mkdir()
    (checkpoint.folder / ".earlier.state.0123.part").touch()
    second = Checkpoint(checkpoint.folder, "run", network="2")
    for one in (checkpoint, second):
        one.save(STATE)
    assert set(checkpoint.folder.iterdir()) == {checkpoint.path, second.path}


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "shorter": lambda whole: whole[:-1],
    "without its first byte": lambda whole: whole[1:],
    "one bit": lambda whole: whole[:9] + bytes([whole[9] ^ 4]) + whole[10:],
    "longer": lambda whole: whole + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_renamed_and_reported(
    damage: Callable[[bytes], bytes], checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint.save(STATE)
    damaged = damage(checkpoint.path.read_bytes())
    checkpoint.path.write_bytes(damaged)
    assert checkpoint.load() is None
    assert f"the checkpoint {checkpoint.path} is damaged" in capsys.readouterr().err
    assert checkpoint.path.with_suffix(".damaged").read_bytes() == damaged
    assert checkpoint.load() is None


def test_a_folder_in_the_place_of_a_state_is_renamed(checkpoint: Checkpoint) -> None:
    for _ in range(2):
        checkpoint.path.mkdir()
        (checkpoint.path / "file").touch()
        assert checkpoint.load() is None
    assert not checkpoint.path.exists()


def test_a_file_without_read_permission_is_kept(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    checkpoint.save(STATE)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", refuse)
        with pytest.raises(UserError, match=r"run\.state cannot be read \(Permission denied\)"):
            checkpoint.load()
    assert checkpoint.load() is not None


def test_a_lock_excludes_other_processes_until_its_own_one_ends(checkpoint: Checkpoint) -> None:
    command = [sys.executable, "-c", LOCK, str(checkpoint.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(UserError, match=f"kill {holder.pid}"), checkpoint.lock():
            pass
        holder.kill()
        holder.wait()
    with checkpoint.lock():
        assert (checkpoint.folder / "lock").exists()
