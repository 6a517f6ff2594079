"""Scores as Keras models give what scikit-learn and plain NumPy give."""

from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors

from behaviour import examples
from cae.core import files
from cae.core.arrays import Images, Rows
from cae.core.errors import UserError
from cae.metrics import local_features, scores
from cae.metrics.detectors import CodeDetector
from cae.metrics.error_maps import ErrorMaps
from cae.metrics.score_settings import ScoreName, ScoreSettings
from cae.metrics.scores import NormalTiles, Score
from cae.networks import convolutional, discriminative, residual
from cae.networks.autoencoder import Autoencoder, predict

NAMES = get_args(ScoreName)
SEGMENTATION: ScoreName = "segmentation"
NORMAL = NormalTiles(examples.images(40, 28, 28), examples.images(9, 28, 28, seed=2))
OTHERS = examples.images(7, 28, 28, seed=3)


def build(channels: int = 1, name: ScoreName = "local") -> Autoencoder:
    if name == SEGMENTATION:
        return discriminative.build(discriminative.Settings(width=3, filters=2), (28, 28, channels), seed=1)
    return convolutional.build(convolutional.Settings(filters=(6, 5, 4)), (28, 28, channels), seed=1)


def fit(name: ScoreName, normal: NormalTiles = NORMAL, **settings: Any) -> Score:
    autoencoder = build(normal.train.shape[-1], name)
    return scores.fit(ScoreSettings(score=name, **settings), autoencoder, normal)


def take_roots(images: Images) -> Rows:
    return np.sqrt(predict(build().encoder, images).reshape(len(images), -1))


def test_errors_of_reconstruction_are_squared() -> None:
    expected = np.square(predict(build().network, OTHERS) - OTHERS)[..., 0]
    np.testing.assert_allclose(fit("reconstruction").compute_errors(OTHERS), expected, rtol=1e-5, atol=1e-9)


def test_segmentation_gives_the_probability_of_a_defect() -> None:
    defects = discriminative.get_defect_model(build(name=SEGMENTATION))
    assert defects is not None
    expected = 1 / (1 + np.exp(-predict(defects, OTHERS)[..., 0]))
    np.testing.assert_allclose(fit(SEGMENTATION).compute_errors(OTHERS), expected, rtol=1e-5)


def check_constant(errors: ErrorMaps, expected: Any) -> None:
    np.testing.assert_array_equal(errors, np.broadcast_to(errors[:, :1, :1], errors.shape))
    np.testing.assert_allclose(errors[:, 0, 0], expected, rtol=1e-4)


def test_the_nearest_codes_are_those_of_scikit_learn() -> None:
    neighbours = NearestNeighbors(n_neighbors=3, algorithm="brute").fit(take_roots(NORMAL.train))
    distances, _ = neighbours.kneighbors(take_roots(OTHERS))
    check_constant(fit("nearest", neighbours=3).compute_errors(OTHERS), distances.mean(axis=1))


def test_the_mahalanobis_distance_is_that_of_scikit_learn() -> None:
    model = LedoitWolf().fit(take_roots(NORMAL.train).astype(np.float64))
    check_constant(fit("mahalanobis").compute_errors(OTHERS), model.mahalanobis(take_roots(OTHERS)))


def test_the_sum_orders_images_as_the_detector_of_the_anomaly_study() -> None:
    detector = CodeDetector(build(), neighbours=5).fit(NORMAL.train, NORMAL.held_out)
    expected = detector.score(OTHERS)["combined"]
    check_constant(fit("sum").compute_errors(OTHERS), np.logaddexp(0, expected / 3))


