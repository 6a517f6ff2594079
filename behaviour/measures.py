"""What every measure, baseline, probe and detector computes on tiny inputs: measures.json."""

import tempfile
from pathlib import Path
from typing import Any, get_args

import numpy as np

from behaviour import Cases, examples
from cae.core import files
from cae.core.arrays import Rows
from cae.datasets import noise
from cae.datasets.noise import Noise
from cae.datasets.splits import Splits
from cae.metrics import (
    baselines,
    embeddings,
    error_maps,
    localisation,
    principal_components,
    probes,
    quality,
    scores,
    thresholds,
)
from cae.metrics import detectors as row_detectors
from cae.metrics.score_settings import ScoreName, ScoreSettings
from cae.networks import autoencoder, discriminative, variational

# More images than a metric, and more than a network, takes at once.
PAIR = examples.pair(1003, 11, 13)
IMAGES = examples.images(505, 8, 12)
# Two parts, so that nothing is measured on what it was fitted to.
ROWS, OTHERS = np.split(examples.rows(97, 6), [61])
LABELS, OTHER_LABELS = np.split(examples.labels(97), [61])


def add_every_noise() -> Any:
    """Add every kind of noise to images, and to images of a size with a remainder."""
    kinds = {"gaussian": 0.3, "salt_and_pepper": 0.2, "squares": 0.4, "mixed": 0.5}
    return {
        kind: [
            noise.add_noise(
                images,
                Noise.model_validate({"kind": kind, "strength": strength}),
                np.random.default_rng(5),
            )
            for images in (IMAGES[:7], examples.images(3, 5, 7, 3))
        ]
        for kind, strength in kinds.items()
    }


def mean_image() -> Any:
    """Fit, encode and reconstruct."""
    fitted = baselines.MeanImage.fit(IMAGES[:40])
    return [fitted.mean, fitted.reconstruct(IMAGES[40:43]), fitted.parameters]


def pca() -> Any:
    """Fit to all images and sample some; encode, decode and reconstruct, also with components from files."""
    fitted = baselines.PrincipalComponents.fit(IMAGES[:40], 9)
    with tempfile.TemporaryDirectory() as folder:
        arrays = baselines.to_arrays(baselines.MeanImage.fit(IMAGES[:40]), fitted.components)
        for name, array in arrays.items():
            files.write_array(Path(folder) / name, array)
        mean, components = baselines.read(Path(folder))
    fewer = baselines.PrincipalComponents(5, components)
    codes = fewer.encode(IMAGES[40:])
    return [
        [list(fitted.components), fitted.encode(IMAGES[40:]), fitted.reconstruct(IMAGES[40:])],
        [mean.mean, codes, fewer.decode(2 * codes, (8, 12, 1)), fewer.parameters],
        principal_components.sample_rows(IMAGES, 1, 9),
    ]


def rows_by_split() -> Splits[Rows]:
    """Cut rows into splits, standardised."""
    return probes.standardise(Splits(ROWS, OTHERS[:20], OTHERS[20:]))


def linear_probe() -> Any:
    """Fit with strengths that do equally well, better and worse; the weights say more than the answers."""
    features = rows_by_split()
    probe = probes.LinearProbe((0.01, 0.03, 0.1, 0.3, 3.0))
    probe.fit(features.train, LABELS, features.validation, OTHER_LABELS[:20])
    model = probe.model
    return [list(features), model.C, model.coef_, model.intercept_, probe.predict(features.test)]


def knn_probe() -> Any:
    """Fit and answer by one neighbour and by several."""
    return [
        probes.KnnProbe(count).fit(ROWS, LABELS, OTHERS[:20], OTHER_LABELS[:20]).predict(OTHERS)
        for count in (1, 4, 5)
    ]


def embedding() -> Any:
    """Place rows in the plane by PCA and by t-SNE, and measure how faithful both maps are."""
    settings = embeddings.Settings(images=36, neighbours=3, perplexity=5.0, seed=1)
    linear = embeddings.embed_by_pca(ROWS, OTHERS)
    tsne = embeddings.embed_by_tsne(OTHERS, linear, settings)
    drawn = {
        name: embeddings.measure(points, OTHERS, OTHER_LABELS, 3)
        for name, points in (("pca", linear), ("tsne", tsne))
    }
    return [drawn, embeddings.tabulate(drawn, embeddings.compute_knn_accuracy(OTHERS, OTHER_LABELS, 3))]


def detectors() -> Any:
    """Fit every detector that needs no network to normal rows, and score others."""
    one_by_one: dict[str, row_detectors.Detector] = {
        **row_detectors.build_baseline_detectors(3, 4),
        "mahalanobis": row_detectors.MahalanobisDetector(),
        "forest": row_detectors.build_isolation_forest(2),
    }
    scores = {name: detector.fit(ROWS).score(OTHERS) for name, detector in one_by_one.items()}
    return [scores, row_detectors.flatten(IMAGES[:5]), IMAGES[:9][examples.labels(9) == 1]]


