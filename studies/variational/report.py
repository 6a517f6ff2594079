"""Set the log-likelihood beside published ones, the weights side by side, and draw new pictures."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from stages.inputs import Inputs

from cae.core import files
from cae.core.arrays import Images
from cae.datasets import splits
from cae.figures.codes import find_first_of_each_class
from cae.metrics import embeddings
from cae.networks.autoencoder import Autoencoder, load, predict
from stages import BASELINES, PREPARED
from studies.variational import SAMPLES, STUDY, pictures, pixels, settings
from studies.variational.bound import ACTIVE

Runs = Mapping[float, Mapping[str, Mapping[str, Any]]]
OURS = "VAE with a Gaussian prior, this network"
FLOOR = "floor: every pixel's own probability"
GREY = ("bce", "mse", "ssim")
# Pictures drawn, and steps from one code to another: as many as there are classes.
SIDE = 10


def main() -> None:
    """Read runs/, models/, published.csv and data/; write metrics/variational.json and plots/."""
    inputs = Inputs.read("report", STUDY)
    study = settings.load()
    runs = {beta: json.loads((STUDY / f"runs/{beta}.json").read_text()) for beta in study.betas}
    likelihood = json.loads((STUDY / "runs/likelihood.json").read_text())
    published = files.read_csv(STUDY / "published.csv", remake="git checkout studies")
    validation, test = (splits.images(PREPARED, name) for name in ("validation", "test"))
    networks = {beta: load(STUDY / f"models/{beta}.keras", test.shape[1:]) for beta in study.betas}
    of_pixel = files.read_csv(BASELINES / "floors.csv").set_index("split")["floor"]["test"]
    floor = -float(of_pixel) * test[0].size
    _, black_and_white = pixels.drawn(validation, test, study.pixels_seed)
    shown = find_first_of_each_class(splits.labels(PREPARED, "test"))
    network = networks[settings.BETA]

    inputs.check()
    files.write_json(
        STUDY / "metrics/variational.json", headline(runs[settings.BETA]["test"], likelihood, floor)
    )
    files.write_csv(STUDY / "plots/table.csv", beside(likelihood, floor, published))
    files.write_csv(STUDY / "plots/betas.csv", by_beta(runs, likelihood))
    files.write_csv(STUDY / "plots/units.csv", units(runs))
    decoded = {beta: predict(one.network, test[shown]) for beta, one in networks.items()}
    for name, figure in {
        "samples": pictures.samples(samples(network, study.codes_seed), paths(network, test[shown])),
        "reconstructions": pictures.reconstructions(test[shown], black_and_white[shown], decoded),
        "units": pictures.units(units(runs)),
    }.items():
        files.write_figure(STUDY / f"plots/pictures/{name}.png", figure)


def headline(test: Mapping[str, float], likelihood: Mapping[str, float], floor: float) -> dict[str, float]:
    """Pick the numbers of the study, in nats a picture of the test split, and the active units."""
    measured = {name: test[name] for name in ("elbo", "reconstruction", "kl", "active_units")}
    names = ("log_likelihood", "standard_error", "effective_samples")
    estimated = {name: likelihood[name] for name in names}
    return measured | estimated | {"floor": floor}


def beside(likelihood: Mapping[str, float], floor: float, published: pd.DataFrame) -> pd.DataFrame:
    """Set our log-likelihood and the floor among published ones, the highest first.

    `plus_minus` is as printed. Ours has none: a network was trained once, and the standard error over test
    pictures, which all methods share, would be another thing.
    """
    ours = {"method": OURS, "log_likelihood": likelihood["log_likelihood"]}
    own = pd.DataFrame([{"method": FLOOR, "log_likelihood": floor}, ours])
    both = pd.concat([own, published], ignore_index=True)
    return both.sort_values("log_likelihood", ascending=False, kind="stable")[
        ["method", "log_likelihood", "plus_minus", "source"]
    ]


def by_beta(runs: Runs, likelihood: Mapping[str, float]) -> pd.DataFrame:
    """Tabulate the bound of drawn test pictures, and errors of grey ones, one row a weight."""
    return pd.DataFrame(
        {
            "beta": beta,
            "log_likelihood": likelihood["log_likelihood"] if beta == settings.BETA else np.nan,
            **run["test"],
            **{name: run["grey"][name] for name in GREY},
        }
        for beta, run in runs.items()
    )


def units(runs: Runs) -> pd.DataFrame:
    """Tabulate the numbers of a code, the one that tells most first.

    Columns: beta, rank, kl, variance_of_mean, active.
    """
    parts = []
    for beta, run in runs.items():
        of_beta = pd.DataFrame(run["units"]).sort_values("kl", ascending=False, kind="stable")
        parts.append(of_beta.assign(beta=beta, rank=range(1, len(of_beta) + 1)))
    table = pd.concat(parts, ignore_index=True)
    table["active"] = table["variance_of_mean"] > ACTIVE
    return table[["beta", "rank", "kl", "variance_of_mean", "active"]]


def samples(network: Autoencoder, seed: int) -> Images:
    """Decode codes drawn from N(0, 1): (SIDE, SIDE, H, W, 1)."""
    generator = np.random.default_rng((seed, SAMPLES))
    codes = generator.standard_normal((SIDE**2, network.code_size), np.float32)
    return predict(network.decoder, codes).reshape(SIDE, SIDE, *network.decoder.output_shape[1:])


def paths(network: Autoencoder, images: Images) -> Images:
    """Decode codes on the line from each image's to the next one's, last to first: (N, SIDE, H, W, 1)."""
    start = predict(network.encoder, images)
    steps = embeddings.interpolate(start, np.roll(start, -1, axis=0), SIDE).swapaxes(0, 1)
    decoded = predict(network.decoder, steps.reshape(-1, network.code_size))
    return decoded.reshape(*steps.shape[:2], *decoded.shape[1:])
