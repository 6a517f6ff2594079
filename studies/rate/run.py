"""Train the residual network with one code size, and measure it and PCA, their codes whole and rounded."""

import argparse
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cae.ground import artifacts, params, splits
from cae.ground.arrays import Images, Labels, Rows
from cae.ground.splits import Splits
from cae.measures import baselines, metrics, probes
from cae.measures.baselines import PrincipalComponents
from cae.measures.probes import LinearProbe
from cae.networks.autoencoder import load, predict
from stages import BASELINES, MODELS, PREPARED, command
from stages.inputs import Inputs
from studies import pipeline
from studies.rate import STUDY, settings
from studies.rate.quantiser import Quantiser


def main() -> None:
    """Read data/, write studies/rate/runs/SIZE.json and the trained network, models/SIZE.keras."""
    inputs = Inputs.read("run", STUDY)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, required=True, help="numbers of a code")
    size = parser.parse_args().size
    study = settings.load()
    changes = {
        "model.name": "residual",
        "model.residual.code_size": size,
        "train.epochs": study.epochs,
        # One bad epoch shall not end a run whose learning rate has still to fall.
        "train.patience": study.epochs,
    }
    changed = pipeline.changed(params.load(), changes)
    # Kept until the run is whole: killed, it goes on after its last finished epoch.
    folder = Path(f".checkpoints/rate/{size}")
    measured = pipeline.run(folder, changed)

    images, labels = splits.all_images(PREPARED), splits.all_labels(PREPARED)
    image_shape = images.test.shape[1:]
    network = load(folder / MODELS / "autoencoder.keras", image_shape)
    encode, decode = (partial(predict, half) for half in (network.encoder, network.decoder))
    _, components = baselines.read(BASELINES)
    pca = PrincipalComponents(size, components)
    painted = partial(pca.decode, image_shape=image_shape)
    results = {
        "residual": measured["evaluate"]
        | measured["probe"]
        | measured["train"]
        | {"mse_by_bits": by_bits(encode, decode, images, study.bits)},
        "PCA": metrics.summary(images.test, pca.reconstruct(images.test))
        | {"linear_all": accuracy(pca, images, labels, changed.probes)}
        | {"mse_by_bits": by_bits(pca.encode, painted, images, study.bits)},
    }
    inputs.check()
    artifacts.write_json(STUDY / f"runs/{size}.json", results)
    artifacts.write_model(STUDY / f"models/{size}.keras", network.network)
    shutil.rmtree(folder)


Encode = Callable[[Images], Rows]
Decode = Callable[[Rows], Images]


def by_bits(
    encode: Encode, decode: Decode, images: Splits[Images], bits: tuple[int, ...]
) -> dict[str, float]:
    """Measure the squared error of test images whose codes were rounded: bits a number → MSE."""
    train, test = encode(images.train), encode(images.test)
    return {
        str(count): float(
            metrics.mse(images.test, decode(Quantiser.fitted(train, count).rounded(test))).mean()
        )
        for count in bits
    }


def accuracy(
    pca: PrincipalComponents, images: Splits[Images], labels: Splits[Labels], chosen: params.Probes
) -> float:
    """Return how often a linear probe on PCA's codes, all labels, names a test image right."""
    rows = probes.standardise(Splits(*(pca.encode(part) for part in images)))
    probe = LinearProbe(chosen.regularisation).fit(
        rows.train, labels.train, rows.validation, labels.validation
    )
    return float((probe.predict(rows.test) == labels.test).mean())


if __name__ == "__main__":
    command.run(main)
