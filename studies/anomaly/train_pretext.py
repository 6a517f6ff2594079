"""Train the networks of one class that answer pretext questions: one for each question and seed."""

import numpy as np

from cae.core.config import Increasing, Section, Seed
from cae.engine.engine import choose_engine
from stages.runner.project import Project, Results
from stages.train import fit_task
from studies.anomaly import pretext
from studies.anomaly.images import TRANSFORMS, HeldOut, hold_out, read_class


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
    images = TRANSFORMS[pretext.TRANSFORM](read_class(project, label, settings.held_out + 1))
    results: Results = {}
    for name, question in pretext.PRETEXTS.items():
        for seed in settings.seeds:
            print(f"{name}, seed {seed}", flush=True)
            train, held_out = hold_out(images, settings.held_out, seed)
            recipe = getattr(settings.pretext, name).model_copy(update={"seed": seed})
            network = pretext.build(question, recipe, np.shape(images)[1:], seed)
            task = pretext.task(question, network, choose_engine(recipe.engine))
            fit_task(project, task, recipe, train, held_out, f"{name}-{seed}")
            results[f"models/pretext/{label}/{name}-{seed}.keras"] = network
    return results
