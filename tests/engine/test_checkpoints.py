"""Checkpoints: what is loaded is what was saved, for the same run alone, by one process at a time."""

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cae.core.errors import UserError
from cae.engine.checkpoints import Checkpoint, State

ROOT = Path(__file__).parents[2]
STATE = State(
    {"weights": [np.arange(3, dtype=np.float32)], "optimizer": [np.array(7)], "best_weights": []},
    {"history": [{"epoch": 1, "loss": 1 / 3}], "stopping": {"wait": 0}},
)

HOLD = """
import sys
from pathlib import Path
from cae.engine.checkpoints import Checkpoint
with Checkpoint(Path(sys.argv[1]), "run").lock():
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_there_is_nothing_to_load_at_first(tmp_path: Path) -> None:
    assert Checkpoint(tmp_path, "run").load() is None


@given(
    st.lists(
        arrays.arrays(np.float32, arrays.array_shapes(min_dims=0), elements=st.floats(width=32)), max_size=12
    ),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_every_bit_comes_back(
    tmp_path_factory: pytest.TempPathFactory, weights: list[np.ndarray], loss: float
) -> None:
    checkpoint = Checkpoint(tmp_path_factory.mktemp("checkpoints"), "run")
    checkpoint.save(State({"weights": weights}, {"loss": loss}))
    loaded = checkpoint.load()
    assert loaded is not None
    assert loaded.values == {"loss": loss}
    assert [a.tobytes() for a in loaded.arrays.get("weights", [])] == [a.tobytes() for a in weights]
    assert [a.shape for a in loaded.arrays.get("weights", [])] == [a.shape for a in weights]


def test_the_newest_state_replaces_the_old_one(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, "run")
    for epoch in (1, 2):
        checkpoint.save(State({}, {"epoch": epoch}))
    loaded = checkpoint.load()
    assert loaded is not None
    assert loaded.values == {"epoch": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["run.state"]


def test_another_run_does_not_see_it(tmp_path: Path) -> None:
    Checkpoint(tmp_path, "run").save(STATE)
    assert Checkpoint(tmp_path, "other").load() is None


@given(st.data())
def test_a_damaged_file_is_set_aside_and_named(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    checkpoint = Checkpoint(tmp_path_factory.mktemp("checkpoints"), "run")
    checkpoint.save(STATE)
    whole = checkpoint.path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytes([whole[place] ^ 1 << data.draw(st.integers(0, 7))])
    damaged = data.draw(
        st.sampled_from(
            [whole[:place], whole[place + 1 :], whole[:place] + flipped + whole[place + 1 :], whole + b"\0"]
        )
        | st.binary(max_size=100)
    )
    checkpoint.path.write_bytes(damaged)
    with redirect_stderr(io.StringIO()) as said:
        assert checkpoint.load() is None
    assert f"{checkpoint.path}, where training was to go on, is damaged" in said.getvalue()
    assert checkpoint.path.with_suffix(".damaged").read_bytes() == damaged
    assert checkpoint.load() is None
    checkpoint.save(STATE)
    assert checkpoint.load() is not None


def test_a_folder_in_the_place_of_a_state_is_set_aside(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, "run")
    for _ in range(2):
        checkpoint.path.mkdir()
        (checkpoint.path / "file").touch()
        assert checkpoint.load() is None
    assert not checkpoint.path.exists()


def test_a_file_that_may_not_be_read_is_no_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    checkpoint = Checkpoint(tmp_path, "run")
    checkpoint.save(STATE)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", refuse)
        with pytest.raises(UserError, match=r"run\.state, .* cannot be read \(Permission denied\)"):
            checkpoint.load()
    assert checkpoint.load() is not None


def test_the_state_of_another_run_under_this_name_is_not_taken(tmp_path: Path) -> None:
    other, checkpoint = Checkpoint(tmp_path, "other"), Checkpoint(tmp_path, "run")
    other.save(STATE)
    other.path.rename(checkpoint.path)
    assert checkpoint.load() is None


def test_clearing_removes_every_state(tmp_path: Path) -> None:
    Checkpoint(tmp_path, "older").save(STATE)
    checkpoint = Checkpoint(tmp_path, "run")
    checkpoint.save(STATE)
    (tmp_path / "run.damaged").touch()
    (tmp_path / "older.damaged").mkdir()
    checkpoint.clear()
    assert not list(tmp_path.iterdir())


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock of a folder until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_with_the_first_ones_number(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(UserError, match=f"kill {holder.pid}"), Checkpoint(tmp_path, "run").lock():
        pass


def test_a_killed_process_leaves_no_lock(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.wait()
    with Checkpoint(tmp_path, "run").lock():
        assert (tmp_path / "lock").exists()
