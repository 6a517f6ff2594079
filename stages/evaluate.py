"""Measure reconstructions of normal test images beside their floor, PCA and the mean image."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cae.core import files, words
from cae.core.arrays import Images, Indices, Labels, Scores
from cae.core.config import Section
from cae.datasets import prepared
from cae.datasets.noise import Noise, add_noise
from cae.datasets.prepared import Classes, PreparedSplit
from cae.figures import reconstructions as figures
from cae.figures.reconstructions import Method
from cae.metrics import baselines, quality
from cae.metrics.baselines import PrincipalComponents
from cae.networks.autoencoder import Autoencoder, load, predict
from cae.networks.model import Model
from stages.measured_images import crop, iterate_blocks, separate_channels
from stages.runner.project import BASELINES, PREPARED, Project, Results
from stages.settings import Data

FIGURES = "plots/reconstructions"
OURS, PCA, MEAN, NOISY = "autoencoder", "PCA", "mean image", "noisy input"
# The metrics in metrics/evaluate.json; plots/reconstruction.csv has all.
METRICS = ("bce", "mse", "ssim")
# Images of the figure of examples, where there are no classes, and where there are many.
EXAMPLES = 8
MOST_EXAMPLES = 12
# Draws the noise on the test images, the same for every experiment.
NOISE_SEED = 1
Reconstruct = Callable[[Images], Images]


class Settings(Section):
    """What the stage reads of params.yaml."""

    data: Data
    model: Model

    @property
    def noises(self) -> list[Noise]:
        """The noise that the network is trained to remove."""
        return [one for one in self.model.settings.augmentations if isinstance(one, Noise)]


class Measurement(NamedTuple):
    """How well a method reconstructs the test images."""

    # Name of a metric → its value for each channel of each image, (N·C,).
    metrics: dict[str, Scores]
    # Mean squared error of each image, over its channels, (N,).
    errors: Scores


def evaluate(project: Project, settings: Settings) -> Results:
    """Return metrics, tables and figures; of a test without normal images the loss curves alone."""
    folder, fitted = project.path(PREPARED), project.path(BASELINES)
    history = files.read_csv(project.path("plots/history.csv"))
    floors = files.read_csv(fitted / "floors.csv").set_index("split")["floor"]
    test = prepared.read_split(folder, "test")
    indices = test.find_normal()
    curves = figures.plot_loss_curves(history, find_floor_below(history, float(floors["validation"])))
    results: Results = {f"{FIGURES}/loss_curves.png": curves}
    if not len(indices):
        print("no test image is normal: reconstruction is not measured")
        return results | {
            "metrics/evaluate.json": {},
            "plots/reconstruction.csv": pd.DataFrame(columns=["method", "mse"]),
        }
    autoencoder = load(project.path("models/autoencoder.keras"), test.images.shape[1:])
    mean_image, components = baselines.read(fitted)
    pca = PrincipalComponents(min(autoencoder.code_size, len(components.directions)), components)
    methods: dict[str, Reconstruct] = {
        OURS: partial(predict, autoencoder.network),
        PCA: pca.reconstruct,
        MEAN: mean_image.reconstruct,
        **({NOISY: np.asarray} if settings.noises else {}),
    }
    costs = {
        OURS: (autoencoder.code_size, autoencoder.network.count_params()),
        PCA: (pca.code_size, pca.parameters),
        MEAN: (mean_image.code_size, mean_image.parameters),
    }

    measured = {name: measure(reconstruct, test, indices, settings) for name, reconstruct in methods.items()}
    averages = {name: quality.average(one.metrics) for name, one in measured.items()}
    metrics = {name: averages[OURS][name] for name in METRICS}
    # Images that are all alike have no ratio.
    ratio = {"mse_over_pca": averages[OURS]["mse"] / averages[PCA]["mse"]} if averages[PCA]["mse"] else {}
    table = tabulate(averages, costs, float(floors["test"]))
    print(describe(averages, pca.code_size, float(floors["test"])))
    labels = find_labels(folder, indices)
    compared_methods = [Method(name, *costs[name], measured[name].errors) for name in costs]
    return {
        **results,
        "metrics/evaluate.json": metrics | ratio,
        "plots/reconstruction.csv": table,
        "plots/error_percentiles.csv": figures.tabulate_error_percentiles(compared_methods[:2]),
        f"{FIGURES}/error_distribution.png": figures.plot_error_distribution(compared_methods[:2]),
        **plot_images(autoencoder, test, indices, measured[OURS].errors, settings, labels),
        **compare_classes(compared_methods, labels),
    }


def measure(
    reconstruct: Reconstruct, test: PreparedSplit, indices: Indices, settings: Settings
) -> Measurement:
    """Measure reconstructions of normal test images, block by block; noisy ones against the clean images."""
    generator = np.random.default_rng(NOISE_SEED)
    metrics, errors = [], []
    for clean in iterate_blocks(test.images, indices):
        noisy = add_training_noise(clean, settings, generator)
        pair = [
            separate_channels(crop(images, test, settings.data)) for images in (clean, reconstruct(noisy))
        ]
        metrics.append(quality.measure(*pair))
        errors.append(metrics[-1]["mse"].reshape(len(clean), -1).mean(axis=1))
    joined = {name: np.concatenate([block[name] for block in metrics]) for name in metrics[0]}
    return Measurement(joined, np.concatenate(errors))


def add_training_noise(images: Images, settings: Settings, generator: np.random.Generator) -> Images:
    """Return images with the noise that the network was trained on; without it the images themselves."""
    for noise in settings.noises:
        images = add_noise(images, noise, generator)
    return images


def find_floor_below(history: pd.DataFrame, floor: float) -> float | None:
    """Return the floor if every loss lies above it.

    A tiny validation split can have a floor above the loss of other images: no axis begins there.
    """
    return floor if floor < history[["loss", "val_loss"]].to_numpy().min() else None


def tabulate(
    averages: Mapping[str, Mapping[str, float]], costs: Mapping[str, tuple[int, int]], floor: float
) -> pd.DataFrame:
    """Tabulate costs and metrics of every method; the last row is that of a perfect reconstruction."""
    rows = [
        {"method": name, **dict(zip(("code_size", "parameters"), costs.get(name, ()))), **metrics}
        for name, metrics in averages.items()
    ]
    perfect = {"bce": floor, "bce_above_floor": 0.0, "mse": 0.0, "mae": 0.0, "ssim": 1.0}
    table = pd.DataFrame([*rows, {"method": "floor", **perfect}])
    # Integers that can be missing.
    return table.astype(dict.fromkeys(("code_size", "parameters"), "Int64"))


def describe(averages: Mapping[str, Mapping[str, float]], components: int, floor: float) -> str:
    """Describe the result in a line; PCA has so many components."""
    noisy = f"; the noisy input {averages[NOISY]['bce']:.5f}" if NOISY in averages else ""
    kind = "denoising noisy test images, " if noisy else "test "
    return (
        f"{kind}binary cross-entropy {averages[OURS]['bce']:.5f}, floor {floor:.5f}; PCA with "
        f"{words.pluralize(components, 'component')} {averages[PCA]['bce']:.5f}{noisy}"
    )


class TestLabels(NamedTuple):
    """The classes of the test images that are measured."""

    labels: Labels
    names: tuple[str, ...]


def find_labels(folder: Path, indices: Indices) -> TestLabels | None:
    """Return the labels of some test images; None where they have no classes."""
    classes: Classes | None = prepared.read_classes(folder)
    return None if classes is None else TestLabels(classes.labels.test[indices], classes.names)


def plot_images(
    autoencoder: Autoencoder,
    test: PreparedSplit,
    indices: Indices,
    errors: Scores,
    settings: Settings,
    classes: TestLabels | None,
) -> dict[str, Figure]:
    """Draw some images and their reconstructions: typical ones, and those with the extreme errors."""
    order = np.argsort(errors, kind="stable")
    if classes is None:
        ranks = np.linspace(0, len(order) - 1, min(EXAMPLES, len(order))).round().astype(int)
        chosen, heading = order[ranks], "Normal test images, from the least to the largest squared error"
    else:
        labels = classes.labels
        drawn = np.unique(labels)[:MOST_EXAMPLES]
        chosen = np.array([figures.find_median(errors, labels == label) for label in drawn])
        heading = "From each class the test image with the median squared error of its class"

    def select(places: Indices) -> figures.Examples:
        clean = test.images[indices[places]]
        noisy = add_training_noise(clean, settings, np.random.default_rng(NOISE_SEED))
        return figures.Examples(
            crop(clean, test, settings.data),
            crop(predict(autoencoder.network, noisy), test, settings.data),
            errors[places],
            None if classes is None else [classes.names[label] for label in classes.labels[places]],
            crop(noisy, test, settings.data) if settings.noises else None,
        )

    count = min(EXAMPLES, len(order))
    return {
        f"{FIGURES}/examples.png": figures.plot_examples(select(chosen), heading),
        f"{FIGURES}/extremes.png": figures.plot_extremes(
            select(order[:count]), select(order[::-1][:count]), len(order)
        ),
    }


def compare_classes(methods: list[Method], classes: TestLabels | None) -> Results:
    """Compare the squared errors of all methods class by class, where there are classes."""
    if classes is None:
        return {}
    return {
        "plots/error_by_class.csv": figures.tabulate_class_errors(methods, *classes),
        f"{FIGURES}/error_by_class.png": figures.plot_error_by_class(methods, *classes),
    }
