"""Mean squared error by the size of the codes, beside PCA and published figures."""

import pandas as pd

from cae.core import files
from report.charts import DEFAULT, PCA, RESIDUAL, add_series, build_chart, place_legend, write_part
from stages.runner.project import Project, Results

TITLES = {"residual": "residual network", "PCA": "baseline: PCA"}
STYLES = (RESIDUAL, PCA, DEFAULT, "pink")
TICKS = (0.001, 0.002, 0.005, 0.01, 0.02)
STUDY = "../studies/rate"


def rate(project: Project) -> Results:
    """Return the chart of squared error by numbers per code."""
    ours = files.read_csv(project.path(f"{STUDY}/plots/rate.csv")).replace({"method": TITLES})
    methods = files.read_csv(project.path("../plots/reconstruction.csv")).set_index("method")
    default = (
        methods.loc[["autoencoder"]].assign(method="default network").rename({"code_size": "numbers"}, axis=1)
    )
    published = files.read_csv(project.path(f"{STUDY}/published.csv")).dropna(subset="numbers")
    published = published.assign(method="published: " + published["source"].str.partition("/")[0])
    table = pd.concat([ours, default, published])
    logarithmic = {"x_axis_type": "log", "y_axis_type": "log"}
    chart = build_chart(
        "Squared error of test images", "numbers per code", "mean squared error", **logarithmic
    )
    chart.xaxis.ticker = sorted(set(ours["numbers"]))
    chart.yaxis.ticker = TICKS
    for style, (method, part) in zip(STYLES, table.groupby("method", sort=False), strict=False):
        add_series(chart, style, str(method), part["numbers"].tolist(), part["mse"].tolist(), "0.00000")
    place_legend(chart)
    return write_part("rate", [chart])
