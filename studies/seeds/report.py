"""Tabulate how much every metric varies between seeds, and how many networks learn nothing."""

import json
from collections.abc import Mapping
from typing import Self

import numpy as np
import pandas as pd
from pydantic import model_validator
from scipy.stats import binomtest
from scipy.stats import t as student

from cae.core import files
from cae.core.config import Increasing, Section, Seed
from cae.networks.settings import Rate
from stages.runner.project import Project, Results
from stages.train import Train
from studies.seeds.collect import TABLES, Metrics, collect_metrics
from studies.seeds.figures import plot_metrics

# Reconstructions are all the same if no pixel has a larger standard deviation over images.
SAME = 1e-3


class Settings(Section):
    """What the stage reads of params.yaml."""

    seeds: Increasing[Seed]
    learning_rates: Increasing[Rate]
    train: Train

    @model_validator(mode="after")
    def check_seeds(self) -> Self:
        """Refuse to count the main pipeline's own run twice."""
        if self.train.seed in self.seeds:
            raise ValueError(
                f"seeds has {self.train.seed}, with which the main pipeline ran already: remove it"
            )
        return self


def report(project: Project, settings: Settings) -> Results:
    """Return the standard deviation of every metric, tables of metrics and failed networks, and a figure."""
    main = {name: files.read_csv(project.path(f"../../{name}")) for name in TABLES}
    runs = {settings.train.seed: collect_metrics(main)}
    runs |= {seed: json.loads(project.path(f"runs/{seed}.json").read_text()) for seed in settings.seeds}
    losses = {rate: files.read_csv(project.path(f"losses/{rate}.csv")) for rate in settings.learning_rates}
    values = tabulate_runs(runs)
    noise = tabulate_noise(values)
    return {
        "metrics/seeds.json": {f"{row['metric']}_sd": row["sd"] for row in noise.to_dict("records")},
        "plots/noise.csv": noise,
        "plots/metrics.png": plot_metrics(values, settings.train.seed),
        "plots/failed.csv": count_failed(losses),
    }


def tabulate_runs(runs: Mapping[int, Metrics]) -> pd.DataFrame:
    """Tabulate every metric, a row each, of every run, a column per seed."""
    return pd.DataFrame(
        {
            seed: {name: value for metrics in stages.values() for name, value in metrics.items()}
            for seed, stages in runs.items()
        }
    )


def tabulate_noise(values: pd.DataFrame) -> pd.DataFrame:
    """Tabulate how every metric varies between seeds: metric, mean, sd, least, most, noise.

    `sd` is the standard deviation of the sample. Two runs that differ in their seeds alone differ by less
    than `noise` in 95 % of cases, if a metric is normally distributed: t(0.975, n − 1)·√2·sd.
    """
    sd = values.std(axis=1, ddof=1)
    factor = float(student.ppf(0.975, values.shape[1] - 1)) * np.sqrt(2)
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


def count_failed(losses: Mapping[float, pd.DataFrame]) -> pd.DataFrame:
    """Count the failed networks, those no better than the mean image: a row per learning rate.

    Columns: learning_rate, networks, failed, least, most, same, mean_image_loss and, of the other networks,
    median_loss and worst_loss. `least` to `most` is the 95 % interval of Clopper and Pearson for the share of
    failed networks among all seeds; `same` networks reconstruct all images alike.
    """
    rows = []
    for rate, networks in losses.items():
        failed = networks["val_loss"] >= networks["mean_image_loss"]
        others = networks.loc[~failed, "val_loss"]
        interval = binomtest(int(failed.sum()), len(networks)).proportion_ci(0.95, method="exact")
        rows.append(
            {
                "learning_rate": rate,
                "networks": len(networks),
                "failed": int(failed.sum()),
                "least": float(interval.low),
                "most": float(interval.high),
                "same": int((networks["spread"] <= SAME).sum()),
                "mean_image_loss": float(networks["mean_image_loss"].iloc[0]),
                "median_loss": float(others.median()),
                "worst_loss": float(others.max()),
            }
        )
    return pd.DataFrame(rows)
