"""The operations are compiled once, whole or not at all, and a user is told what is missing."""

from cae.engine import operations  # isort: split

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tensorflow as tf

from cae.core.errors import UserError


def test_the_sources_compile_without_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "FLAGS", (*operations.FLAGS, "-Wall", "-Wextra", "-Werror"))
    operations.build(tmp_path / "operations.so")
    assert [path.name for path in tmp_path.iterdir()] == ["operations.so"]


def test_two_may_compile_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(operations.build, [tmp_path / "operations.so"] * 2))
    assert [path.name for path in tmp_path.iterdir()] == ["operations.so"]


def test_a_library_is_named_by_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = operations.library()
    shutil.copytree(operations.SOURCES, tmp_path / "native", ignore=shutil.ignore_patterns("build"))
    monkeypatch.setattr(operations, "SOURCES", tmp_path / "native")
    assert operations.library() == before
    (tmp_path / "native/lanes.h").write_text("// other")
    assert operations.library() != before


@pytest.mark.parametrize(
    ("compiler", "message"),
    [
        ("no-such-compiler", "no C compiler 'no-such-compiler'"),
        ("/", "no C compiler '/' .Permission denied.: install gcc"),
        ("false", "The C compiler failed: false"),
    ],
)
def test_a_compiler_that_is_missing_or_fails_is_named_and_leaves_nothing(
    compiler: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", compiler)
    with pytest.raises(UserError, match=message):
        operations.build(tmp_path / "operations.so")
    assert not list(tmp_path.iterdir())


def test_an_empty_name_of_a_compiler_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "")
    operations.build(tmp_path / "operations.so")


def test_what_a_linker_left_half_done_is_never_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linker = tmp_path / "linker"
    linker.write_text(
        '#!/bin/sh\nfor last; do :; done; test "$1" = -shared || exec cc "$@"\necho half > "$last"; exit 1\n'
    )
    linker.chmod(0o755)
    monkeypatch.setenv("CC", str(linker))
    with pytest.raises(UserError, match="The C compiler failed"):
        operations.build(tmp_path / "builds" / "operations.so")
    assert not list((tmp_path / "builds").iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file could not be written"):
        operations.build(tmp_path / "file" / "operations.so")


def test_a_library_that_cannot_be_loaded_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "BUILDS", tmp_path)
    operations.library().touch()
    match = rf"{operations.library().name}, compiled to train, cannot be loaded .*XDG_CACHE_HOME.*stock"
    with pytest.raises(UserError, match=match):
        operations.operations.__wrapped__()


def test_a_processor_that_the_code_is_not_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(UserError, match=r"This processor is riscv64, .* set train.engine to stock"):
        operations.operations.__wrapped__()


def test_an_unknown_instruction_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAE_INSTRUCTIONS", "avx")
    with pytest.raises(UserError, match="CAE_INSTRUCTIONS is 'avx', but must be one of: portable"):
        operations.operations.__wrapped__()


def convolve(channels: int, scale: int, pool: list[int]) -> None:
    operations.operations().cae_convolution(
        tf.zeros((1, 4, 4, 3)),
        tf.zeros((1, 1, channels, 1)),
        tf.zeros(1),
        scale=scale,
        padding=[0, 0, 0, 0],
        relu=False,
        pool=pool,
        pool_same=False,
    )


def test_pooling_after_upsampling_is_refused() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="no pooling after upsampling"):
        convolve(channels=3, scale=2, pool=[2, 2, 2, 2])


def test_a_kernel_for_other_channels_is_refused() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="differ in their channels"):
        convolve(channels=2, scale=1, pool=[0, 0, 0, 0])
