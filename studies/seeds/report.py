"""Say how far a number moves when nothing but the seed changes."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student

from cae.ground import artifacts, params
from cae.ground.errors import UserError
from stages import command
from stages.inputs import Inputs
from studies.seeds import STUDY, settings

# Of the main pipeline's own run.
METRICS = [Path(f"metrics/{stage}.json") for stage in ("evaluate", "probe", "train")]


def main() -> None:
    """Read metrics/ and runs/; write metrics/seeds.json and plots/noise.csv."""
    inputs = Inputs.read("report", STUDY)
    own, others = params.load().train.seed, settings.load().seeds
    if own in others:
        raise UserError(
            f"{settings.PATH} lists the seed {own}, with which the main pipeline ran already: take it out"
        )
    runs = {own: {path.stem: json.loads(path.read_text()) for path in METRICS}}
    runs |= {seed: json.loads((STUDY / f"runs/{seed}.json").read_text()) for seed in others}
    spread = noise(runs)

    inputs.check()
    artifacts.write_json(
        STUDY / "metrics/seeds.json",
        {str(name): float(sd) for name, sd in zip(spread["metric"], spread["sd"], strict=True)},
    )
    artifacts.write_csv(STUDY / "plots/noise.csv", spread)


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


if __name__ == "__main__":
    command.run(main)
