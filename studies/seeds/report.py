"""Say how far a number moves when nothing but the seed changes, and how many networks end dead."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from scipy.stats import t as student
from stages.inputs import Inputs

from cae.core import files, params
from cae.core.errors import UserError
from studies.seeds import STUDY, settings

# Of the main pipeline's own run.
METRICS = [Path(f"metrics/{stage}.json") for stage in ("evaluate", "probe", "train")]
# Answers are one and the same if no pixel's grey value has a greater standard deviation over images.
SAME = 1e-3


def main() -> None:
    """Read metrics/, runs/ and deaths/; write metrics/seeds.json and plots/."""
    inputs = Inputs.read("report", STUDY)
    study = settings.load()
    own, others = params.load().train.seed, study.seeds
    if own in others:
        raise UserError(
            f"{settings.PATH} lists the seed {own}, with which the main pipeline ran already: take it out"
        )
    runs = {own: {path.stem: json.loads(path.read_text()) for path in METRICS}}
    runs |= {seed: json.loads((STUDY / f"runs/{seed}.json").read_text()) for seed in others}
    spread = noise(runs)
    remake = "cd studies/seeds && dvc repro"
    deaths = {rate: files.read_csv(STUDY / f"deaths/{rate}.csv", remake) for rate in study.learning_rates}

    inputs.check()
    files.write_json(
        STUDY / "metrics/seeds.json",
        {str(name): float(sd) for name, sd in zip(spread["metric"], spread["sd"], strict=True)},
    )
    files.write_csv(STUDY / "plots/noise.csv", spread)
    files.write_csv(STUDY / "plots/deaths.csv", counted(deaths))


def noise(runs: Mapping[int, Mapping[str, Mapping[str, float]]]) -> pd.DataFrame:
    """Tabulate every metric over seeds: metric, mean, sd, least, most, noise.

    `sd` is the sample's. Two runs that differ by their seeds alone differ by less than `noise` in 95 % of
    cases: t(0.975, n − 1)·√2·sd, where a metric is normal over seeds.
    """
    values = pd.DataFrame(
        {
            seed: {name: value for file in metrics.values() for name, value in file.items()}
            for seed, metrics in runs.items()
        }
    )
    sd = values.std(axis=1, ddof=1)
    factor = float(student.ppf(0.975, len(runs) - 1)) * np.sqrt(2)
    table = pd.DataFrame(
        {
            "mean": values.mean(axis=1),
            "sd": sd,
            "least": values.min(axis=1),
            "most": values.max(axis=1),
            "noise": factor * sd,
        }
    )
    return table.rename_axis("metric").reset_index()


def counted(deaths: Mapping[float, pd.DataFrame]) -> pd.DataFrame:
    """Count the dead, no better than the mean image: a row a learning rate.

    learning_rate, networks, dead, least, most, same, mean_image_loss and, of the living, median_loss and
    worst_loss. The share of dead ones among all seeds is from `least` to `most`: Clopper and Pearson's
    interval, which covers it in at least 95 % of cases. `same` gave one answer to all images.
    """
    rows = []
    for rate, networks in deaths.items():
        dead = networks["val_loss"] >= networks["mean_image_loss"]
        living = networks.loc[~dead, "val_loss"]
        interval = binomtest(int(dead.sum()), len(networks)).proportion_ci(0.95, method="exact")
        rows.append(
            {
                "learning_rate": rate,
                "networks": len(networks),
                "dead": int(dead.sum()),
                "least": float(interval.low),
                "most": float(interval.high),
                "same": int((networks["spread"] <= SAME).sum()),
                "mean_image_loss": float(networks["mean_image_loss"].iloc[0]),
                "median_loss": float(living.median()),
                "worst_loss": float(living.max()),
            }
        )
    return pd.DataFrame(rows)
