"""The operations are compiled completely or not at all, and errors say what is missing."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tensorflow as tf

from cae.core.errors import UserError
from cae.engine import operations

# A compiler that compiles nothing and breaks off while linking.
LINKER = """#!/bin/sh
for last; do :; done
echo half > "$last"
test "$1" != -shared
"""


@pytest.mark.slow
def test_the_sources_compile_without_a_warning_in_two_processes_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "")
    monkeypatch.setattr(operations, "FLAGS", (*operations.FLAGS, "-Wall", "-Wextra", "-Werror"))
    with ThreadPoolExecutor() as pool:
        list(pool.map(operations.compile_library, [tmp_path / "operations.so"] * 2))
    assert [path.name for path in tmp_path.iterdir()] == ["operations.so"]


def test_the_name_of_a_library_depends_on_its_sources_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = operations.get_library_path()
    shutil.copytree(operations.SOURCES, tmp_path / "native")
    monkeypatch.setattr(operations, "SOURCES", tmp_path / "native")
    assert operations.get_library_path() == before
    (tmp_path / "native/lanes.h").write_text("// other")
    assert operations.get_library_path() != before


@pytest.mark.parametrize(
    ("compiler", "message"),
    [
        ("no-such-compiler", "no C compiler 'no-such-compiler'"),
        ("/", "no C compiler '/' .Permission denied.: install gcc"),
        ("false", "The C compiler failed: false"),
        ("LINKER", "The C compiler failed: .* -shared"),
    ],
)
def test_a_compiler_that_is_missing_or_fails_is_named_and_leaves_nothing(
    compiler: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linker = tmp_path / "linker"
    linker.write_text(LINKER)
    linker.chmod(0o755)
    monkeypatch.setenv("CC", compiler.replace("LINKER", str(linker)))
    with pytest.raises(UserError, match=message):
        operations.compile_library(tmp_path / "libraries" / "operations.so")
    assert not list((tmp_path / "libraries").iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file could not be written"):
        operations.compile_library(tmp_path / "file" / "operations.so")


def test_a_library_that_cannot_be_loaded_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "LIBRARIES", tmp_path)
    operations.get_library_path().touch()
    message = rf"{operations.get_library_path().name}, .* cannot be loaded .*XDG_CACHE_HOME.*stock"
    with pytest.raises(UserError, match=message):
        operations.load_operations.__wrapped__()


def test_an_unsupported_processor_or_instruction_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAE_INSTRUCTIONS", "avx")
    with pytest.raises(UserError, match="CAE_INSTRUCTIONS is 'avx', but must be one of: portable"):
        operations.load_operations.__wrapped__()
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(UserError, match=r"This processor is riscv64, .* set train.engine to stock"):
        operations.load_operations.__wrapped__()


@pytest.mark.parametrize(
    ("channels", "scale", "pool", "message"),
    [(3, 2, [2, 2, 2, 2], "no pooling after upsampling"), (2, 1, [0, 0, 0, 0], "differ in their channels")],
)
def test_a_convolution_that_cannot_be_computed_is_refused(
    channels: int, scale: int, pool: list[int], message: str
) -> None:
    images, kernel, bias = tf.zeros((1, 4, 4, 3)), tf.zeros((1, 1, channels, 1)), tf.zeros(1)
    options = {"padding": [0, 0, 0, 0], "relu": False, "pool": pool, "pool_same": False}
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        operations.load_operations().cae_convolution(images, kernel, bias, scale=scale, **options)
