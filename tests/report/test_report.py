"""The parts of the report, and the page of them."""

import re
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from behaviour import examples
from cae.core.errors import UserError
from report import PARTS, charts, sprites
from tests.report.conftest import build

NAMES = [part.name for part in PARTS]


@pytest.fixture
def report_copy(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the report, in the current folder."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_sheet_has_its_images_in_rows() -> None:
    images = examples.images(sprites.COLUMNS + 2, 12, 12, seed=1)[..., 0]
    sheet = np.asarray(Image.open(BytesIO(sprites.draw_sheet(images))).convert("L")) / 255
    assert sheet.shape == (24, 12 * sprites.COLUMNS)
    assert np.abs(sheet[:12, 12:24] - images[1]).mean() < 0.1
    assert np.abs(sheet[12:, 12:24] - images[-1]).mean() < 0.1
    assert sheet[12:, 24:].max() < 0.1


def test_identifiers_are_numbered_in_the_order_of_the_text() -> None:
    first, second = "0b1c2d3e-0000-4000-8000-00000000000a", "0b1c2d3e-0000-4000-8000-00000000000b"
    text = f'{second} {first} {second} "p1004" step1004'
    assert charts.number_identifiers("rate", text) == 'rate-1 rate-2 rate-1 "rate-3" step1004'


@pytest.mark.parametrize("name", NAMES)
def test_a_part_is_the_same_bytes_again(name: str, built: Path, report_copy: Path) -> None:
    path = report_copy / f"report/parts/{name}.html"
    path.unlink()
    build(name)
    assert path.read_bytes() == (built / f"report/parts/{name}.html").read_bytes()


def test_the_page_has_every_part_and_loads_nothing(built: Path) -> None:
    text = (built / "report/report.html").read_text("utf-8")
    assert re.findall(r'<section id="(\w+)">', text) == NAMES
    assert "missing" not in re.findall(r'<p class="(\w+)"', text)
    assert "<script src" not in text
    without_scripts = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.findall(r"<(?:link|img|iframe)", without_scripts)
    assert not re.findall(r"url\((?!data:)", without_scripts)


def test_the_page_says_that_a_part_is_missing_because_its_inputs_are(report_copy: Path) -> None:
    shutil.rmtree(report_copy / "studies/denoising/models")
    (report_copy / "report/parts/noise.html").unlink()
    build("page")
    text = (report_copy / "report/report.html").read_text("utf-8")
    assert text.count('<p class="missing">') == 1
    assert text.index('<section id="noise">') < text.index('<p class="missing">')
    assert text.index('<p class="missing">') < text.index('<section id="anomalies">')


def test_a_part_that_is_missing_without_reason_is_an_error(report_copy: Path) -> None:
    (report_copy / "report/parts/rate.html").unlink()
    with pytest.raises(UserError, match="dvc repro rate"):
        build("page")
