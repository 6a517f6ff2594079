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

# A network whose reconstructions of different images have a smaller deviation at every pixel is dead.
DEAD = 1e-3


def main() -> None:
    """Read runs/ and deaths/; write metrics/seeds.json and plots/."""
    inputs = Inputs.read("report", STUDY)
    study = settings.load()
    seeds, rates = study.seeds, study.learning_rates
    runs = {seed: json.loads((STUDY / f"runs/{seed}.json").read_text()) for seed in seeds}
    deaths = {rate: artifacts.read_csv(STUDY / f"deaths/{rate}.csv") for rate in rates}
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
    """Tabulate each learning rate: how many networks ended dead, how many warned, how good the others are."""
    rows = []
    for rate, networks in deaths.items():
        dead = networks["spread"] < DEAD
        rows.append(
            {
                "learning_rate": rate,
                "networks": len(networks),
                "dead": int(dead.sum()),
                "warned": int(networks["warned"].sum()),
                "median_val_loss": float(networks["val_loss"].median()),
                "worst_living_val_loss": float(networks.loc[~dead, "val_loss"].max()),
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    command.run(main)