def test_local_errors_are_highest_where_an_image_differs() -> None:
    changed = NORMAL.train[:5].copy()
    changed[:, 12:16, 20:24] = 1 - changed[:, 12:16, 20:24]
    score = fit("local")
    errors = score.compute_errors(changed) - score.compute_errors(NORMAL.train[:5])
    assert errors.shape == (5, 28, 28)
    for found in errors:
        row, column = np.unravel_index(found.argmax(), found.shape)
        assert abs(row - 13.5) < 8
        assert abs(column - 21.5) < 8


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_saved_model_computes_the_same_errors_in_any_blocks(
    tmp_path: Path, name: ScoreName, channels: int
) -> None:
    normal = NormalTiles(examples.images(40, 28, 28, channels), examples.images(9, 28, 28, channels, seed=2))
    score = fit(name, normal)
    files.write_model(tmp_path / "score.keras", score.model)
    loaded = Score(keras.saving.load_model(tmp_path / "score.keras"), score.white)
    images = examples.images(7, 28, 28, channels, seed=3)
    errors = score.compute_errors(images)
    assert errors.min() >= 0
    np.testing.assert_array_equal(loaded.compute_errors(images), errors)
    np.testing.assert_allclose(score.compute_errors(images[:1]), errors[:1], rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_fit_gives_the_same_bytes_whatever_was_built_before(tmp_path: Path, name: ScoreName) -> None:
    for file in ("a.keras", "b.keras"):
        # Keras numbers the layers of a process, and those of a network have their names in its file.
        keras.utils.clear_session(free_memory=False)
        files.write_model(tmp_path / file, fit(name).model)
        keras.layers.Dense(3)(keras.ops.square(keras.Input((8,))))
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


@pytest.mark.parametrize("name", ["nearest", "mahalanobis", "sum", "local"])
def test_what_is_fitted_fits_into_the_memory(tmp_path: Path, name: ScoreName) -> None:
    normal = NormalTiles(examples.images(400, 28, 28), NORMAL.held_out)
    files.write_model(tmp_path / "network.keras", build().network)
    files.write_model(tmp_path / "score.keras", fit(name, normal, megabytes=0.2).model)
    sizes = [(tmp_path / file).stat().st_size for file in ("score.keras", "network.keras")]
    assert sizes[0] - sizes[1] < 0.2e6 + 30_000


def test_every_row_of_a_bank_is_the_farthest_from_those_before() -> None:
    rows = np.array([[0.0], [1.0], [10.0], [4.0]], np.float32)
    assert local_features.choose_bank(rows, 3).ravel().tolist() == [0, 10, 4]
    assert len(local_features.choose_bank(rows, 9)) == 4


def check(name: ScoreName, network: Autoencoder, train: int, held_out: int, **settings: Any) -> None:
    scores.check(ScoreSettings(score=name, **settings), network, train, held_out)


@pytest.mark.parametrize(
    ("name", "train", "held_out", "settings", "message"),
    [
        ("nearest", 4, 4, {}, r"nearest 5 \(anomaly.neighbours\), but 4 tiles .* lower it to at most 4"),
        ("sum", 4, 4, {}, "but 4 tiles of normal images are for training"),
        ("sum", 9, 1, {}, "at least 2 normal validation tiles, but there is 1"),
        ("mahalanobis", 1, 4, {}, "at least 2 normal tiles for training, but there is 1"),
        ("mahalanobis", 9, 4, {"megabytes": 0.01}, "at least 0.0164 megabytes .* 64 numbers"),
        ("nearest", 9, 4, {"megabytes": 0.001}, "at least 0.00128 megabytes"),
        ("local", 9, 4, {"megabytes": 0.001}, "anomaly.megabytes is 0.001: raise it"),
    ],
)
def test_a_score_that_cannot_be_fitted_is_named(
    name: ScoreName, train: int, held_out: int, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        check(name, build(), train, held_out, **settings)


def test_local_needs_convolutions() -> None:
    dense = residual.build(residual.Settings(code_size=4, width=8), (28, 28, 1), seed=1)
    check("sum", dense, 9, 9)
    with pytest.raises(UserError, match=r"local compares .* choose model.name convolutional"):
        check("local", dense, 9, 9)