def code_detector() -> Any:
    """Fit the scores by a network's codes to some images, their sum to others, and score the rest."""
    network = examples.network(8, 12)
    return [
        # Some that are scored are known: their distance is 0.
        row_detectors.CodeDetector(network, neighbours).fit(IMAGES[:40], IMAGES[40:61]).score(IMAGES[30:])
        for neighbours in (1, 3)
    ]


def compute_error_maps() -> Any:
    """Compute error maps of grey and of colour, smooth them, and score images by them."""
    grey = [array[2] for array in PAIR]
    colour = [examples.images(1, 7, 9, 3, seed)[0] for seed in (6, 7)]
    results: list[Any] = []
    for image, reconstruction in (grey, colour):
        found = error_maps.compute_error_maps(image, reconstruction)
        results.append([found, error_maps.compute_score(found)])
        results += [
            [error_maps.smooth(found, spot), error_maps.compute_score(found, spot)] for spot in (0.7, 2.0)
        ]
    return results


def measure_localisation() -> Any:
    """Measure how well error maps point at regions of several sizes, two of which touch by a corner."""
    measured = localisation.Localisation()
    for found, places in zip(examples.images(4, 9, 11), ([(1, 3)], [(0, 1), (4, 6)], [(2, 4), (4, 5)], [])):
        mask = np.zeros((9, 11), bool)
        for start, end in places:
            mask[start:end, start:end] = True
        # Few levels: pixels of both kinds have the same error.
        measured.add(found[..., 0].round(1), mask)
    return [measured.is_measurable, measured.pixel_auroc(), measured.aupro()]


def threshold() -> Any:
    """Fit thresholds at several rates of false alarms, and say how many images each rate needs."""
    scores = examples.rows(99, 1)[:, 0].astype(np.float64)
    rates = (0.02, 0.055, 0.3)
    return [
        [thresholds.Threshold.fit(scores, rate), thresholds.Threshold.count_needed(rate)] for rate in rates
    ]


def predict_in_blocks() -> Any:
    """Save, load and split networks, and run images through them and their halves."""
    flat, nested = (
        examples.network(8, 12),
        variational.build(variational.Settings(code_size=5, width=7, layers="gated"), (8, 12, 1), 1),
    )
    examples.draw_weights(nested.network)
    results: dict[str, Any] = {}
    for name, built in (("flat", flat), ("nested", nested)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.keras"
            files.write_model(path, built.network)
            loaded = autoencoder.load(path, (8, 12, 1))
        codes = autoencoder.predict(loaded.encoder, IMAGES)
        decoded = autoencoder.predict(loaded.decoder, codes)
        whole = autoencoder.predict(loaded.network, IMAGES)
        results[name] = [loaded.code_shape, loaded.code_size, codes, decoded, whole]
        if name == "nested":
            logits = variational.build_decoder_to_logits(loaded)
            posterior = autoencoder.predict(variational.get_posterior(loaded), IMAGES)
            results["densities"] = [list(posterior), autoencoder.predict(logits, codes)]
    return results


def anomaly_measures() -> Any:
    """Measure scores with ties against which are anomalous."""
    scores = examples.rows(97, 1)[:, 0].astype(np.float64).round(1)
    return row_detectors.measure_detection(scores, examples.labels(97) == 2)


def fit_scores() -> Any:
    """Fit every anomaly score to some images, and compute the errors of others."""
    network = discriminative.build(discriminative.Settings(width=3, filters=2), (12, 20, 1), 1)
    examples.draw_weights(network.network)
    drawn = examples.images(70, 12, 20)
    normal = scores.NormalTiles(drawn[:40], drawn[40:61])
    results = {}
    for name in get_args(ScoreName):
        fitted = scores.fit(ScoreSettings(score=name, neighbours=3), network, normal)
        results[name] = [fitted.white, fitted.compute_errors(drawn[61:])]
    return results


CASES: Cases = {
    "aupro": measure_localisation,
    "auroc": anomaly_measures,
    "bce": lambda: quality.binary_crossentropy(*PAIR),
    "code_detector": code_detector,
    "detectors": detectors,
    "embedding": embedding,
    "error_maps": compute_error_maps,
    "interpolation": lambda: embeddings.interpolate(ROWS[:4], OTHERS[:4], 5),
    "knn_probe": knn_probe,
    "linear_probe": linear_probe,
    "mean_image": mean_image,
    "mse": lambda: quality.mse(*PAIR),
    "noise": add_every_noise,
    "pca": pca,
    "prediction": predict_in_blocks,
    "psnr": lambda: quality.psnr(*PAIR),
    "scores": fit_scores,
    "ssim": lambda: quality.ssim(*PAIR),
    "summary": lambda: quality.summarise(*PAIR),
    "threshold": threshold,
}
