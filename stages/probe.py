"""Probe codes for the classes of images beside the baselines, and draw embeddings of them."""

import sys
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
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
from cae.metrics.embeddings import Embedding
from cae.metrics.principal_components import sample_rows
from cae.networks.autoencoder import Autoencoder, load
from stages.baselines import code_size
from stages.runner.project import Project, Results

FIGURES = "plots/codes"
# Images between two that are interpolated, both included, and how many pairs.
STEPS = 9
PAIRS = 3


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
    folder = project.path("data/prepared")
    images, classes = prepared.read_all_images(folder), prepared.read_classes(folder)
    autoencoder = load(project.path("models/autoencoder.keras"), images.test.shape[1:])
    codes = Splits(*(autoencoder.encode(part) for part in images))
    sample = draw_sample(images, codes, classes, settings.embedding)
    known = sample_rows(codes.train, settings.embedding.seed, len(codes.train))
    linear = embeddings.embed_by_pca(known, sample.codes)
    # t-SNE is one long thread; everything that does not need it fills the other cores meanwhile. Unlike an
    # executor, this pool does not wait for its thread when the stage is stopped.
    with ThreadPool(1) as pool:
        embed = start_tsne(pool, sample, linear, settings.embedding)
        results: Results = {"metrics/probe.json": {}, "plots/probes.csv": pd.DataFrame()}
        if classes is not None and classes.learnable:
            probes.check(classes.labels, settings.probes, classes.names)
            accuracies = files.read_csv(project.path("data/baselines") / "accuracies.csv")
            results = probe_classes(autoencoder, images, codes, classes, accuracies, settings.probes)
            results |= plot_examples(autoencoder, images, codes, classes, settings.embedding.neighbours)
        drawn = {"PCA": measure(linear, sample, settings.embedding)}
        if embed is not None:
            drawn["t-SNE"] = measure(embed(), sample, settings.embedding)
    return results | plot_embeddings(drawn, sample, settings.embedding)


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
    neighbours = min(settings.neighbours, (len(points) - 1) // 2)
    return embeddings.measure(points, sample.codes, sample.labels, neighbours)


def probe_classes(
    autoencoder: Autoencoder,
    images: Splits[Images],
    codes: Splits[Rows],
    classes: Classes,
    of_baselines: pd.DataFrame,
    settings: probes.Settings,
) -> Results:
    """Probe the codes, and set the accuracies beside those of the baselines."""
    outcomes = list(probes.run_probes({"code": codes}, classes.labels, settings, cores_left=1))
    accuracies = pd.concat(
        [probes.tabulate_accuracies(outcomes, classes.labels.test), of_baselines], ignore_index=True
    )
    metrics = probes.select_metrics(accuracies, "code")
    described = name_features(autoencoder, images.test)
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


def name_features(autoencoder: Autoencoder, images: Images) -> dict[str, str]:
    """Describe each kind of features for the legend."""
    default = words.pluralize(code_size(images), "number")
    return {
        "code": f"code of the autoencoder, {words.pluralize(autoencoder.code_size, 'number')}",
        "PCA": f"PCA, {default}",
        "pixels": f"pixels, {words.pluralize(images[0].size, 'number')}",
        "untrained": f"code of the untrained default network, {default}",
    }


def plot_examples(
    autoencoder: Autoencoder, images: Splits[Images], codes: Splits[Rows], classes: Classes, neighbours: int
) -> dict[str, Figure]:
    """Draw what lies near the codes of some test images, and between them."""
    labels = classes.labels
    # The first of each class: nobody chose these images by eye.
    first = figures.find_first_of_each_class(labels.test)
    nearest = embeddings.find_nearest(codes.train, codes.test[first], min(neighbours, len(codes.train)))
    ends = figures.pair_up(first, PAIRS)
    return {
        f"{FIGURES}/retrieval.png": figures.plot_nearest(
            images.test[first], labels.test[first], images.train, labels.train, nearest, classes.names
        ),
        f"{FIGURES}/interpolation.png": figures.plot_interpolation(
            images.test[ends], interpolate(autoencoder, codes.test, ends), labels.test[ends], classes.names
        ),
    }


def interpolate(autoencoder: Autoencoder, codes: Rows, ends: npt.NDArray[np.intp]) -> Images:
    """Decode codes on straight lines between those of images: pairs (P, 2) → (P, STEPS, H, W, C)."""
    paths = [embeddings.interpolate(codes[start], codes[end], STEPS) for start, end in ends]
    return np.stack([autoencoder.decode(path) for path in paths])


def plot_embeddings(drawn: dict[str, Embedding], sample: Sample, settings: embeddings.Settings) -> Results:
    """Tabulate and draw embeddings; without classes there is no accuracy."""
    several = len(sample.names) > 1
    neighbours = min(settings.neighbours, len(sample.codes) - 1)
    by_code = embeddings.compute_knn_accuracy(sample.codes, sample.labels, neighbours)
    results: Results = {
        "plots/embeddings.csv": embeddings.tabulate(drawn, by_code),
        f"{FIGURES}/embeddings.png": embedding_figures.plot_embeddings(
            drawn, sample.labels, sample.names, by_code if several else None, neighbours
        ),
    }
    if "t-SNE" in drawn:
        results[f"{FIGURES}/embedding_of_images.png"] = embedding_figures.plot_images_by_embedding(
            drawn["t-SNE"].points, sample.images, sample.labels, sample.names
        )
    return results
