"""Probe codes for the classes of images beside the baselines, and draw embeddings of them."""

import sys
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from cae.core import files, words
from cae.core.arrays import Images, Labels, Rows
from cae.core.config import Section
from cae.datasets import prepared
from cae.datasets.prepared import NO_CLASS, Classes
from cae.datasets.splits import Splits, draw_indices
from cae.figures import codes as figures
from cae.figures import embeddings as embedding_figures
from cae.metrics import embeddings, probes
from cae.metrics.baselines import read
from cae.metrics.embeddings import Embedding
from cae.metrics.principal_components import sample_rows
from cae.networks.autoencoder import Autoencoder, load
from stages.baselines import compute_default_code_size
from stages.runner.project import BASELINES, PREPARED, Project, Results

FIGURES = "plots/codes"
# Images between two that are interpolated, both included, and how many pairs.
STEPS = 9
PAIRS = 3
# Classes whose nearest images are drawn, a row each.
MOST_ROWS = 12


class Settings(Section):
    """What the stage reads of params.yaml."""

    embedding: embeddings.Settings
    probes: probes.Settings


class Sample(NamedTuple):
    """The test images that are embedded."""

    images: Images
    codes: Rows
    labels: Labels
    names: tuple[str, ...]


def probe(project: Project, settings: Settings) -> Results:
    """Return accuracies beside those of the baselines, embeddings, and figures of both."""
    folder = project.path(PREPARED)
    images, classes = prepared.read_all_images(folder), prepared.read_classes(folder)
    autoencoder = load(project.path("models/autoencoder.keras"), images.test.shape[1:])
    codes = Splits(*(autoencoder.encode(part) for part in images))
    sample = draw_sample(images, codes, classes, settings.embedding)
    # As many training codes as fit into memory.
    fitted = sample_rows(codes.train, settings.embedding.seed, len(codes.train))
    linear = embeddings.embed_by_pca(fitted, sample.codes)
    # t-SNE is one long thread; everything that does not need it fills the other cores meanwhile. Unlike an
    # executor, this pool does not wait for its thread when the stage is stopped.
    with ThreadPool(1) as pool:
        embed = start_tsne(pool, sample, linear, settings.embedding)
        results: Results = {"metrics/probe.json": {}, "plots/probes.csv": pd.DataFrame()}
        if classes is not None and classes.learnable:
            probes.check(classes.labels, settings.probes, classes.names)
            results = probe_classes(
                autoencoder, images, codes, classes, project.path(BASELINES), settings.probes
            )
            results |= plot_examples(autoencoder, images, codes, classes, settings.embedding.neighbours)
        measured = {"PCA": measure(linear, sample, settings.embedding)}
        if embed is not None:
            measured["t-SNE"] = measure(embed(), sample, settings.embedding)
    return results | plot_embeddings(measured, sample, settings.embedding)


def draw_sample(
    images: Splits[Images], codes: Splits[Rows], classes: Classes | None, settings: embeddings.Settings
) -> Sample:
    """Draw test images; without classes all have the same label."""
    count = len(codes.test)
    indices = draw_indices(count, {"sample": min(settings.images, count)}, settings.seed)["sample"]
    labels = np.zeros(count, np.uint8) if classes is None else classes.labels.test
    names = (NO_CLASS,) if classes is None else classes.names
    return Sample(images.test[indices], codes.test[indices], labels[indices], names)


def start_tsne(
    pool: ThreadPool, sample: Sample, linear: npt.NDArray[np.float64], settings: embeddings.Settings
) -> Callable[[], Rows] | None:
    """Start t-SNE beside everything else; None, and a note, where the images are too few for it."""
    needed = embeddings.count_needed(settings)
    if len(sample.codes) < needed:
        print(
            f"note: t-SNE with embedding.perplexity {settings.perplexity:g} and embedding.neighbours "
            f"{settings.neighbours} needs {needed} test images, but there are {len(sample.codes)}: only PCA "
            "is drawn. Lower them in params.yaml, or add test images",
            file=sys.stderr,
        )
        return None
    return pool.apply_async(embeddings.embed_by_tsne, (sample.codes, linear, settings)).get


def measure(points: npt.NDArray[np.floating], sample: Sample, settings: embeddings.Settings) -> Embedding:
    """Measure how well an embedding keeps the neighbours of the codes, as many as there can be."""
    return embeddings.measure(points, sample.codes, sample.labels, count_neighbours(sample, settings))


