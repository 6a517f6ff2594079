"""Detect lesions with another size of the code."""

import json

from cae.core.config import Section
from cae.datasets import prepared
from cae.datasets.masks import read_masks
from cae.metrics import detection
from cae.metrics.scores import build_reconstruction_score
from cae.metrics.tiled_scores import iterate_tiled, score_images
from cae.networks.autoencoder import load
from stages.runner.project import Project, Results
from stages.settings import Anomaly, Data


class Settings(Section):
    """What the stage reads of params.yaml."""

    anomaly: Anomaly
    data: Data


def detect_size(project: Project, settings: Settings, size: int) -> Results:
    """Return the metrics of training and detection."""
    folder, data, anomaly = project.path("data/prepared"), settings.data, settings.anomaly
    test, held_out = (prepared.read_split(folder, split) for split in ("test", "threshold"))
    autoencoder = load(project.path(f"trained/{size}.keras"), test.images.shape[1:])
    score = build_reconstruction_score(autoencoder)
    images, normal = (
        score_images(iterate_tiled(split), data.preprocessing, score.compute_errors)
        for split in (test, held_out)
    )
    masks = read_masks(project.path(data.source), test.samples)
    found = detection.detect_anomalies(images, normal, masks, anomaly.smoothing, anomaly.false_alarms)
    trained = json.loads(project.path(f"trained/{size}.json").read_bytes())
    return {f"sizes/{size}.json": trained | detection.measure(found, test.samples)}
