"""The operations are compiled once, whole or not at all, and a user is told what is missing."""

from cae import native  # isort: split

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tensorflow as tf

from cae.errors import UserError


def test_the_sources_compile_without_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "FLAGS", (*native.FLAGS, "-Wall", "-Wextra", "-Werror"))
    native.build(tmp_path / "operations.so")
    assert [path.name for path in tmp_path.iterdir()] == ["operations.so"]


def test_two_processes_may_compile_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(native.build, [tmp_path / "operations.so"] * 2))
    assert [path.name for path in tmp_path.iterdir()] == ["operations.so"]


def test_a_library_is_named_by_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = native.library()
    shutil.copytree(native.SOURCES, tmp_path / "native", ignore=shutil.ignore_patterns("build"))
    monkeypatch.setattr(native, "SOURCES", tmp_path / "native")
    assert native.library() == before
    (tmp_path / "native/lanes.h").write_text("// other")
    assert native.library() != before


@pytest.mark.parametrize(
    ("compiler", "message"),
    [("no-such-compiler", "no C compiler 'no-such-compiler'"), ("false", "The C compiler failed: false")],
)
def test_a_compiler_that_is_missing_or_fails_is_named_and_leaves_nothing(
    compiler: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", compiler)
    with pytest.raises(UserError, match=message):
        native.build(tmp_path / "operations.so")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file could not be written"):
        native.build(tmp_path / "file" / "operations.so")


def test_pooling_after_upsampling_is_refused() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="no pooling after upsampling"):
        native.operations().cae_convolution(
            tf.zeros((1, 4, 4, 1)),
            tf.zeros((1, 1, 1, 1)),
            tf.zeros(1),
            scale=2,
            padding=[0, 0, 0, 0],
            relu=False,
            pool=[2, 2, 2, 2],
            pool_same=False,
        )
