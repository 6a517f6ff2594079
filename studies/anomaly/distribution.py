"""Score pictures of another kind with the autoencoder that was trained on all of Fashion-MNIST."""

import keras
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from stages.inputs import Inputs

from cae.core import files
from cae.core.arrays import Images
from cae.datasets import splits
from cae.figures import anomalies
from cae.metrics import anomaly
from cae.networks.autoencoder import load
from stages import MODELS, PREPARED
from studies.anomaly import STUDY, TITLES, settings

SHOWN = ("reconstruction_error", "code_nearest", "combined")


def main() -> None:
    """Read models/autoencoder.keras and data/prepared; write metrics, a table and a picture."""
    inputs = Inputs.read("distribution", STUDY)
    neighbours = settings.load().anomaly.neighbours
    train, validation, test = (splits.images(PREPARED, name) for name in ("train", "validation", "test"))
    image_shape = test.shape[1:]
    autoencoder = load(MODELS / "autoencoder.keras", image_shape)
    strangers = digits(image_shape)
    detector = anomaly.CodeDetector(autoencoder, neighbours).fit(train, validation)
    pca = anomaly.PcaDetector(autoencoder.code_size).fit(anomaly.flatten(train))
    known, strange = (
        detector.score(images) | {"pca_error": pca.score(anomaly.flatten(images))}
        for images in (test, strangers)
    )
    anomalous = np.repeat([False, True], [len(test), len(strangers)])
    measured = {
        name: anomaly.measure_detection(np.concatenate([known[name], strange[name]]), anomalous)
        for name in known
    }

    inputs.check()
    auroc = {name: values["auroc"] for name, values in measured.items()}
    files.write_json(STUDY / "metrics/out_of_distribution.json", auroc)
    table = pd.DataFrame([{"method": name, **values} for name, values in measured.items()])
    files.write_csv(STUDY / "plots/out_of_distribution.csv", table)
    figure = anomalies.plot_score_distributions(
        {TITLES[name]: known[name] for name in SHOWN},
        {TITLES[name]: strange[name] for name in SHOWN},
        strangers[:10],
        "digits",
    )
    files.write_figure(STUDY / "plots/strangers/out_of_distribution.png", figure)
    print(", ".join(f"{name} {value:.1%}" for name, value in auroc.items()))


def digits(image_shape: tuple[int, ...]) -> Images:
    """Return scikit-learn's 1,797 handwritten digits, 8 × 8 stretched bilinearly to (H, W, 1), in [0, 1]."""
    images = (load_digits().images / 16).astype(np.float32)[..., np.newaxis]
    return np.asarray(keras.ops.image.resize(images, image_shape[:2], interpolation="bilinear"))
