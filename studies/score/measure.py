"""Measure how well every score finds defects drawn on validation images of one data set."""

from typing import Annotated, get_args

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.metrics import roc_auc_score

from cae.core.config import Section, Seed
from cae.core.errors import UserError
from cae.metrics import error_maps, scores
from cae.metrics.error_maps import ErrorMaps
from cae.metrics.principal_components import sample_rows
from cae.metrics.score_settings import ScoreName, ScoreSettings
from cae.metrics.scores import NormalTiles
from cae.networks.model import Model
from stages.prepared_images import read_images
from stages.runner.project import Project, Results
from stages.train import Train, train_network
from studies.score import FOLDERS
from studies.score.defects import KINDS, Defective, draw_defects

# Every tenth training image is held out from the fit of a score, to standardise it.
HELD_OUT = 10


class Settings(Section):
    """What the stage reads of params.yaml."""

    networks: dict[str, Model]
    train: Train
    # Images of a data set, at most.
    images: Annotated[int, Field(ge=20)]
    validation: Annotated[int, Field(ge=2)]
    # Defects of each kind in each validation image.
    draws: Annotated[int, Field(ge=1)]
    smoothing: Annotated[tuple[float, ...], Field(strict=False, min_length=1)]
    seed: Seed


def measure(project: Project, settings: Settings, data: str) -> Results:
    """Train the networks, and return a table: a row for each network, score, smoothing and kind of defect."""
    images, validation = (
        np.array(sample_rows(read_images(project, FOLDERS[data], split), settings.seed, most))
        for split, most in (("train", settings.images), ("validation", settings.validation))
    )
    normal = np.repeat(validation, settings.draws, axis=0)
    defects = {
        kind: draw_defects(normal, images, kind, np.random.default_rng((settings.seed, place)))
        for place, kind in enumerate(KINDS)
    }
    held_out = np.arange(len(images)) % HELD_OUT == 0
    tiles = NormalTiles(images[~held_out], images[held_out])
    rows = []
    for name, model in settings.networks.items():
        autoencoder, _ = train_network(project, model, settings.train, images, validation, name)
        for score in get_args(ScoreName):
            try:
                fitted = scores.fit(ScoreSettings(score=score), autoencoder, tiles)
            except UserError as error:
                print(f"{name}: {error}")
                continue
            of_normal = fitted.compute_errors(validation)
            for kind, defective in defects.items():
                errors = fitted.compute_errors(defective.images)
                for smoothing in settings.smoothing:
                    found = compare(of_normal, errors, defective, smoothing)
                    rows.append(
                        {"network": name, "score": score, "smoothing": smoothing, "kind": kind, **found}
                    )
    return {f"scores/{data}.csv": pd.DataFrame(rows)}


def compare(normal: ErrorMaps, errors: ErrorMaps, defective: Defective, smoothing: float) -> dict[str, float]:
    """Return the AUROC of images, and of the pixels of those with a defect."""
    of_normal, of_defective = (
        np.stack([error_maps.smooth(one, smoothing) for one in maps]) for maps in (normal, errors)
    )
    values = np.concatenate([of_normal.max(axis=(1, 2)), of_defective.max(axis=(1, 2))])
    return {
        "auroc": float(roc_auc_score(np.arange(len(values)) >= len(normal), values)),
        "pixel_auroc": float(roc_auc_score(defective.masks.ravel(), of_defective.ravel())),
    }
