"""The denoising study: the same noise for all methods, filters, networks, and the tables of their results."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import yaml

from cae.core import files
from cae.core.arrays import Images
from cae.datasets.augmentations import Mirror, Phase
from cae.datasets.noise import Noise
from cae.engine.engine import choose_engine
from cae.metrics import quality
from cae.metrics.baselines import PrincipalComponents
from cae.metrics.principal_components import Components
from cae.networks.autoencoder import predict
from studies.denoising import (
    figures,
    filters,
    measuring,
    methods,
    report,
    residual_cnn,
    table,
    train,
    tune,
)
from studies.denoising.noises import Noises, add_noise
from studies.denoising.wiener import Wiener
from tests.studies.running import copy_study, run_declared

PARAMS = Path("studies/denoising/params.yaml")
COMMITTED = yaml.safe_load(PARAMS.read_text())
NOISES = Noises.model_validate(COMMITTED["noises"])
GRIDS = filters.Grids.model_validate(COMMITTED["grids"])
# Grey squares on black, which every filter can denoise.
CLEAN = np.zeros((6, 28, 28, 1), np.float32)
CLEAN[:, 6:22, 6:22] = 0.6
GAUSSIAN = Noise(kind="gaussian", strength=0.2)
TRAINING = Phase(training=True, epoch=0)
CNN = residual_cnn.Settings(width=4, depth=2, epochs=2, batch_size=8, learning_rate=0.01)
every_filter = pytest.mark.parametrize("name", filters.BY_NAME)


def test_every_kind_of_noise_is_measured_with_every_strength_and_shown_with_the_middle_one() -> None:
    assert len(NOISES.all) == len(set(NOISES.all)) == 10
    shown = [(noise.kind, noise.strength) for noise in NOISES.shown]
    assert shown == [("gaussian", 0.3), ("salt_and_pepper", 0.3), ("squares", 0.5)]


@pytest.mark.parametrize("noise", NOISES.all, ids=lambda noise: f"{noise.kind}-{noise.strength:g}")
def test_noise_depends_on_seed_and_split_alone_and_differs_between_images(noise: Noise) -> None:
    first, again = (add_noise(CLEAN, noise, 1, "test") for _ in range(2))
    np.testing.assert_array_equal(first, again)
    for seed, split in ((2, "test"), (1, "validation")):
        assert not np.array_equal(first, add_noise(CLEAN, noise, seed, split))
    assert not np.array_equal(first[0], first[1])


@every_filter
def test_a_filter_denoises_each_image_by_itself(name: str) -> None:
    denoise, noisy = filters.BY_NAME[name], add_noise(CLEAN, GAUSSIAN, 1, "test")
    strength = tune.find_strength(denoise, getattr(GRIDS, name)[::2], CLEAN, GAUSSIAN, 1)
    denoised = filters.apply(denoise, noisy, strength)
    assert denoised.dtype == np.float32
    assert denoised.min() >= 0
    assert denoised.max() <= 1
    assert strength > 0
    assert quality.psnr(CLEAN, denoised).mean() > quality.psnr(CLEAN, noisy).mean() + 2
    np.testing.assert_array_equal(denoised[2:3], filters.apply(denoise, noisy[2:3], strength))
    assert filters.apply(denoise, noisy, 0) is noisy


def test_the_strength_with_the_best_psnr_is_chosen() -> None:
    def approach_clean(images: Images, strength: float) -> Images:
        return images + (CLEAN - images) * (1 - abs(strength - 2))

    assert tune.find_strength(approach_clean, (0, 1, 2, 3), CLEAN, GAUSSIAN, 1) == 2


def test_the_wiener_filter_shrinks_a_component_by_its_share_of_noise() -> None:
    # Four pixels, which are the components themselves, with the variances 0.04, 0.01, 0 and 0.
    pca = PrincipalComponents(4, Components(np.full(4, 0.5), np.eye(4)))
    train = np.array([[0.7, 0.6, 0.5, 0.5], [0.3, 0.4, 0.5, 0.5]], np.float32).reshape(-1, 2, 2, 1)
    denoised = Wiener.fit(pca, train).denoise(np.full((1, 2, 2, 1), 0.9, np.float32), 0.1)
    expected = [0.5 + 0.4 * 0.04 / 0.05, 0.5 + 0.4 * 0.01 / 0.02, 0.5, 0.5]
    np.testing.assert_allclose(denoised.ravel(), expected, rtol=1e-5)


def test_2_x_2_pixels_become_channels_and_pixels_again() -> None:
    images = np.arange(2 * 28 * 28, dtype=np.float32).reshape(2, 28, 28, 1)
    to_depth = keras.Sequential([keras.Input((28, 28, 1)), *residual_cnn.space_to_depth((28, 28, 1))])
    to_space = keras.Sequential([keras.Input((14, 14, 4)), *residual_cnn.depth_to_space((28, 28, 1))])
    channels = np.asarray(to_depth(images))
    np.testing.assert_array_equal(channels[0, 3, 5], images[0, 6:8, 10:12].ravel())
    np.testing.assert_array_equal(np.asarray(to_space(channels)), images)


def test_a_network_that_predicts_no_noise_leaves_images_as_they_are() -> None:
    network = residual_cnn.build(CNN, (28, 28, 1), seed=1)
    network.set_weights([np.zeros_like(weights) for weights in network.get_weights()])
    noisy = add_noise(CLEAN, GAUSSIAN, 1, "test")
    np.testing.assert_array_equal(residual_cnn.denoise(network, noisy), noisy)


@pytest.mark.parametrize("engine", ["fast", "stock"])
def test_the_network_is_trained_on_the_squared_error_of_the_noise(engine: str) -> None:
    network = residual_cnn.build(CNN, (28, 28, 1), seed=1)
    task = residual_cnn.task(network, [GAUSSIAN], choose_engine(engine))
    noisy, noise = map(np.asarray, task.draw_examples(CLEAN, np.random.default_rng(1), TRAINING))
    np.testing.assert_allclose(noisy - noise, CLEAN, atol=1e-6)
    assert noise.std() > 0.1
    losses = np.asarray(task.losses["loss"](noise, task.forward(noisy)))
    expected = np.square(predict(network, noisy) - noise).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_only_training_images_are_mirrored_and_before_the_noise() -> None:
    slope = np.broadcast_to(np.linspace(0.3, 0.7, 28, dtype=np.float32)[:, np.newaxis], (40, 28, 28, 1))
    network = residual_cnn.build(CNN, (28, 28, 1), seed=1)
    task = residual_cnn.task(network, (Mirror(kind="mirror"), GAUSSIAN), choose_engine("fast"))
    for training in (True, False):
        phase = Phase(training=training, epoch=0)
        noisy, noise = map(np.asarray, task.draw_examples(slope, np.random.default_rng(1), phase))
        clean = noisy - noise
        mirrored, same = (
            np.isclose(clean, images, atol=1e-6).all(axis=(1, 2, 3)) for images in (slope[:, :, ::-1], slope)
        )
        assert (mirrored ^ same).all()
        assert mirrored.any() == training


@pytest.mark.parametrize("name", methods.AUTOENCODERS)
def test_networks_of_the_main_pipeline_keep_their_settings_and_get_noise_after_their_augmentations(
    name: str,
) -> None:
    defaults = train.NETWORKS[name]
    noisy = train.append_noise(defaults, GAUSSIAN)
    assert noisy.augmentations == (*defaults.augmentations, GAUSSIAN)
    assert noisy.model_dump(exclude={"augmentations"}) == defaults.model_dump(exclude={"augmentations"})


def test_the_network_depends_on_its_seed_alone(tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("same", 1), ("other", 2)):
        files.write_model(tmp_path / name, residual_cnn.build(CNN, (28, 28, 1), seed))
    first, same, other = ((tmp_path / name).read_bytes() for name in ("first", "same", "other"))
    assert first == same
    assert first != other


@pytest.mark.usefixtures("pipeline")
def test_all_stages_run_on_few_images() -> None:
    grids = {name: grid[::6] for name, grid in COMMITTED["grids"].items()}
    epochs = {"convolutional": 1, "residual": 1}
    small = {
        "grids": grids,
        "epochs": epochs,
        "residual_cnn": CNN.model_dump(mode="json"),
        "tuning_images": 2,
    }
    folder = copy_study("denoising", COMMITTED | small)
    for network in COMMITTED["networks"]:
        run_declared("denoising", "train", network)
        run_declared("denoising", "measure", network)
    history = files.read_csv(folder / "histories/residual_cnn.csv")
    assert history["epoch"].tolist() == [1, 2]
    assert history["val_loss"][1] < history["val_loss"][0]
    for method in filters.Grids.model_fields:
        run_declared("denoising", "tune", method)
    assert files.read_csv(folder / "runs/noisy.csv")["chosen"].tolist() == [0.0] * 10
    run_declared("denoising", "report")
    assert len(files.read_csv(folder / "plots/denoising.csv")) == len(methods.TITLES) * 10
    assert len(list((folder / "plots/figures").glob("*.png"))) == 2


def test_a_method_is_measured_with_every_noise_and_shown_with_some(tmp_path: Path) -> None:
    labels = np.array([1, 0, 0, 2, 3, 1], np.uint8)
    assert measuring.choose_examples(labels).tolist() == [1, 4]
    measured = measuring.measure(lambda images, _: images, CLEAN, labels, NOISES, 1)
    kinds = measured.table[["kind", "strength"]].to_numpy().tolist()
    assert kinds == [[noise.kind, noise.strength] for noise in NOISES.all]
    assert np.all(np.diff(measured.table["psnr"][:5]) < 0)
    assert measured.examples.shape == (3, 2, 28, 28)


def make_rows(psnr: float, chosen: float | None) -> pd.DataFrame:
    """Return the same metrics for every noise."""
    rows = [{**noise.model_dump(), **dict.fromkeys(report.METRICS, psnr)} for noise in NOISES.all]
    return pd.DataFrame(rows) if chosen is None else pd.DataFrame(rows).assign(chosen=chosen)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Results in which each method is better than the last; the Gaussian filter has its largest strength."""
    strengths = {name: grid[1 % len(grid)] for name, grid in GRIDS}
    strengths["gaussian"] = GRIDS.gaussian[-1]
    tables = {name: make_rows(10.0 + place, strengths.get(name)) for place, name in enumerate(methods.TITLES)}
    compared = report.compare(tables, GRIDS)
    assert set(compared["method"][compared["at_edge"]]) == {"gaussian"}
    files.write_csv(tmp_path / "plots/denoising.csv", compared)
    files.write_json(tmp_path / "metrics/denoising.json", report.summarise(compared, NOISES.shown))
    return tmp_path