def count_neighbours(sample: Sample, settings: embeddings.Settings) -> int:
    """Return how many neighbours are compared: the trustworthiness takes less than half of the images."""
    return min(settings.neighbours, (len(sample.codes) - 1) // 2)


def probe_classes(
    autoencoder: Autoencoder,
    images: Splits[Images],
    codes: Splits[Rows],
    classes: Classes,
    baselines: Path,
    settings: probes.Settings,
) -> Results:
    """Probe the codes, and set the accuracies beside those of the baselines in a folder."""
    outcomes = list(probes.run_probes({"code": codes}, classes.labels, settings, cores_left=1))
    accuracies = pd.concat(
        [
            probes.tabulate_accuracies(outcomes, classes.labels.test),
            files.read_csv(baselines / "accuracies.csv"),
        ],
        ignore_index=True,
    )
    _, components = read(baselines)
    metrics = probes.select_metrics(accuracies, "code")
    described = name_features(autoencoder, images.test, len(components.directions))
    names = {name: described[name] for name in accuracies["features"].unique()}
    (linear,) = (one for one in outcomes if (one.probe, one.labels_per_class) == ("linear", probes.ALL))
    print("accuracy:", ", ".join(f"{name} {value:.1%}" for name, value in metrics.items()))
    return {
        "metrics/probe.json": metrics,
        "plots/probes.csv": probes.tabulate_by_labels(accuracies, classes.labels.train),
        "plots/confusion.csv": probes.tabulate_predictions(
            classes.labels.test, linear.predictions, classes.names
        ),
        f"{FIGURES}/transfer.png": figures.plot_probe_accuracy(accuracies, names),
    }


def name_features(autoencoder: Autoencoder, images: Images, components: int) -> dict[str, str]:
    """Describe each kind of features for the legend; so many components of PCA were fitted."""
    default = compute_default_code_size(images)
    return {
        "code": f"code of the autoencoder, {words.pluralize(autoencoder.code_size, 'number')}",
        "PCA": f"PCA, {words.pluralize(min(default, components), 'number')}",
        "pixels": f"pixels, {words.pluralize(images[0].size, 'number')}",
        "untrained": f"code of the untrained default network, {words.pluralize(default, 'number')}",
    }


def plot_examples(
    autoencoder: Autoencoder, images: Splits[Images], codes: Splits[Rows], classes: Classes, neighbours: int
) -> dict[str, Figure]:
    """Draw what lies near the codes of some test images, and between them."""
    labels = classes.labels
    # The first of each class: nobody chose these images by eye.
    first = figures.find_first_of_each_class(labels.test)[:MOST_ROWS]
    nearest = embeddings.find_nearest(codes.train, codes.test[first], min(neighbours, len(codes.train)))
    ends = figures.pair_up(first, PAIRS)
    results = {
        f"{FIGURES}/retrieval.png": figures.plot_nearest(
            images.test[first], labels.test[first], images.train, labels.train, nearest, classes.names
        )
    }
    # A test of one class has no pairs.
    if len(ends):
        results[f"{FIGURES}/interpolation.png"] = figures.plot_interpolation(
            images.test[ends], interpolate(autoencoder, codes.test, ends), labels.test[ends], classes.names
        )
    return results


def interpolate(autoencoder: Autoencoder, codes: Rows, ends: npt.NDArray[np.intp]) -> Images:
    """Decode codes on straight lines between those of images: pairs (P, 2) → (P, STEPS, H, W, C)."""
    paths = [embeddings.interpolate(codes[start], codes[end], STEPS) for start, end in ends]
    return np.stack([autoencoder.decode(path) for path in paths])


def plot_embeddings(measured: dict[str, Embedding], sample: Sample, settings: embeddings.Settings) -> Results:
    """Tabulate and draw embeddings; without classes there is no accuracy."""
    several = len(sample.names) > 1
    neighbours = count_neighbours(sample, settings)
    by_code = embeddings.compute_knn_accuracy(sample.codes, sample.labels, neighbours)
    results: Results = {
        "plots/embeddings.csv": embeddings.tabulate(measured, by_code),
        f"{FIGURES}/embeddings.png": embedding_figures.plot_embeddings(
            measured, sample.labels, sample.names, by_code if several else None, neighbours
        ),
    }
    if "t-SNE" in measured:
        results[f"{FIGURES}/embedding_of_images.png"] = embedding_figures.plot_images_by_embedding(
            measured["t-SNE"].points, sample.images, sample.labels, sample.names
        )
    return results
