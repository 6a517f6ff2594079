"""Set networks and filters side by side: PSNR and SSIM under every noise, and what the bottleneck costs."""

from collections.abc import Mapping, Sequence

import pandas as pd
from stages.inputs import Inputs

from cae.core import files
from cae.datasets import splits
from cae.datasets.noise import Noise
from stages import PREPARED
from studies.denoising import AUTOENCODERS, FILTERS, STUDY, TITLES, WITHOUT_BOTTLENECK, pictures, settings
from studies.denoising.measured import Measured, examples, grey
from studies.denoising.settings import Grids

SCORES = ["psnr", "psnr_of_mean_mse", "ssim"]


def main() -> None:
    """Read runs/ and the test split; write metrics/denoising.json and plots/."""
    inputs = Inputs.read("report", STUDY)
    study = settings.load()
    methods = {name: Measured.read(STUDY / "runs", name) for name in TITLES}
    table = side_by_side({name: method.table for name, method in methods.items()}, study.grids)
    places = examples(splits.labels(PREPARED, "test"))
    clean = grey(splits.images(PREPARED, "test")[places, ..., 0])
    made = {TITLES[name]: method.pictures for name, method in methods.items()}

    inputs.check()
    files.write_json(STUDY / "metrics/denoising.json", numbers(table, study.noises.shown))
    files.write_csv(STUDY / "plots/denoising.csv", table)
    files.write_figure(STUDY / "plots/pictures/curves.png", pictures.curves(table))
    figure = pictures.examples(clean, made, study.noises.shown)
    files.write_figure(STUDY / "plots/pictures/examples.png", figure)


def side_by_side(tables: Mapping[str, pd.DataFrame], grids: Grids) -> pd.DataFrame:
    """Put the methods' tables below one another: method, kind, strength, chosen, at_edge, the scores.

    `at_edge` says that the strength chosen for a filter is the greatest of its grid: a greater one may be
    better. The least is 0, below which there is nothing. Networks have no strength.
    """
    table = pd.concat([rows.assign(method=name) for name, rows in tables.items()], ignore_index=True)
    greatest = table["method"].map({name: max(grid) for name, grid in grids.model_dump().items()})
    table["at_edge"] = (table["chosen"] == greatest) & (greatest > 0)
    return table[["method", "kind", "strength", "chosen", "at_edge", *SCORES]]


def numbers(table: pd.DataFrame, shown: Sequence[Noise]) -> dict[str, float]:
    """Return the PSNR of every method under the middle Gaussian noise, in dB, and what they differ by.

    `over_filters`: our best network above the best filter that learned nothing but its strength;
    `over_wiener`: above the Wiener filter; `bottleneck`: the network without one above our best with one.
    """
    psnr = dict(zip(*of_noise(table, shown[0])[["method", "psnr"]].to_numpy().T.tolist(), strict=True))
    with_bottleneck = max(psnr[name] for name in AUTOENCODERS)
    best = max(with_bottleneck, psnr[WITHOUT_BOTTLENECK])
    return {f"psnr_{name}": value for name, value in psnr.items()} | {
        "over_filters": best - max(psnr[name] for name in FILTERS),
        "over_wiener": best - psnr["wiener"],
        "bottleneck": psnr[WITHOUT_BOTTLENECK] - with_bottleneck,
    }


def of_noise(table: pd.DataFrame, condition: Noise) -> pd.DataFrame:
    """Keep the rows of one noise."""
    return table[(table["kind"] == condition.kind) & (table["strength"] == condition.strength)]
