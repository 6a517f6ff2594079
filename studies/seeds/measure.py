"""Evaluate and probe a network that was trained with another seed, as the main pipeline does."""

from dataclasses import replace

from cae.core import files
from stages import evaluate, probe
from stages.runner.project import Project, Results
from studies.seeds.collect import HISTORY, collect_metrics


class Settings(evaluate.Settings, probe.Settings):
    """What both stages read of the main pipeline's params.yaml."""


def measure(project: Project, settings: Settings, seed: int) -> Results:
    """Return the metrics of a network, by stage."""
    inputs = {
        "data/baselines": "../../data/baselines",
        "data/prepared": "../../data/prepared",
        "models/autoencoder.keras": f"models/{seed}.keras",
        HISTORY: f"histories/{seed}.csv",
    }
    pipeline = replace(project, aliases=inputs)
    results = evaluate.evaluate(pipeline, settings) | probe.probe(pipeline, settings)
    history = files.read_csv(project.path(f"histories/{seed}.csv"))
    return {f"runs/{seed}.json": collect_metrics(results | {HISTORY: history})}
