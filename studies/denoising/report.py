"""Compare networks and filters: PSNR and SSIM with every noise."""

from collections.abc import Mapping, Sequence

import pandas as pd

from cae.core.config import Section
from cae.datasets import prepared
from cae.datasets.noise import Noise
from stages.runner.project import Project, Results
from studies.denoising import figures
from studies.denoising.filters import Grids
from studies.denoising.measuring import Measured, choose_examples, to_grey_levels
from studies.denoising.methods import AUTOENCODERS, FILTERS, TITLES, WITHOUT_BOTTLENECK
from studies.denoising.noises import Noises

METRICS = ["psnr", "psnr_of_mean_mse", "ssim"]


class Settings(Section):
    """What the stage reads of params.yaml."""

    grids: Grids
    noises: Noises


def report(project: Project, settings: Settings) -> Results:
    """Return the metrics of all methods with one noise, a table with every noise, and figures."""
    folder = project.path("../../data/prepared")
    methods = {name: Measured.read(project.path("runs"), name) for name in TITLES}
    table = compare({name: method.table for name, method in methods.items()}, settings.grids)
    indices = choose_examples(prepared.read_labels(folder, "test"))
    clean = to_grey_levels(prepared.read_images(folder, "test")[indices, ..., 0])
    examples = {TITLES[name]: method.examples for name, method in methods.items()}
    return {
        "metrics/denoising.json": summarise(table, settings.noises.shown),
        "plots/denoising.csv": table,
        "plots/figures/curves.png": figures.plot_metrics(table),
        "plots/figures/examples.png": figures.plot_examples(clean, examples, settings.noises.shown),
    }


def compare(tables: Mapping[str, pd.DataFrame], grids: Grids) -> pd.DataFrame:
    """Join the tables of all methods: method, kind, strength, chosen, at_edge and the metrics.

    `chosen` is the strength of a filter, empty for networks. `at_edge` is true where it is the largest of its
    grid, so that a larger one may be better; below the least, 0, there is nothing.
    """
    table = pd.concat([rows.assign(method=name) for name, rows in tables.items()], ignore_index=True)
    largest = table["method"].map({name: max(grid) for name, grid in grids.model_dump().items()})
    table["at_edge"] = (table["chosen"] == largest) & (largest > 0)
    return table[["method", "kind", "strength", "chosen", "at_edge", *METRICS]]


def summarise(table: pd.DataFrame, shown: Sequence[Noise]) -> dict[str, float]:
    """Return the PSNR of every method with the middle Gaussian noise, in dB, and differences.

    `over_filters`: the best network minus the best filter without training; `over_wiener`: minus the Wiener
    filter; `bottleneck`: the network without one minus the best with one.
    """
    rows = table[(table["kind"] == shown[0].kind) & (table["strength"] == shown[0].strength)]
    psnr = dict(zip(rows["method"], rows["psnr"].tolist(), strict=True))
    with_bottleneck = max(psnr[name] for name in AUTOENCODERS)
    best = max(with_bottleneck, psnr[WITHOUT_BOTTLENECK])
    return {f"psnr_{name}": value for name, value in psnr.items()} | {
        "over_filters": best - max(psnr[name] for name in FILTERS),
        "over_wiener": best - psnr["wiener"],
        "bottleneck": psnr[WITHOUT_BOTTLENECK] - with_bottleneck,
    }
