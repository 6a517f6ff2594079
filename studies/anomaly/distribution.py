"""Score pictures of another kind with the autoencoder that was trained on all of Fashion-MNIST."""

from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_digits

from cae.ground import artifacts, splits
from cae.ground.arrays import Images
from cae.measures import anomaly
from cae.networks import convolutional
from cae.pictures import anomalies
from stages import command
from studies import PREPARED
from studies.anomaly import STUDY, TITLES, settings

SHOWN = ("reconstruction_error", "code_nearest", "combined")


def main() -> None:
    """Read models/autoencoder.keras and data/prepared; write metrics and a picture of out-of-distribution."""
    chosen = settings.load().anomaly
    network = convolutional.load(Path("models/autoencoder.keras"), convolutional.IMAGE_SHAPE)
    train, validation, test = (splits.images(PREPARED, name) for name in ("train", "validation", "test"))
    strangers = digits()
    fitted = anomaly.Autoencoder(network, chosen.neighbours).fit(train, validation)
    pca = anomaly.PrincipalError(convolutional.CODE_SIZE).fit(anomaly.pixels(train))
    known, strange = (
        fitted.scores(images) | {"pca_error": pca.score(anomaly.pixels(images))}
        for images in (test, strangers)
    )
    anomalous = np.repeat([False, True], [len(test), len(strangers)])
    measured = {
        name: anomaly.measure(np.concatenate([known[name], strange[name]]), anomalous) for name in known
    }
    artifacts.write_json(STUDY / "metrics/out_of_distribution.json", measured)
    figure = anomalies.distribution(
        {TITLES[name]: known[name] for name in SHOWN},
        {TITLES[name]: strange[name] for name in SHOWN},
        strangers[:10],
        "digits",
    )
    artifacts.write_figure(STUDY / "plots/out_of_distribution.png", figure)
    print(", ".join(f"{name} {values['auroc']:.1%}" for name, values in measured.items()))


def digits() -> Images:
    """Return scikit-learn's 1,797 handwritten digits, 8 × 8 stretched to 28 × 28 bilinearly, in [0, 1]."""
    images = (load_digits().images / 16).astype(np.float32)[..., np.newaxis]
    return np.asarray(keras.ops.image.resize(images, convolutional.IMAGE_SHAPE[:2], interpolation="bilinear"))


if __name__ == "__main__":
    command.run(main)
