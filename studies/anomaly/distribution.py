"""Score handwritten digits with the autoencoder that was trained on all of Fashion-MNIST."""

import keras
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from cae.core.arrays import Images
from cae.core.config import Section
from cae.datasets import prepared
from cae.figures import anomalies
from cae.metrics import detectors
from cae.networks.autoencoder import load
from stages.runner.project import Project, Results
from studies.anomaly.images import PREPARED, Neighbours
from studies.anomaly.methods import TITLES

# The scores in the figure.
SHOWN = ("reconstruction_error", "code_nearest", "combined")


class Settings(Section):
    """What the stage reads of params.yaml."""

    neighbours: Neighbours


def distribution(project: Project, settings: Settings) -> Results:
    """Return how well every score tells digits from the test split: metrics, a table and a figure."""
    train, validation, test = prepared.read_all_images(project.path(PREPARED))
    autoencoder = load(project.path("../../models/autoencoder.keras"), test.shape[1:])
    digits = read_digits(test.shape[1:])
    detector = detectors.CodeDetector(autoencoder, settings.neighbours).fit(train, validation)
    pca = detectors.PcaDetector(autoencoder.code_size).fit(detectors.flatten(train))
    normal, anomalous = (
        detector.score(images) | {"pca_error": pca.score(detectors.flatten(images))}
        for images in (test, digits)
    )
    is_anomalous = np.repeat([False, True], [len(test), len(digits)])
    measured = {
        name: detectors.measure_detection(np.concatenate([normal[name], anomalous[name]]), is_anomalous)
        for name in normal
    }
    auroc = {name: values["auroc"] for name, values in measured.items()}
    print(", ".join(f"{name} {value:.1%}" for name, value in auroc.items()))
    return {
        "metrics/out_of_distribution.json": auroc,
        "plots/out_of_distribution.csv": pd.DataFrame(
            [{"method": name, **values} for name, values in measured.items()]
        ),
        "plots/digits/scores.png": anomalies.plot_score_distributions(
            {TITLES[name]: normal[name] for name in SHOWN},
            {TITLES[name]: anomalous[name] for name in SHOWN},
            digits[:10],
            "digits",
        ),
    }


def read_digits(image_shape: tuple[int, ...]) -> Images:
    """Return scikit-learn's 1,797 handwritten digits, 8 × 8 resized bilinearly to (H, W, 1), in [0, 1]."""
    images = (load_digits().images / 16).astype(np.float32)[..., np.newaxis]
    return np.asarray(keras.ops.image.resize(images, image_shape[:2], interpolation="bilinear"))
