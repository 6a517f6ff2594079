"""Say how far a number moves when nothing but the seed changes, and how many networks end dead."""

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import t as student

from cae.ground import artifacts
from stages import command
from stages.inputs import Inputs
from studies.seeds import STUDY, settings

# A network is dead if the grey values of its answers differ by less from image to image, at every pixel.
DEAD = 1e-3


def main() -> None:
    """Read runs/ and deaths/; write metrics/seeds.json and plots/."""
    inputs = Inputs.read("report", STUDY)
    study = settings.load()
    runs = {seed: json.loads((STUDY / f"runs/{seed}.json").read_text()) for seed in study.seeds}
    remake = "cd studies/seeds && dvc repro"
    deaths = {rate: artifacts.read_csv(STUDY / f"deaths/{rate}.csv", remake) for rate in study.learning_rates}
    spread = noise(runs)

    inputs.check()
    artifacts.write_json(
        STUDY / "metrics/seeds.json",
        {str(name): float(sd) for name, sd in zip(spread["metric"], spread["sd"], strict=True)},
    )
    artifacts.write_csv(STUDY / "plots/noise.csv", spread)
    artifacts.write_csv(STUDY / "plots/deaths.csv", counted(deaths))


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
    """Count dead networks, a row a learning rate.

    learning_rate, networks, dead, warned (what the stage train would have warned of), and of the living the
    median and the worst validation loss.
    """
    rows = []
    for rate, networks in deaths.items():
        dead = networks["spread"] < DEAD
        living = networks.loc[~dead, "val_loss"]
        rows.append(
            {
                "learning_rate": rate,
                "networks": len(networks),
                "dead": int(dead.sum()),
                "warned": int(networks["warned"].sum()),
                "median_val_loss": float(living.median()),
                "worst_val_loss": float(living.max()),
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    command.run(main)
