"""Train the networks of one class that answer pretext questions: one for each question and seed."""

from contextlib import closing

import numpy as np

from cae.core.config import Increasing, Section, Seed
from cae.engine import training
from cae.engine.engine import choose_engine
from stages.runner.project import Project, Results
from stages.train import ProgressBar
from studies.anomaly import pretext
from studies.anomaly.images import PREPARED, VIEWS, HeldOut, hold_out, read_class


class Pretexts(Section):
    """The networks for each question."""

    transformations: pretext.Settings
    positions: pretext.Settings


class Settings(Section):
    """What the stage reads of params.yaml."""

    held_out: HeldOut
    seeds: Increasing[Seed]
    pretext: Pretexts


def train_pretext(project: Project, settings: Settings, label: int) -> Results:
    """Return the trained networks of a class; the held-out images choose the best epoch."""
    folder = project.path(f"{PREPARED}/train_images.npy").parent
    images = VIEWS[pretext.VIEW](read_class(folder, label, settings.held_out + 1))
    results: Results = {}
    for name, question in pretext.PRETEXTS.items():
        for seed in settings.seeds:
            print(f"{name}, seed {seed}", flush=True)
            train, held_out = hold_out(images, settings.held_out, seed)
            recipe = getattr(settings.pretext, name).model_copy(update={"seed": seed})
            network = pretext.build(question, recipe, np.shape(images)[1:], seed)
            task = pretext.task(question, network, choose_engine(recipe.engine))
            checkpoint = project.checkpoint(f"{name}-{seed}")
            with checkpoint.lock(), closing(ProgressBar(recipe.epochs)) as bar:
                training.fit(task, train, held_out, recipe, checkpoint, [bar])
            results[f"models/pretext/{label}/{name}-{seed}.keras"] = network
    return results
