"""Train the default network for a few epochs, with many seeds, at one learning rate."""

from typing import Annotated

from pydantic import Field

from cae.core.config import Section
from cae.networks.settings import Epochs
from stages.runner.project import Project, Results
from studies.training import train_all_epochs


class ShortTraining(Section):
    """How many networks are trained, with the seeds from 1 on, and for how long."""

    seeds: Annotated[int, Field(ge=1, le=1000)]
    epochs: Epochs


class Settings(Section):
    """What the stage reads of params.yaml."""

    short: ShortTraining


def train_short(project: Project, settings: Settings, rate: float) -> Results:
    """Return a trained network per seed."""
    results: Results = {}
    for seed in range(1, settings.short.seeds + 1):
        # A killed stage resumes in the network that it was training.
        autoencoder, history = train_all_epochs(
            project,
            "convolutional",
            {"learning_rate": rate},
            settings.short.epochs,
            name=str(seed),
            seed=seed,
        )
        results[f"short/{rate}/{seed}.keras"] = autoencoder.network
        print(f"rate {rate:g}, seed {seed}: validation {history['val_loss'].min():.5f}", flush=True)
    return results
