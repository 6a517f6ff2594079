"""Measure reconstructions of normal test pictures beside their floor, PCA and the mean picture."""

from functools import partial

import numpy as np

from cae.ground import artifacts
from cae.ground.arrays import Images
from cae.ground.errors import UserError
from cae.measures import metrics
from cae.measures.baselines import MeanImage
from cae.networks.autoencoder import load
from cae.pictures import reconstructions
from cae.sources import prepared
from cae.sources.prepared import Prepared
from own import chosen, linear, pictures, settings
from own.blocks import predicted
from stages import MODELS, PLOTS, PREPARED, command
from stages.evaluate import OURS, beside_the_floor, floor_if_below
from stages.inputs import Inputs

# What experiments are compared by; all else stands in plots/reconstruction.csv.
COMPARED = ("bce", "bce_above_floor", "mse", "ssim")


def main() -> None:
    """Read PROJECT/models and data/prepared, write metrics/evaluate.json and plots/."""
    project = chosen()
    inputs = Inputs.read("evaluate", project)
    whole = settings.load(project)
    folder, plots = project / PREPARED, project / PLOTS
    history = artifacts.read_csv(plots / "history.csv")
    train, validation = (prepared.images(folder, side) for side in ("train", "validation"))
    test = normal(Prepared.read(folder, "test"))
    autoencoder = load(project / MODELS / "autoencoder.keras", train.shape[1:])
    pca = linear.fitted(train, autoencoder.code_size, whole.split.seed)
    mean_image = MeanImage().fit(train)

    # Edges that were only mirrored are not measured.
    cut = partial(cut_back, seen=None if whole.data.tiles else prepared.pictures(folder)[0].seen)
    originals, reconstructed = cut(test), cut(predicted(autoencoder.network, test))
    answers = {
        OURS: reconstructed,
        "PCA": cut(pca.reconstruct(test)),
        "mean image": cut(mean_image.reconstruct(test)),
    }
    costs = {OURS: (autoencoder.code_size, autoencoder.network.count_params())} | {
        name: (baseline.code_size, baseline.parameters)
        for name, baseline in (("PCA", pca), ("mean image", mean_image))
    }
    scores = {
        name: metrics.summary(by_channel(originals), by_channel(answer)) for name, answer in answers.items()
    }
    floor, validation_floor = (
        float(metrics.floor(by_channel(part)).mean()) for part in (originals, cut(validation))
    )

    inputs.check()
    compared = {name: scores[OURS][name] for name in COMPARED}
    artifacts.write_json(
        project / "metrics/evaluate.json",
        compared | over_pca(scores[OURS]["mse"], scores["PCA"]["mse"]),
    )
    artifacts.write_csv(plots / "reconstruction.csv", beside_the_floor(scores, costs, floor))
    curves = reconstructions.loss_curves(history, floor_if_below(history, validation_floor))
    artifacts.write_figure(plots / "reconstructions/loss_curves.png", curves)
    examples = pictures.reconstructions(originals, reconstructed)
    artifacts.write_figure(plots / "reconstructions/examples.png", examples)
    print(
        f"test mean squared error {scores[OURS]['mse']:.5f}; "
        f"PCA with {pca.code_size} numbers {scores['PCA']['mse']:.5f}"
    )


def normal(test: Prepared) -> Images:
    """Take the pieces of normal pictures; UserError where there are none."""
    kept = np.repeat(
        [picture.normal for picture in test.pictures], [picture.pieces for picture in test.pictures]
    )
    if not kept.any():
        raise UserError("no test picture is normal, so no reconstruction can be measured: add some")
    return test.images if kept.all() else test.images[np.flatnonzero(kept)]


def cut_back(pieces: Images, seen: tuple[int, int] | None) -> Images:
    """Take the edges off that were only mirrored: (N, h, w, C) → (N, H, W, C); None keeps all."""
    return pieces if seen is None else pieces[:, : seen[0], : seen[1]]


def by_channel(images: Images) -> Images:
    """Make an image of every channel: (N, H, W, C) → (N·C, H, W, 1)."""
    if images.shape[-1] == 1:
        return images
    return np.moveaxis(images, -1, 1).reshape(-1, *images.shape[1:3], 1)


def over_pca(error: float, of_pca: float) -> dict[str, float]:
    """Set an error beside PCA's, which may be 0: pictures that are all alike have no ratio."""
    return {"mse_over_pca": error / of_pca} if of_pca else {}


if __name__ == "__main__":
    command.run(main)
