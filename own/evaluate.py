"""Measure reconstructions of normal test pictures beside their floor, PCA and the mean picture."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from cae.core import files, words
from cae.core.arrays import Images, Indices, Scores
from cae.core.blocks import block_size, split_blocks
from cae.datasets import prepared
from cae.datasets.prepared import Prepared
from cae.figures import reconstructions
from cae.metrics import quality
from cae.metrics.baselines import MeanImage, PrincipalComponents
from cae.networks.autoencoder import load, predict
from own import pictures, project_folder, settings
from own.detectors import Reconstruct
from stages import MODELS, PLOTS, PREPARED
from stages.evaluate import OURS, beside_the_floor, floor_if_below
from stages.inputs import Inputs

# What experiments are compared by; all else stands in plots/reconstruction.csv.
COMPARED = ("bce", "bce_above_floor", "mse", "ssim")


def main() -> None:
    """Read PROJECT/models and data/prepared, write metrics/evaluate.json and plots/."""
    project = project_folder()
    inputs = Inputs.read("evaluate", project)
    whole = settings.load(project)
    folder, plots = project / PREPARED, project / PLOTS
    history = files.read_csv(plots / "history.csv")
    train, validation = (prepared.images(folder, side) for side in ("train", "validation"))
    test = Prepared.read(folder, "test")
    places = normal(test)
    if not len(places):
        write_no_metrics(project, history, inputs)
        return
    autoencoder = load(project / MODELS / "autoencoder.keras", train.shape[1:])
    pca = PrincipalComponents.fit_sample(train, autoencoder.code_size, whole.split.seed)
    mean_image = MeanImage.fit(train)
    methods: dict[str, Reconstruct] = {
        OURS: partial(predict, autoencoder.network),
        "PCA": pca.reconstruct,
        "mean picture": mean_image.reconstruct,
    }
    costs = {OURS: (autoencoder.code_size, autoencoder.network.count_params())} | {
        name: (baseline.code_size, baseline.parameters)
        for name, baseline in (("PCA", pca), ("mean picture", mean_image))
    }

    # Edges that were only mirrored are not measured.
    cut = partial(cut_back, seen=None if whole.data.tiles else prepared.pictures(folder)[0].seen)
    measured = {
        name: measure(reconstruct, taken(test.images, places), cut) for name, reconstruct in methods.items()
    }
    scores = {name: averages for name, (averages, _) in measured.items()}
    floor, validation_floor = (
        mean_floor(pieces, cut) for pieces in (taken(test.images, places), split_blocks(validation))
    )

    inputs.check()
    compared = {name: scores[OURS][name] for name in COMPARED}
    files.write_json(
        project / "metrics/evaluate.json",
        compared | over_pca(scores[OURS]["mse"], scores["PCA"]["mse"]),
    )
    files.write_csv(plots / "reconstruction.csv", beside_the_floor(scores, costs, floor))
    curves = reconstructions.plot_loss_curves(history, floor_if_below(history, validation_floor))
    files.write_figure(plots / "reconstructions/loss_curves.png", curves)
    _, errors = measured[OURS]
    shown = ranked(errors, pictures.COLUMNS)
    originals = test.images[places[shown]]
    examples = pictures.reconstructions(cut(originals), cut(methods[OURS](originals)), errors[shown])
    files.write_figure(plots / "reconstructions/examples.png", examples)
    print(
        f"test mean squared error {scores[OURS]['mse']:.5f}; PCA with "
        f"{words.pluralize(pca.code_size, 'number')} {scores['PCA']['mse']:.5f}"
    )


def write_no_metrics(project: Path, history: pd.DataFrame, inputs: Inputs) -> None:
    """Write what there is where no test picture is normal: the loss curves, no metrics, an empty table."""
    inputs.check()
    files.write_json(project / "metrics/evaluate.json", {})
    files.write_csv(project / PLOTS / "reconstruction.csv", pd.DataFrame(columns=["method", "mse"]))
    curves = reconstructions.plot_loss_curves(history, None)
    files.write_figure(project / PLOTS / "reconstructions/loss_curves.png", curves)
    print("no test picture is normal: errors of reconstruction are not measured")


def normal(test: Prepared) -> Indices:
    """Find the pieces of normal pictures; none where the source's own test holds anomalies alone."""
    kept = np.repeat(
        [picture.normal for picture in test.pictures], [picture.pieces for picture in test.pictures]
    )
    return np.flatnonzero(kept)


def taken(images: Images, places: Indices) -> Iterator[Images]:
    """Yield some of the images in blocks that memory holds easily."""
    for start in range(0, len(places), size := block_size(*images.shape[1:3])):
        yield images[places[start : start + size]]


def measure(
    reconstruct: Reconstruct, pieces: Iterable[Images], cut: Callable[[Images], Images]
) -> tuple[dict[str, float], Scores]:
    """Average every metric over blocks of pieces, and return the squared error of each piece, (N,)."""
    summaries, errors = [], []
    for block in pieces:
        pair = by_channel(cut(block)), by_channel(cut(reconstruct(block)))
        summaries.append(quality.summarise(*pair))
        errors.append(quality.mse(*pair).reshape(len(block), -1).mean(axis=1))
    counts = [len(of_block) for of_block in errors]
    averages = {
        name: float(np.average([summary[name] for summary in summaries], weights=counts))
        for name in summaries[0]
    }
    # Not the mean of its values: a mean of logarithms is not the logarithm of a mean.
    averages["psnr_of_mean_mse"] = float(quality.psnr_from_mse(averages["mse"]))
    return averages, np.concatenate(errors)


def mean_floor(pieces: Iterable[Images], cut: Callable[[Images], Images]) -> float:
    """Average over pieces what the cross-entropy of a perfect reconstruction would be."""
    return float(np.concatenate([quality.floor(by_channel(cut(block))) for block in pieces]).mean())


def ranked(errors: Scores, count: int) -> Indices:
    """Find pieces from the least error to the greatest, evenly by rank."""
    order = np.argsort(errors, kind="stable")
    return order[np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)]


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
