"""What the commands on own pictures take of few pictures and of many."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import memory, processes
from cae.engine import training
from own import settings

on_linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells")
MEBIBYTE = 2**20
TABLE = pd.DataFrame(
    [
        ("own.prepare", 10, 2.0, 100 * MEBIBYTE, 300 * MEBIBYTE),
        ("cae score", 10, 4.0, 200 * MEBIBYTE, 400 * MEBIBYTE),
        ("own.prepare", 1600, 21.0, 110 * MEBIBYTE, 1500 * MEBIBYTE),
        ("cae score", 1600, 60.0, 200 * MEBIBYTE, 400 * MEBIBYTE),
    ],
    columns=["command", "pictures", "seconds", "anonymous", "resident"],
)


@pytest.mark.parametrize(
    "expected",
    [
        "| `own.prepare` | 2 → 21 | 10.50 | 100 → 110 | 1.10 | 300 → 1,500 | 5.00 |",
        "| `cae score` | 4 → 60 | 15.00 | 200 → 200 | 1.00 | 400 → 400 | 1.00 |",
    ],
)
def test_every_command_is_compared_with_itself_on_fewer_pictures(expected: str) -> None:
    assert expected in memory.compared(TABLE).splitlines()


def test_the_table_says_how_many_pictures_there_are() -> None:
    assert memory.compared(TABLE).startswith("| 10 → 1,600 pictures | seconds |")


def test_a_table_read_from_its_file_compares_the_same(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "memory.csv", index=False)
    assert memory.compared(pd.read_csv(tmp_path / "memory.csv")) == memory.compared(TABLE)


def test_a_project_is_made_whose_parameters_are_valid(tmp_path: Path) -> None:
    memory.begin(tmp_path, 2)
    own = settings.load(tmp_path)
    assert own.model.name == "convolutional"
    assert own.run.epochs == 1
    assert (tmp_path / "dvc.yaml").is_file()


def test_its_pictures_are_grey_and_differ(tmp_path: Path) -> None:
    memory.begin(tmp_path, 2)
    first, second = (np.asarray(Image.open(path)) for path in sorted((tmp_path / "images").iterdir()))
    assert first.shape == second.shape == (memory.SIDE, memory.SIDE)
    assert first.dtype == np.uint8
    assert (first != second).any()


def test_even_the_fewer_pictures_fill_a_call_of_training_and_one_of_validation(tmp_path: Path) -> None:
    memory.begin(tmp_path, 1)
    own = settings.load(tmp_path)
    picture = np.zeros((memory.SIDE, memory.SIDE, 1), np.float32)
    pieces = memory.PICTURES * len(list(own.data.preprocessing.cut(picture)))
    assert pieces * min(own.split.train, own.split.validation) >= training.IMAGES_A_CALL


def test_the_network_that_scores_is_the_one_that_was_trained_before(tmp_path: Path) -> None:
    commands = memory.commands(tmp_path)
    stages = ["own.prepare", "own.train", "own.evaluate", "own.probe", "own.detect"]
    assert list(commands) == [*stages, "cae score"]
    assert commands["own.train"] == ["own", "train", f"{tmp_path}"]
    assert f"{tmp_path}/models/autoencoder.keras" in commands["cae score"]


@on_linux
def test_what_a_command_took_is_told_in_seconds_and_bytes() -> None:
    cost = memory.measured(["timeit", "-n1", "-r1", "list(range(2_000_000))"])
    assert cost.seconds > 0
    assert 0 < cost.anonymous < cost.resident


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(processes.FailedError, match=r"No module named benchmarks\.nobody"):
        memory.measured(["benchmarks.nobody"])


@on_linux
def test_children_belong_to_a_command() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        members = list(memory.family(os.getpid()))
        child.communicate(b"\n")
    assert members[0] == os.getpid()
    assert child.pid in members
