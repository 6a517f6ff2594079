"""The sanitizers find an error in the C code."""

import shutil
from pathlib import Path

import pytest

from cae.core.errors import UserError
from cae.engine import operations
from checks import sanitize


def has_sanitizers() -> bool:
    try:
        return sanitize.runtime("libasan.so").exists()
    except UserError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not has_sanitizers(), reason="this machine has no gcc with sanitizers")
@pytest.mark.parametrize(
    ("right", "wrong", "report"),
    [
        # One element past the end of a tensor.
        ("in + n * image, image *", "in + n * image, (image + 1) *", "buffer-overflow"),
        # Past the end of one array within a thread's memory.
        ("floats((pixels + SLACK) * channels)", "floats(pixels * channels)", "use-after-poison"),
        ("pixels = layer->y.size * layer->x.size", "pixels = layer->y.size * INT32_MAX", "integer overflow"),
    ],
    ids=["tensor", "thread's memory", "arithmetic"],
)
def test_sanitizers_report_an_overflow_in_the_c_code(
    right: str, wrong: str, report: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("cae", "checks", "tests"):
        shutil.copytree(sanitize.ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(sanitize.ROOT / "pyproject.toml", tmp_path)
    source = tmp_path / "cae/engine/native/thin.h"
    assert source.read_text().count(right) == 1
    source.write_text(source.read_text().replace(right, wrong))
    assert sanitize.run(tmp_path, "portable", "-k", "upsampling_and and 2-1-2-valid") != 0
    output = capfd.readouterr().err
    assert report in output
    assert "thin.h" in output


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        ("fpu avx", ["portable"]),
        ("fma avx avx2", ["portable", "avx2"]),
        ("avx2 fma avx512f", ["portable", "avx2", "avx512"]),
    ],
)
def test_the_instruction_sets_of_a_processor_are_tested(flags: str, names: list[str]) -> None:
    assert sanitize.available(f"model name : some\nflags\t\t: {flags}\nbugs :\n") == names
    assert set(operations.INSTRUCTIONS) <= set(sanitize.INSTRUCTIONS)


def test_a_missing_gcc_or_library_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if shutil.which("gcc"):
        with pytest.raises(UserError, match="gcc has no libnone"):
            sanitize.runtime("libnone.so")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no compiler 'gcc'"):
        sanitize.runtime("libasan.so")
