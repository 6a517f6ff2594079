"""Train the residual network with one code size, and measure it and PCA, their codes whole and rounded."""

import argparse
import shutil
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from cae.engine import family, training
from cae.engine.checkpoints import Checkpoint
from cae.ground import artifacts, params, splits
from cae.ground.arrays import Images, Labels, Rows
from cae.ground.params import Params
from cae.ground.splits import Splits
from cae.measures import baselines, metrics, probes
from cae.measures.baselines import PrincipalComponents
from cae.measures.probes import LinearProbe
from cae.networks.autoencoder import Autoencoder, predict
from stages import BASELINES, MODELS, PLOTS, PREPARED, command, evaluate, probe
from stages import train as train_stage
from stages.inputs import Inputs
from studies import pipeline
from studies.rate import STUDY, settings
from studies.rate.quantiser import Quantiser
from studies.rate.settings import Study
from studies.rate.shifts import Phase, shifted


def main() -> None:
    """Read data/, write studies/rate/runs/SIZE.json and the trained network, models/SIZE.keras."""
    inputs = Inputs.read("run", STUDY)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, required=True, help="numbers of a code")
    size = parser.parse_args().size
    study = settings.load()
    chosen = pipeline.changed(params.load(), changes(study, size))
    images, labels = splits.all_images(PREPARED), splits.all_labels(PREPARED)
    # Kept until the run is whole: killed, it goes on after its last finished epoch.
    folder = Path(f".checkpoints/rate/{size}")
    network, best = trained(chosen, images, folder, inputs.fingerprint)
    for name, model in (("autoencoder", network.network), ("encoder", network.encoder)):
        artifacts.write_model(folder / MODELS / f"{name}.keras", model)
    measured = pipeline.run(folder, chosen, stages=(evaluate, probe))

    image_shape = images.test.shape[1:]
    encode, decode = (partial(predict, half) for half in (network.encoder, network.decoder))
    _, components = baselines.read(BASELINES)
    pca = PrincipalComponents(size, components)
    painted = partial(pca.decode, image_shape=image_shape)
    results = {
        "residual": measured["evaluate"]
        | measured["probe"]
        | best
        | {"mse_by_bits": by_bits(encode, decode, images, study.bits)},
        "PCA": metrics.summary(images.test, pca.reconstruct(images.test))
        | {"linear_all": accuracy(pca, images, labels, chosen.probes)}
        | {"mse_by_bits": by_bits(pca.encode, painted, images, study.bits)},
    }
    inputs.check()
    artifacts.write_json(STUDY / f"runs/{size}.json", results)
    artifacts.write_model(STUDY / f"models/{size}.keras", network.network)
    shutil.rmtree(folder)


def changes(study: Study, size: int) -> dict[str, Any]:
    """Return what differs from the root's params.yaml for codes of one size."""
    epochs = study.epochs[study.code_sizes.index(size)]
    return {
        "model.name": "residual",
        "model.residual.code_size": size,
        "model.residual.batch_size": study.batch_size,
        "model.residual.learning_rate": study.learning_rate,
        "train.shards": study.shards,
        "train.epochs": epochs,
        # One bad epoch shall not end a run whose learning rate has still to fall.
        "train.patience": epochs,
    }


def trained(
    chosen: Params, images: Splits[Images], folder: Path, fingerprint: str
) -> tuple[Autoencoder, dict[str, float]]:
    """Train the network on images that move; return it, and its best epoch with the losses of that."""
    recipe = params.run(chosen)
    checkpoint = Checkpoint(folder / ".checkpoints", fingerprint)
    record = partial(artifacts.write_csv, folder / PLOTS / "history.csv")
    network = family.build(chosen.model, images.train.shape[1:], recipe.seed)
    train_stage.check_code(network.code_size, images.train, chosen.model.name)
    phase = Phase()
    task = shifted(family.task(chosen.model, network, chosen.train.noise), phase)
    with checkpoint.locked(), closing(train_stage.Bar(recipe.epochs)) as bar:
        history = training.fit(
            task, images.train, images.validation, recipe, checkpoint, [phase, bar], record
        )
    best = history.iloc[int(history[training.judged_by(task.losses)].argmin())]
    losses = {str(name): float(value) for name, value in best.drop(["epoch", "learning_rate"]).items()}
    return network, {"best_epoch": int(best["epoch"])} | losses


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