@pytest.mark.parametrize("metric", table.FORMATS)
def test_a_table_has_a_row_per_method_and_a_column_per_noise(metric: str, study: Path) -> None:
    tabulated = table.tabulate_metric(metric, study)
    assert list(tabulated)[:2] == ["method", "σ 0.1"]
    assert tabulated.shape == (len(methods.TITLES), 11)
    assert tabulated["method"].tolist() == list(methods.TITLES.values())
    bold = tabulated[tabulated["square 0.5"].str.startswith("**")]["method"].tolist()
    assert bold == [methods.TITLES["residual_cnn"]]


def test_the_other_tables_have_strengths_and_differences(study: Path) -> None:
    strengths = table.tabulate_strengths(study).set_index("strength of the filter")
    assert strengths["σ 0.1"]["Gaussian filter"] == "1.5*"
    assert not strengths.drop("Gaussian filter").map(lambda cell: "*" in cell).any(axis=None)
    differences = table.tabulate_differences(study)
    assert list(differences) == ["PSNR at σ = 0.3", "dB"]
    assert differences["dB"].tolist() == ["+4.00", "+3.00", "+1.00"]


def test_every_method_has_a_title_and_a_style() -> None:
    assert set(filters.Grids.model_fields) == {*filters.BY_NAME, "noisy", "wiener"}
    networks = {*train.NetworkEpochs.model_fields, methods.WITHOUT_BOTTLENECK}
    assert set(methods.TITLES) == set(figures.STYLES) == {*filters.Grids.model_fields, *networks}
