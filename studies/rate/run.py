"""Train the residual network with one code size, and measure it and PCA, their codes whole and rounded."""

import argparse
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from cae.ground import artifacts, params, splits
from cae.ground.arrays import Images, Labels, Rows
from cae.measures import baselines, metrics, probes
from cae.measures.baselines import Components, PrincipalComponents
from cae.measures.probes import LinearProbe, Splits
from cae.networks.autoencoder import Autoencoder, load, predict
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
    bits = settings.load().bits
    changed = pipeline.changed(params.load(), {"model.name": "residual", "model.residual.code_size": size})
    # Kept until the run is whole: killed, it goes on after its last finished epoch.
    folder = Path(f".checkpoints/rate/{size}")
    measured = pipeline.run(folder, changed)

    images = Splits(*(splits.images(PREPARED, name) for name in Splits._fields))
    labels = Splits(*(np.array(splits.labels(PREPARED, name)) for name in Splits._fields))
    network = load(folder / MODELS / "autoencoder.keras", images.test.shape[1:])
    _, components = baselines.read(BASELINES)
    pca = PrincipalComponents(size, components)
    results = {
        "residual": measured["evaluate"]
        | measured["probe"]
        | measured["train"]
        | {"mse_by_bits": by_bits(*network_code(network), images, bits)},
        "PCA": metrics.summary(images.test, pca.reconstruct(images.test))
        | {"linear_all": accuracy(pca, images, labels, changed.probes)}
        | {"mse_by_bits": by_bits(pca.encode, partial(painted, pca.components), images, bits)},
    }
    inputs.check()
    artifacts.write_json(STUDY / f"runs/{size}.json", results)
    artifacts.write_model(STUDY / f"models/{size}.keras", network.network)
    shutil.rmtree(folder)


Encode = Callable[[Images], Rows]
Decode = Callable[[Rows], Images]


def network_code(autoencoder: Autoencoder) -> tuple[Encode, Decode]:
    """Return both halves as functions."""
    return partial(predict, autoencoder.encoder), partial(predict, autoencoder.decoder)


def painted(components: Components, codes: Rows) -> Images:
    """Turn PCA's codes (N, D) into images, clipped to [0, 1]."""
    side = round(len(components.mean) ** 0.5)
    pixels = codes @ components.directions + components.mean
    return np.clip(pixels, 0, 1).astype(np.float32).reshape(-1, side, side, 1)


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
