"""Compare the log-likelihood with published ones and the weights with one another, and draw new images."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import AfterValidator, Field

from cae.core import files
from cae.core.arrays import Images
from cae.core.config import Increasing, Section, Seed
from cae.figures.codes import find_first_of_each_class
from cae.figures.style import SERIES_STYLES
from cae.metrics import embeddings
from cae.networks.autoencoder import Autoencoder, load, predict
from stages.prepared_images import read_labels
from stages.runner.project import Project, Results
from studies.variational import BETA, FLOOR, OURS, SAMPLES, figures
from studies.variational.bound import ACTIVE
from studies.variational.pixels import PREPARED, read_test_images

Runs = Mapping[float, Mapping[str, Mapping[str, Any]]]
"""Weight → what `measure` returns."""
GREY = ("bce", "mse", "ssim")
# Rows and columns of new images, and steps from one code to another: as many as there are classes.
SIDE = 10


def check_betas(betas: tuple[float, ...]) -> tuple[float, ...]:
    """Refuse weights without that of the network whose log-likelihood is estimated."""
    if BETA not in betas:
        raise ValueError(f"{list(betas)} must have {BETA}: the log-likelihood of that network is estimated")
    return betas


class Settings(Section):
    """What the stage reads of params.yaml."""

    # Each has a line of its own colour in the figures.
    betas: Annotated[
        Increasing[Annotated[float, Field(gt=0, le=1000)]],
        Field(max_length=len(SERIES_STYLES)),
        AfterValidator(check_betas),
    ]
    pixels_seed: Seed
    codes_seed: Seed


def report(project: Project, settings: Settings) -> Results:
    """Return the metrics of the study, the tables, and the figures."""
    runs = {beta: json.loads(project.path(f"runs/{beta}.json").read_text()) for beta in settings.betas}
    likelihood = json.loads(project.path("runs/likelihood.json").read_text())
    published = files.read_csv(project.path("published.csv"), remake="git checkout studies")
    test, binary = read_test_images(project, settings.pixels_seed)
    networks = {beta: load(project.path(f"models/{beta}.keras"), test.shape[1:]) for beta in settings.betas}
    per_pixel = files.read_csv(project.path("../../data/baselines/floors.csv")).set_index("split")["floor"]
    floor = -float(per_pixel["test"]) * test[0].size
    first = find_first_of_each_class(read_labels(project, PREPARED, "test"))
    reconstructions = {beta: predict(one.network, test[first]) for beta, one in networks.items()}
    likelihoods, units = tabulate_likelihoods(likelihood, floor, published), tabulate_units(runs)
    new = draw_images(networks[BETA], settings.codes_seed)
    between = interpolate(networks[BETA], test[first])
    return {
        "metrics/variational.json": select_metrics(runs[BETA]["test"], likelihood, floor),
        "plots/table.csv": likelihoods,
        "plots/betas.csv": tabulate_betas(runs, likelihood),
        "plots/units.csv": units,
        "plots/figures/likelihood.png": figures.plot_likelihoods(likelihoods, OURS, FLOOR),
        "plots/figures/samples.png": figures.plot_samples(new, between),
        "plots/figures/reconstructions.png": figures.plot_reconstructions(
            test[first], binary[first], reconstructions
        ),
        "plots/figures/units.png": figures.plot_units(units),
    }


def select_metrics(
    test: Mapping[str, float], likelihood: Mapping[str, float], floor: float
) -> dict[str, float]:
    """Select the metrics of the study, in nats per test image, and the number of active units."""
    measured = {name: test[name] for name in ("elbo", "reconstruction", "kl", "active_units")}
    names = ("log_likelihood", "standard_error", "effective_samples")
    return measured | {name: likelihood[name] for name in names} | {"floor": floor}


def tabulate_likelihoods(
    likelihood: Mapping[str, float], floor: float, published: pd.DataFrame
) -> pd.DataFrame:
    """Tabulate our log-likelihood and the floor among published ones, the highest first.

    `plus_minus` is as printed. Ours has none: one network was trained, and the standard error over test
    images, which all methods share, would be something else.
    """
    ours = {"method": OURS, "log_likelihood": likelihood["log_likelihood"]}
    own = pd.DataFrame([{"method": FLOOR, "log_likelihood": floor}, ours])
    both = pd.concat([own, published], ignore_index=True)
    return both.sort_values("log_likelihood", ascending=False, kind="stable")[
        ["method", "log_likelihood", "plus_minus", "source"]
    ]


def tabulate_betas(runs: Runs, likelihood: Mapping[str, float]) -> pd.DataFrame:
    """Tabulate the bound of binary test images and the errors of grey ones, one row per weight."""
    return pd.DataFrame(
        {
            "beta": beta,
            "log_likelihood": likelihood["log_likelihood"] if beta == BETA else np.nan,
            **run["test"],
            **{name: run["grey"][name] for name in GREY},
        }
        for beta, run in runs.items()
    )


def tabulate_units(runs: Runs) -> pd.DataFrame:
    """Tabulate the numbers of a code in descending order of divergence.

    Columns: beta, rank, kl, variance_of_mean, active.
    """
    parts = []
    for beta, run in runs.items():
        part = pd.DataFrame(run["units"]).sort_values("kl", ascending=False, kind="stable")
        parts.append(part.assign(beta=beta, rank=range(1, len(part) + 1)))
    table = pd.concat(parts, ignore_index=True)
    table["active"] = table["variance_of_mean"] > ACTIVE
    return table[["beta", "rank", "kl", "variance_of_mean", "active"]]


def draw_images(network: Autoencoder, seed: int) -> Images:
    """Decode codes drawn from N(0, 1): (SIDE, SIDE, H, W, 1)."""
    generator = np.random.default_rng((seed, SAMPLES))
    codes = generator.standard_normal((SIDE**2, network.code_size), np.float32)
    return network.decode(codes).reshape(SIDE, SIDE, *network.decoder.output_shape[1:])


def interpolate(network: Autoencoder, images: Images) -> Images:
    """Decode codes on the line from each image's code to the next one's: (N, SIDE, H, W, 1)."""
    start = network.encode(images)
    steps = embeddings.interpolate(start, np.roll(start, -1, axis=0), SIDE).swapaxes(0, 1)
    decoded = network.decode(steps)
    return decoded.reshape(*steps.shape[:2], *decoded.shape[1:])
