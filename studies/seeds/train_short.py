"""Train the default network for a few epochs, with many seeds, at one learning rate."""

from typing import Annotated

from pydantic import Field

import stages.train
from cae.core.config import Section, validate
from cae.networks.settings import Epochs
from stages.runner.project import Project, Results
from stages.train import read_images, train_network


class Deaths(Section):
    """How many networks are trained, with the seeds from 1 on, and for how long."""

    seeds: Annotated[int, Field(ge=1, le=1000)]
    epochs: Epochs


class Settings(Section):
    """What the stage reads of params.yaml."""

    deaths: Deaths


def train_short(project: Project, settings: Settings, rate: float) -> Results:
    """Return a trained network per seed."""
    epochs = settings.deaths.epochs
    images = read_images(project, "../../data/prepared")
    results: Results = {}
    for seed in range(1, settings.deaths.seeds + 1):
        run = {
            "model": {"name": "convolutional", "convolutional": {"learning_rate": rate}},
            # No early stopping: the learning rate falls to 0 in every run.
            "train": {"epochs": epochs, "patience": epochs, "seed": seed},
        }
        chosen = validate(run, stages.train.Settings, project.folder / "params.yaml")
        # A killed stage resumes in the network that it was training.
        autoencoder, history = train_network(project, chosen.model, chosen.train, *images, name=str(seed))
        results[f"short/{rate}/{seed}.keras"] = autoencoder.network
        print(f"rate {rate:g}, seed {seed}: validation {history['val_loss'].min():.5f}", flush=True)
    return results
