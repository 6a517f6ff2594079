"""Every picture has our look, and is the same bytes, whoever draws it."""

import io
from collections.abc import Callable
from functools import partial

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from benchmarks import report
from tests.benchmarks import test_benchmarks
from tests.figures import test_anomalies, test_codes, test_embeddings, test_reconstructions

PICTURES: dict[str, Callable[[], Figure]] = {
    f"{module.__name__.removeprefix('tests.figures.test_')}: {name}": draw
    for module in (test_reconstructions, test_codes, test_embeddings, test_anomalies)
    for name, draw in module.PICTURES.items()
} | {
    f"benchmarks: {chart.__name__}": partial(chart, test_benchmarks.RESULTS)
    for chart in (report.plot_epoch_seconds, report.plot_time_to_target)
}
every_picture = pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)


def png(figure: Figure) -> bytes:
    with io.BytesIO() as buffer:
        figure.savefig(buffer, metadata={"Software": None})
        return buffer.getvalue()


@every_picture
def test_a_picture_drawn_twice_is_the_same_bytes_under_any_user_style(draw: Callable[[], Figure]) -> None:
    first = png(draw())
    with mpl.rc_context(
        {"font.size": 30, "axes.facecolor": "black", "xtick.color": "red", "savefig.dpi": 300}
    ):
        assert png(draw()) == first


@every_picture
def test_a_picture_is_960_pixels_wide_on_opaque_white(draw: Callable[[], Figure]) -> None:
    figure = draw()
    assert figure.get_figwidth() * figure.dpi == 960
    assert figure.get_facecolor() == (1, 1, 1, 1)


@every_picture
def test_drawing_leaves_the_users_style_alone(draw: Callable[[], Figure]) -> None:
    before = dict(mpl.rcParams)
    draw()
    assert dict(mpl.rcParams) == before
