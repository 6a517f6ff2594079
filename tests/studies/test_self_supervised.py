"""The self-supervised study: networks are trained without labels, and their codes are measured."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax
from skimage.feature import hog

from cae.datasets.augmentations import Phase
from cae.datasets.splits import Splits
from cae.engine.engine import choose_engine
from cae.networks import self_supervised
from cae.networks.autoencoder import load
from studies.self_supervised import SUPERVISED, features, report, train_supervised
from tests.studies.running import copy_study, run_declared

SMALL = {"filters": [3, 4, 5], "code_size": 6, "width": 16, "words": 7, "prototypes": 5, "batch_size": 16}
NAMES = ("prototypes", "contrastive_joint", SUPERVISED)
PARAMS = {
    "networks": {
        "prototypes": {"task": "prototypes", **SMALL},
        "contrastive_joint": {"task": "contrastive", "reconstruction": 1.0, **SMALL},
        SUPERVISED: SMALL,
    },
    "epochs": dict.fromkeys(NAMES, 2),
    "shards": 2,
    "components": 4,
    "fitted_to": 50,
    "probes": {"labels_per_class": [2], "seeds": [1], "regularisation": [1.0]},
}
IMAGES = np.random.default_rng(0).random((600, 12, 12, 1), dtype=np.float32)
SPLITS = Splits(IMAGES[:520], IMAGES[520:540], IMAGES[540:])


@pytest.mark.usefixtures("pipeline")
def test_networks_are_trained_and_their_codes_measured() -> None:
    folder = copy_study("self_supervised", PARAMS)
    run_declared("self_supervised", "train_supervised")
    for name in NAMES:
        if name != SUPERVISED:
            run_declared("self_supervised", "train", name)
        run_declared("self_supervised", "measure", name)
        assert len(pd.read_csv(folder / f"histories/{name}.csv")) == 2
        run = json.loads((folder / f"runs/{name}.json").read_text())
        assert run["numbers"] == load(folder / f"models/{name}.keras", (12, 12, 1)).code_size == 6
        assert set(run["mean"]) == {
            f"{probe}_{labels}" for probe in ("linear", "knn") for labels in ("2", "all")
        }


def test_the_upper_bound_minimises_the_cross_entropy_of_the_class() -> None:
    settings = self_supervised.Settings.model_validate(SMALL)
    autoencoder = self_supervised.build(settings, (12, 12, 1), 1)
    task = train_supervised.build_task(autoencoder, 10, choose_engine("fast"))
    labels = np.arange(8, dtype=np.uint8)
    labelled = train_supervised.add_labels(IMAGES[:8], labels)
    inputs, targets = task.draw_examples(labelled, np.random.default_rng(0), Phase(training=False, epoch=0))
    np.testing.assert_array_equal(inputs, IMAGES[:8])
    losses = task.losses["loss"](targets, task.forward(inputs))
    expected = -log_softmax(np.asarray(task.network(inputs)), axis=1)[np.arange(8), labels]
    np.testing.assert_allclose(losses, expected, rtol=1e-4)


def test_features_of_all_blocks_come_in_the_order_of_the_images() -> None:
    rows = features.compute_all(SPLITS, features.compute_hog)
    assert [len(part) for part in rows] == [520, 20, 60]
    np.testing.assert_allclose(rows.train[510], hog(IMAGES[510, ..., 0], 9, (4, 4), (2, 2)), rtol=1e-5)


def test_principal_components_are_fitted_to_training_images_alone() -> None:
    def correlate(images: np.ndarray) -> np.ndarray:
        # All nine numbers have a part in common, so that only principal components are uncorrelated.
        rows = images.reshape(len(images), -1)
        return rows[:, :9] + 3 * rows[:, 9:10]

    rows = features.project(SPLITS, correlate, components=3, fitted_to=len(SPLITS.train))
    changed = features.project(SPLITS._replace(test=1 - SPLITS.test), correlate, 3, len(SPLITS.train))
    assert rows.test.shape == (60, 3)
    np.testing.assert_array_equal(rows.train, changed.train)
    covariance = np.cov(rows.train.T)
    assert covariance[0, 0] > 10 * covariance[1, 1]
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-4)


def test_multiplications_are_counted_in_models_inside_of_models() -> None:
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5)])
    image = keras.Input((6, 6, 2))
    maps = keras.layers.Conv2D(3, 3, padding="same")(image)
    outer = keras.Model(image, inner(keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(maps))))
    assert report.count_multiplications(outer) == 36 * 9 * 2 * 3 + 3 * 4 + 4 * 5
