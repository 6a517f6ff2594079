"""The denoising study: the same noise for all, filters, networks, and the tables of what they give."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from cae.core import files, params
from cae.core.arrays import Images
from cae.datasets.augmentations import Phase
from cae.datasets.noise import Noise
from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.metrics import quality
from cae.metrics.baselines import PrincipalComponents
from cae.metrics.principal_components import Components
from cae.networks.autoencoder import predict
from studies import pipeline
from studies.denoising import (
    AUTOENCODERS,
    TITLES,
    filters,
    measured,
    pictures,
    report,
    residual_cnn,
    settings,
    table,
    train,
    tune,
)
from studies.denoising.measured import Measured
from studies.denoising.wiener import Wiener
from tests.pipeline.conftest import ROOT

STUDY = settings.load(ROOT / "studies/denoising/params.yaml")
CONDITIONS = STUDY.noises.conditions
# Grey squares on black: what every filter can make better.
CLEAN = np.zeros((6, 28, 28, 1), np.float32)
CLEAN[:, 6:22, 6:22] = 0.6
GAUSSIAN = Noise(kind="gaussian", strength=0.2)
every_filter = pytest.mark.parametrize("denoise", filters.BY_NAME.values(), ids=filters.BY_NAME)


def test_every_kind_is_measured_in_every_strength_and_shown_in_its_middle_one() -> None:
    assert len(CONDITIONS) == len(set(CONDITIONS)) == 10
    assert [(noise.kind, noise.strength) for noise in STUDY.noises.shown] == [
        ("gaussian", 0.3),
        ("salt_and_pepper", 0.3),
        ("squares", 0.5),
    ]


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda noise: f"{noise.kind}-{noise.strength:g}")
def test_every_method_sees_the_same_noise(condition: Noise) -> None:
    first, again = (measured.noisy(CLEAN, condition, 1, "test") for _ in range(2))
    np.testing.assert_array_equal(first, again)
    for seed, split in ((2, "test"), (1, "validation")):
        assert not np.array_equal(first, measured.noisy(CLEAN, condition, seed, split))
    assert not np.array_equal(first[0], first[1])
    assert first.min() >= 0
    assert first.max() <= 1


@every_filter
def test_a_filter_improves_noisy_images_and_stays_within_grey_values(denoise: filters.Filter) -> None:
    noisy = measured.noisy(CLEAN, GAUSSIAN, 1, "test")
    grid = getattr(STUDY.grids, next(name for name, known in filters.BY_NAME.items() if known is denoise))
    strength = tune.best_strength(denoise, grid[::2], CLEAN, GAUSSIAN, 1)
    denoised = filters.applied(denoise, noisy, strength)
    assert denoised.shape == CLEAN.shape
    assert denoised.dtype == np.float32
    assert denoised.min() >= 0
    assert denoised.max() <= 1
    assert strength > 0
    assert quality.psnr(CLEAN, denoised).mean() > quality.psnr(CLEAN, noisy).mean() + 2


@every_filter
def test_an_image_is_filtered_by_itself(denoise: filters.Filter) -> None:
    noisy = measured.noisy(CLEAN, GAUSSIAN, 1, "test")
    together = filters.applied(denoise, noisy, 3)
    np.testing.assert_array_equal(together[2:3], filters.applied(denoise, noisy[2:3], 3))


def test_a_strength_of_0_leaves_images_as_they_are() -> None:
    assert filters.applied(filters.gaussian, CLEAN, 0) is CLEAN


def test_every_filter_has_a_grid_and_every_method_a_name() -> None:
    assert {*filters.BY_NAME, "noisy", "wiener"} == set(settings.Grids.model_fields)
    assert set(settings.Grids.model_fields) | set(settings.Autoencoders.model_fields) | {
        "residual_cnn"
    } == set(TITLES)
    assert set(pictures.LOOKS) == set(TITLES)


def test_the_strength_with_the_best_psnr_is_chosen() -> None:
    def towards_clean(images: Images, strength: float) -> Images:
        return images + (CLEAN - images) * (1 - abs(strength - 2))

    assert tune.best_strength(towards_clean, (0, 1, 2, 3), CLEAN, GAUSSIAN, 1) == 2


def test_the_wiener_filter_shrinks_a_component_by_its_share_of_noise() -> None:
    # Four pixels, whose components are themselves, of the variances 0.04, 0.01, 0 and 0.
    pca = PrincipalComponents(4, Components(np.full(4, 0.5), np.eye(4)))
    train = np.array([[0.7, 0.6, 0.5, 0.5], [0.3, 0.4, 0.5, 0.5]], np.float32).reshape(-1, 2, 2, 1)
    denoised = Wiener.fitted(pca, train).denoised(np.full((1, 2, 2, 1), 0.9, np.float32), 0.1)
    expected = [0.5 + 0.4 * 0.04 / 0.05, 0.5 + 0.4 * 0.01 / 0.02, 0.5, 0.5]
    np.testing.assert_allclose(denoised.ravel(), expected, rtol=1e-5)


def test_pixels_are_gathered_by_2_x_2_and_spread_as_they_were() -> None:
    images = np.arange(2 * 28 * 28, dtype=np.float32).reshape(2, 28, 28, 1)
    gather = keras.Sequential([keras.Input((28, 28, 1)), *residual_cnn.gathered((28, 28, 1))])
    spread = keras.Sequential([keras.Input((14, 14, 4)), *residual_cnn.spread((28, 28, 1))])
    gathered = np.asarray(gather(images))
    np.testing.assert_array_equal(gathered[0, 3, 5], images[0, 6:8, 10:12].ravel())
    np.testing.assert_array_equal(np.asarray(spread(gathered)), images)


def test_without_an_answer_of_the_network_the_image_stays_as_it_is() -> None:
    network = residual_cnn.build(4, 2, (28, 28, 1), seed=1)
    network.set_weights([np.zeros_like(weights) for weights in network.get_weights()])
    noisy = measured.noisy(CLEAN, GAUSSIAN, 1, "test")
    np.testing.assert_array_equal(residual_cnn.denoised(network, noisy), noisy)


def test_the_network_is_taught_the_noise() -> None:
    network = residual_cnn.build(4, 2, (28, 28, 1), seed=1)
    task = residual_cnn.task(network, [GAUSSIAN], "fast")
    noisy, noise = task.examples(CLEAN, np.random.default_rng(1), Phase(training=True, epoch=0))
    np.testing.assert_allclose(np.asarray(noisy) - np.asarray(noise), CLEAN, atol=1e-6)
    assert np.asarray(noise).std() > 0.1


@pytest.mark.parametrize("engine", ["fast", "stock"])
def test_the_network_is_trained_on_the_squared_error_of_each_image(engine: str) -> None:
    network = residual_cnn.build(4, 2, (28, 28, 1), seed=1)
    task = residual_cnn.task(network, [GAUSSIAN], engine)
    noisy, noise = task.examples(CLEAN, np.random.default_rng(1), Phase(training=True, epoch=0))
    losses = np.asarray(task.losses["loss"](noise, task.forward(noisy)))
    expected = np.square(predict(network, np.asarray(noisy)) - np.asarray(noise)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_images_are_turned_in_training_alone_and_the_noise_comes_last() -> None:
    slope = np.broadcast_to(np.linspace(0.3, 0.7, 28, dtype=np.float32)[:, np.newaxis], (40, 28, 28, 1))
    task = residual_cnn.task(
        residual_cnn.build(4, 2, (28, 28, 1), seed=1), (*STUDY.residual_cnn.augmentations, GAUSSIAN), "fast"
    )
    for training_now in (True, False):
        phase = Phase(training=training_now, epoch=0)
        noisy, noise = map(np.asarray, task.examples(slope, np.random.default_rng(1), phase))
        clean = noisy - noise
        turned = np.isclose(clean, slope[:, :, ::-1], atol=1e-6).all(axis=(1, 2, 3))
        stayed = np.isclose(clean, slope, atol=1e-6).all(axis=(1, 2, 3))
        assert (turned ^ stayed).all()
        assert turned.any() == training_now


def test_networks_of_the_main_pipeline_keep_their_augmentations_and_see_noise_after_them() -> None:
    root = params.load(ROOT / "params.yaml")
    for name in AUTOENCODERS:
        changed = pipeline.changed(root, train.changes(root, STUDY, name))
        before = getattr(root.model, name).augmentations
        assert changed.model.chosen.augmentations == (*before, STUDY.training_noise)


def test_the_network_has_the_same_bytes_from_the_same_seed(tmp_path: Path) -> None:
    for name in ("first", "second"):
        files.write_model(tmp_path / name, residual_cnn.build(4, 3, (28, 28, 1), seed=1))
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    another = residual_cnn.build(4, 3, (28, 28, 1), seed=2)
    files.write_model(tmp_path / "another", another)
    assert (tmp_path / "another").read_bytes() != (tmp_path / "first").read_bytes()


def test_the_network_learns(tmp_path: Path) -> None:
    changes = {"epochs": 12, "batch_size": 8, "learning_rate": 0.01}
    recipe = STUDY.residual_cnn.model_copy(update=changes)
    network = residual_cnn.build(8, 2, (28, 28, 1), seed=1)
    images = np.repeat(CLEAN, 8, axis=0)
    task = residual_cnn.task(network, [GAUSSIAN], "fast")
    history = training.fit(task, images, CLEAN, recipe, Checkpoint(tmp_path, "run"))
    noisy = measured.noisy(CLEAN, GAUSSIAN, 1, "test")
    denoised = residual_cnn.denoised(network, noisy)
    assert history["val_loss"].iloc[-1] < history["val_loss"].iloc[0]
    assert quality.mse(CLEAN, denoised).mean() < quality.mse(CLEAN, noisy).mean()


def test_a_method_is_measured_under_every_noise_and_shown_under_some(tmp_path: Path) -> None:
    labels = np.array([1, 0, 0, 2, 3, 1], np.uint8)
    places = measured.examples(labels)
    assert places.tolist() == [1, 4]
    result = Measured.of(lambda images, _: images, CLEAN, CONDITIONS, 1, places, STUDY.noises.shown)
    assert result.table[["kind", "strength"]].to_numpy().tolist() == [
        [noise.kind, noise.strength] for noise in CONDITIONS
    ]
    assert np.all(np.diff(result.table["psnr"][:5]) < 0)
    assert result.pictures.shape == (3, 2, 28, 28)
    result.write(tmp_path, "method")
    again = Measured.read(tmp_path, "method")
    pd.testing.assert_frame_equal(again.table, result.table)
    np.testing.assert_array_equal(again.pictures, result.pictures)


def rows(psnr: float, chosen: float | None = None) -> pd.DataFrame:
    """Make up what a method reaches under every noise."""
    frame = pd.DataFrame(
        [{**noise.model_dump(), **dict.fromkeys(report.SCORES, psnr)} for noise in CONDITIONS]
    )
    return frame if chosen is None else frame.assign(chosen=chosen)


@pytest.fixture
def made() -> pd.DataFrame:
    """Better from method to method; of the Gaussian filter the greatest strength was chosen."""
    strengths = {name: grid[1 % len(grid)] for name, grid in STUDY.grids}
    strengths["gaussian"] = STUDY.grids.gaussian[-1]
    return report.side_by_side(
        {name: rows(10.0 + place, strengths.get(name)) for place, name in enumerate(TITLES)}, STUDY.grids
    )


def test_a_strength_at_the_edge_of_its_grid_is_told(made: pd.DataFrame) -> None:
    assert set(made["method"][made["at_edge"]]) == {"gaussian"}
    assert made["chosen"].isna().sum() == 3 * len(CONDITIONS)


def test_what_networks_are_better_by_is_told(made: pd.DataFrame) -> None:
    numbers = report.numbers(made, STUDY.noises.shown)
    assert numbers["psnr_noisy"] == 10
    assert (numbers["over_filters"], numbers["over_wiener"], numbers["bottleneck"]) == (4, 3, 1)


@pytest.mark.parametrize("make", [table.psnr, table.psnr_of_mean_mse, table.ssim])
def test_the_table_has_a_row_a_method_and_a_column_a_noise(
    make: Callable[[Path], table.Table], made: pd.DataFrame, tmp_path: Path
) -> None:
    files.write_csv(tmp_path / "plots/denoising.csv", made)
    header, body = make(tmp_path)
    assert header[0:2] + header[-1:] == ["method", "σ 0.1", "square 0.5"]
    assert [row[0] for row in body] == list(TITLES.values())
    assert all(len(row) == len(header) == 11 for row in body)
    bold = {row[0] for row in body for cell in row if cell.startswith("**")}
    assert bold == {"residual CNN, no bottleneck"}


def test_the_other_tables_say_strengths_and_differences(made: pd.DataFrame, tmp_path: Path) -> None:
    files.write_csv(tmp_path / "plots/denoising.csv", made)
    numbers = report.numbers(made, STUDY.noises.shown)
    files.write_json(tmp_path / "metrics/denoising.json", numbers)
    _, body = table.strengths(tmp_path)
    assert [row[1] for row in body if row[0] == "Gaussian filter"] == ["1.5*"]
    assert not any("*" in cell for row in body if row[0] != "Gaussian filter" for cell in row)
    header, body = table.differences(tmp_path)
    assert header == ["PSNR at σ = 0.3", "dB"]
    assert [row[1] for row in body] == ["+4.00", "+3.00", "+1.00"]


def test_pictures_are_drawn(made: pd.DataFrame, tmp_path: Path) -> None:
    images = np.zeros((3, 4, 28, 28), np.uint8)
    drawn = pictures.examples(images[0], dict.fromkeys(TITLES.values(), images), STUDY.noises.shown)
    for name, figure in {"curves": pictures.curves(made), "examples": drawn}.items():
        files.write_figure(tmp_path / f"{name}.png", figure)
        assert (tmp_path / f"{name}.png").stat().st_size > 1000
