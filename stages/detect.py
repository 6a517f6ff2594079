"""Score test images, decide which are anomalous, and show where."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import keras
import numpy as np

from cae.core import files, words
from cae.core.arrays import Images
from cae.core.config import Section
from cae.core.errors import UserError
from cae.core.image_folder import ImageFolder
from cae.core.words import make_printable
from cae.datasets import prepared
from cae.datasets.intensity import FULL_RANGES, Window
from cae.datasets.masks import Mask, read_masks
from cae.datasets.prepared import PreparedSplit, SampleInfo
from cae.datasets.resizing import resize
from cae.figures import anomalies as figures
from cae.figures.anomalies import Example
from cae.figures.error_maps import colour_error_map
from cae.figures.style import COLUMNS
from cae.metrics import baselines, detection, scores
from cae.metrics.baselines import NearestImage, PrincipalComponents
from cae.metrics.detection import Detection
from cae.metrics.principal_components import sample_rows
from cae.metrics.score_settings import ScoreName
from cae.metrics.scores import NormalTiles, Score
from cae.metrics.tiled_scores import (
    ComputeErrors,
    ScoredImage,
    compute_squared_errors,
    iterate_tiled,
    score_images,
)
from cae.networks import end_to_end
from cae.networks.autoencoder import Autoencoder, load
from stages.baselines import Baselines
from stages.runner.project import BASELINES, PREPARED, Project, Results
from stages.settings import Anomaly, Data

FIGURES = "plots/detection"
# An AUROC below this is worse than chance even in a small test.
WORSE_THAN_CHANCE = 0.4


class Settings(Section):
    """What the stage reads of params.yaml."""

    anomaly: Anomaly
    baselines: Baselines
    data: Data


def detect(project: Project, settings: Settings) -> Results:
    """Return scores, error maps, tables, figures, and one model from raw pixels to the decision."""
    folder = project.path(PREPARED)
    splits = {split: prepared.read_split(folder, split) for split in prepared.SPLITS}
    test, held_out = splits["test"], splits["threshold"]
    train = splits["train"].images
    source, preprocessing, anomaly = settings.data.source, settings.data.preprocessing, settings.anomaly
    autoencoder = load(project.path("models/autoencoder.keras"), train.shape[1:])
    fitted = fit_scores(autoencoder, NormalTiles(train, splits["validation"].images), anomaly)
    methods = {name: score.compute_errors for name, score in fitted.items()}
    methods |= fit_baselines(autoencoder, project.path(BASELINES), train, settings.baselines)
    detections = {}
    for name, compute_errors in methods.items():
        images, normal = (
            score_images(iterate_tiled(split), preprocessing, compute_errors) for split in (test, held_out)
        )
        masks = read_masks(project.path(source), test.samples)
        detections[name] = detection.detect_anomalies(
            images, normal, masks, anomaly.smoothing, anomaly.false_alarms
        )
    ours, score = detections[anomaly.score], fitted[anomaly.score]
    threshold = None if ours.threshold is None else ours.threshold.value
    metrics = detection.measure(ours, test.samples)
    print_result(metrics, held_out.samples)
    images = score_images(iterate_tiled(test), preprocessing, score.compute_errors)
    masks = read_masks(project.path(source), test.samples)
    model, metadata = build_detector(score, test.samples[0], settings, threshold)
    return {
        "metrics/detect.json": metrics,
        "tables/detection.csv": detection.tabulate_methods(detections, test.samples),
        "tables/classes.csv": detection.tabulate_classes(detections, test.samples, anomaly.score),
        "data/scores.csv": detection.tabulate_scores(detections, test.samples, anomaly.score),
        "data/maps": partial(write_error_maps, images=images, smoothing=anomaly.smoothing, white=score.white),
        "models/detector.keras": partial(files.write_model, model=model, metadata=metadata),
        f"{FIGURES}/scores.png": figures.plot_scores(
            detection.group_by_class(ours.scores, test.samples),
            threshold,
            detection.find_normal_classes(test.samples),
            anomaly.score,
        ),
        f"{FIGURES}/examples.png": figures.plot_error_maps(
            find_examples(test, score.compute_errors, masks, ours, settings)
        ),
    }


def fit_scores(autoencoder: Autoencoder, normal: NormalTiles, anomaly: Anomaly) -> dict[str, Score]:
    """Fit the chosen score, and all others that these images and this network allow."""
    fitted = {}
    for name in get_args(ScoreName):
        try:
            fitted[name] = scores.fit(anomaly.model_copy(update={"score": name}), autoencoder, normal)
        except UserError as error:
            if name == anomaly.score:
                raise
            print(f"note: {name} is not in the tables: {error}", file=sys.stderr)
    return fitted


def fit_baselines(
    autoencoder: Autoencoder, folder: Path, train: Images, settings: Baselines
) -> Mapping[str, ComputeErrors]:
    """Return the baselines that the network has to beat, fitted to normal training images alone."""
    mean_image, components = baselines.read(folder)
    pca = PrincipalComponents(min(autoencoder.code_size, len(components.directions)), components)
    nearest = NearestImage(sample_rows(train, settings.seed, settings.images))
    return {
        "PCA": compute_squared_errors(pca.reconstruct),
        "nearest neighbour": compute_squared_errors(nearest.reconstruct),
        "mean image": compute_squared_errors(mean_image.reconstruct),
    }


def print_result(metrics: Mapping[str, float], held_out: Sequence[SampleInfo]) -> None:
    """Print the metrics, and notes on what they do not say."""
    groups = len({sample.group for sample in held_out})
    if groups < len(held_out):
        print(
            f"note: the {words.pluralize(len(held_out), 'image')} that set the threshold are from "
            f"{words.pluralize(groups, 'group')} (files, patients or volumes), but the interval of the false "
            "alarm rate holds for independent images",
            file=sys.stderr,
        )
    if metrics.get("auroc", 1) < WORSE_THAN_CHANCE:
        print(
            f"note: anomalous images have lower scores than normal ones (auroc {metrics['auroc']:.3g}, and "
            "chance is 0.5): to this score they are more normal, as images that are smoother than the "
            "training images can be. Compare the methods in tables/detection.csv, choose another "
            "(anomaly.score), try anomaly.smoothing for small defects, or check that data.normal names the "
            "normal class",
            file=sys.stderr,
        )
    print(", ".join(f"{name} {value:.3g}" for name, value in metrics.items()) or "test images scored")


def write_error_maps(
    folder: Path, images: Iterable[ScoredImage], smoothing: float | None, white: float
) -> None:
    """Write the error map of every image as PNG, in the size of the image."""
    writer = ImageFolder(folder)
    for image in images:
        writer.write(image.name, colour_error_map(image.compute_error_map(smoothing) / np.float32(white)))


def find_examples(
    test: PreparedSplit,
    compute_errors: ComputeErrors,
    masks: Iterable[Mask | None],
    ours: Detection,
    settings: Settings,
) -> list[Example]:
    """Return from each class the test image with the median score."""
    indices = detection.find_medians(ours.scores, test.samples, COLUMNS)
    chosen = np.isin(np.arange(len(test.samples)), indices)
    tiled = (image for image, is_chosen in zip(iterate_tiled(test), chosen) if is_chosen)
    images = score_images(tiled, settings.data.preprocessing, compute_errors)
    masks_of_chosen = (mask for mask, is_chosen in zip(masks, chosen) if is_chosen)
    examples = {
        index: Example(
            make_printable(test.samples[index].class_name),
            resize(image.image, *image.size),
            image.compute_error_map(settings.anomaly.smoothing),
            mask,
            None if ours.alarms is None else bool(ours.alarms[index]),
        )
        for index, image, mask in zip(np.flatnonzero(chosen).tolist(), images, masks_of_chosen, strict=True)
    }
    return [examples[index] for index in indices]


def build_detector(
    score: Score, sample: SampleInfo, settings: Settings, threshold: float | None
) -> tuple[keras.Model, dict[str, object]]:
    """Build one model from raw pixels to the decision, and its metadata.

    With tiles it takes one tile and decides nothing, because the threshold is for scores of whole images.
    """
    size, data = sample.preprocessed_size, settings.data
    if data.tiles:
        size = (data.tiles.size, data.tiles.size)
    window = data.window or FULL_RANGES.get(np.dtype(sample.dtype), Window(0, 1))
    smoothing = settings.anomaly.smoothing
    model = end_to_end.build(score.model, size, window, smoothing, None if data.tiles else threshold)
    return model, end_to_end.make_metadata(window, data.preprocessing, smoothing, threshold, score.white)
