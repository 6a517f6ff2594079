"""The variational study: log-likelihoods are right where they can be integrated, and resume to the bit."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from cae.core import config
from cae.core.arrays import Images, Rows, Scores
from cae.core.errors import UserError
from cae.networks import variational
from cae.networks.autoencoder import Autoencoder, load, predict
from studies.variational import (
    FLOOR,
    OURS,
    blocks,
    bound,
    density,
    figures,
    importance,
    likelihood,
    pixels,
    report,
    table,
)
from studies.variational.density import Density
from tests.studies.running import ROOT, copy_study, run_declared

# Logits of four pixels are linear in a code of one number.
SLOPES, OFFSETS = np.array([2.0, -1.0, 0.5, 3.0]), np.array([0.3, -0.2, 0.0, -1.0])
IMAGE = np.array([1, 0, 1, 1], np.float32).reshape(1, 2, 2, 1)
# Near the true posterior, but not equal to it.
MEAN, LOG_VARIANCE = np.array([0.9], np.float32), np.array([-0.4], np.float32)
PARAMS = {
    "betas": [1.0],
    "codes": 1,
    "epochs": 1,
    "samples": 20,
    "images": 7,
    "pixels_seed": 3,
    "codes_seed": 4,
}
SETTINGS = likelihood.Settings(samples=20, images=7, pixels_seed=3, codes_seed=4)


@pytest.mark.usefixtures("pipeline")
def test_a_network_is_trained_and_measured_beside_published_ones() -> None:
    study = copy_study("variational", PARAMS)
    for stage, arguments in (("train", ["1.0"]), ("measure", ["1.0"]), ("likelihood", []), ("report", [])):
        run_declared("variational", stage, *arguments)
    run = json.loads((study / "runs/1.0.json").read_text())
    assert len(run["units"]["kl"]) == len(run["units"]["variance_of_mean"]) == 40
    assert sum(run["units"]["kl"]) == pytest.approx(run["test"]["kl"])
    metrics = json.loads((study / "metrics/variational.json").read_text())
    assert {name: metrics[name] for name in run["test"]} == run["test"]
    assert run["test"]["elbo"] < metrics["log_likelihood"] < metrics["floor"] < 0
    assert len(pd.read_csv(study / "histories/1.0.csv")) == PARAMS["epochs"]


def test_several_codes_per_image_allow_no_weight_above_one(pipeline: Path) -> None:
    copy_study("variational", {**PARAMS, "betas": [1.0, 2.0], "codes": 5})
    with pytest.raises(UserError, match="beta is 2, but with 5 codes per image"):
        run_declared("variational", "train", "2.0")


def test_betas_must_have_that_of_the_bound() -> None:
    content = {"betas": [2.0, 4.0], "pixels_seed": 3, "codes_seed": 4}
    with pytest.raises(UserError, match=r"betas: \[2.0, 4.0\] must have 1.0"):
        config.validate(content, report.Settings, Path("params.yaml"))


def log_probability(codes: Rows, image: Images) -> Scores:
    logits = codes.astype(np.float64) * SLOPES + OFFSETS
    white = image.reshape(len(image), -1)
    return (white * np.log(expit(logits)) + (1 - white) * np.log(expit(-logits))).sum(axis=1)


def integrate(image: Images) -> float:
    """Return log ∫ p(x|z) p(z) dz by quadrature."""
    probability, _ = quad(
        lambda z: np.exp(log_probability(np.array([[z]]), image)[0]) * norm.pdf(z), -12, 12, epsabs=1e-12
    )
    return float(np.log(probability))


def estimate(samples: int, seed: int, variance: float = 0.0) -> importance.Estimate:
    generator = np.random.default_rng(seed)
    log_variance = LOG_VARIANCE + np.float32(variance)
    return importance.estimate(log_probability, IMAGE, MEAN, log_variance, samples, generator)


def compute_bound(samples: int, seed: int) -> float:
    """Return the mean of log w over the codes that `estimate` draws."""
    generator = np.random.default_rng(seed)
    weights = importance.compute_log_weights(log_probability, IMAGE, MEAN, LOG_VARIANCE, samples, generator)
    return float(weights.mean())


def test_the_estimate_is_the_integral_by_quadrature() -> None:
    estimates = [estimate(5000, seed).log_likelihood for seed in range(20)]
    error = np.std(estimates, ddof=1) / len(estimates) ** 0.5
    assert error < 2e-3
    assert np.mean(estimates) == pytest.approx(integrate(IMAGE), abs=4 * error)
    # Whichever posterior the codes are drawn from.
    assert estimate(50_000, 0, variance=0.8).log_likelihood == pytest.approx(integrate(IMAGE), abs=1e-2)


@given(samples=st.integers(1, 50), seed=st.integers(0, 1000))
def test_the_estimate_is_never_below_the_bound_of_the_same_codes(samples: int, seed: int) -> None:
    estimated = estimate(samples, seed)
    assert estimated.log_likelihood >= compute_bound(samples, seed) - 1e-12
    assert 1 - 1e-9 <= estimated.effective <= samples + 1e-9


def test_more_codes_raise_the_estimate_on_average_towards_the_integral() -> None:
    averages = [np.mean([estimate(count, seed).log_likelihood for seed in range(400)]) for count in (1, 5)]
    assert averages[0] < averages[1] < integrate(IMAGE)


def test_codes_from_the_true_posterior_all_have_the_same_weight() -> None:
    # A decoder that ignores the code leaves the prior as posterior.
    prior = np.zeros(2, np.float32)
    estimated = importance.estimate(
        lambda codes, _: np.full(len(codes), -3.5), IMAGE, prior, prior, 100, np.random.default_rng(0)
    )
    assert estimated == pytest.approx((-3.5, 100))


def test_weights_of_a_linear_gaussian_model_are_its_evidence() -> None:
    # x = z + noise, both N(0, 1): z|x ~ N(x/2, 1/2) and x ~ N(0, 2).
    x = 1.3
    mean, log_variance = np.array([x / 2]), np.log([0.5])
    weights = importance.compute_log_weights(
        lambda codes, _: norm.logpdf(x, codes[:, 0]), IMAGE, mean, log_variance, 100, np.random.default_rng(0)
    )
    np.testing.assert_allclose(weights, norm.logpdf(x, scale=2**0.5), atol=1e-6)


@pytest.mark.parametrize(("mean", "log_variance"), [(0.0, 0.0), (1.5, -2.0), (-0.3, 1.0)])
def test_the_divergence_is_the_integral_by_quadrature(mean: float, log_variance: float) -> None:
    q = norm(mean, np.exp(log_variance / 2))
    expected, _ = quad(lambda z: q.pdf(z) * (q.logpdf(z) - norm.logpdf(z)), -15, 15)
    computed = bound.compute_divergence(
        np.array([[mean]], np.float32), np.array([[log_variance]], np.float32)
    )
    assert computed == pytest.approx(np.array([[expected]]), abs=1e-6)


def test_the_bound_is_the_mean_of_the_weights() -> None:
    model = Density(lambda images: (MEAN[np.newaxis], LOG_VARIANCE[np.newaxis]), log_probability)
    summary = bound.estimate_bound(model, IMAGE, 20_000, np.random.default_rng(0)).summarise()
    assert summary["elbo"] == pytest.approx(summary["reconstruction"] - summary["kl"])
    assert summary["elbo"] == pytest.approx(compute_bound(100_000, 1), abs=2e-2)
    assert summary["elbo"] < integrate(IMAGE)


def test_a_unit_is_active_where_its_mean_varies() -> None:
    means = np.array([[0, 5, 7], [1, 5.1, 7]], np.float32)
    variances = bound.compute_variance(means)
    assert variances == pytest.approx([0.25, 0.0025, 0], abs=1e-6)
    assert (variances > bound.ACTIVE).tolist() == [True, False, False]


def test_test_images_are_binarised_as_in_the_published_protocol() -> None:
    validation, other, test = np.random.default_rng(0).random((3, 40, 3, 3, 1), np.float32)
    binary = pixels.binarise(validation, test, 777)
    assert binary.dtype == np.float32
    np.random.seed(777)
    np.random.binomial(1, validation)
    np.testing.assert_array_equal(binary, np.random.binomial(1, test))
    # Which validation images there are does not matter.
    other[:20] = np.round(other[:20])
    np.testing.assert_array_equal(pixels.binarise(other, test, 777), binary)


def test_pixels_are_white_as_often_as_their_grey_value_says() -> None:
    grey = np.tile(np.array([0, 0.2, 0.7, 1], np.float32).reshape(1, 2, 2, 1), (20_000, 1, 1, 1))
    binary = pixels.binarise(grey[:1], grey, 1)
    assert binary.mean(axis=0).ravel() == pytest.approx([0, 0.2, 0.7, 1], abs=0.015)
    assert set(np.unique(binary)) == {0, 1}


def test_the_probabilities_of_all_images_add_up_to_one() -> None:
    images = np.array(list(itertools.product([0, 1], repeat=4)), np.float32).reshape(-1, 2, 2, 1)
    logits = np.array([3, -1, 0.5, -2], np.float32).reshape(1, 2, 2, 1)
    probabilities = np.exp(density.compute_log_probability(tf.constant(logits), images))
    assert probabilities.sum() == pytest.approx(1)


def test_the_probability_of_pixels_is_exact_at_large_logits() -> None:
    logits = np.array([-200, -5, 0, 200], np.float32).reshape(1, 2, 2, 1)
    (computed,) = density.compute_log_probability(tf.constant(logits), tf.constant(IMAGE)).numpy()
    assert computed == pytest.approx(-200 - np.log1p(np.exp(-5)) - np.log(2), rel=1e-6)


@pytest.fixture(scope="module")
def network() -> Autoencoder:
    return variational.build(variational.Settings(code_size=3, width=8, layers="gated"), (4, 4, 1), seed=1)


@pytest.fixture(scope="module")
def model(network: Autoencoder) -> Density:
    return density.build_density(network)


@pytest.fixture(scope="module")
def images() -> Images:
    return np.random.default_rng(0).integers(0, 2, (7, 4, 4, 1)).astype(np.float32)


def test_the_density_is_that_of_the_networks_halves(
    network: Autoencoder, model: Density, images: Images
) -> None:
    mean, log_variance = model.posterior(images)
    np.testing.assert_array_equal(mean, predict(network.encoder, images))
    assert log_variance.shape == mean.shape
    white = predict(network.decoder, mean).astype(np.float64)
    expected = np.log(np.where(images == 1, white, 1 - white)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(model.log_probability(mean, images), expected, rtol=1e-5)


def test_one_image_has_a_probability_for_codes_of_several_batches(model: Density, images: Images) -> None:
    codes = np.random.default_rng(0).standard_normal((density.BATCH + 5, 3), np.float32)
    computed = model.log_probability(codes, images[:1])
    repeated = np.repeat(images[:1], len(codes), axis=0)
    np.testing.assert_allclose(computed, model.log_probability(codes, repeated), rtol=1e-6)


def test_a_saved_network_has_the_same_density(
    network: Autoencoder, model: Density, images: Images, tmp_path: Path
) -> None:
    network.network.save(tmp_path / "saved.keras")
    saved = density.build_density(load(tmp_path / "saved.keras", (4, 4, 1)))
    codes = np.zeros((7, 3), np.float32)
    np.testing.assert_array_equal(saved.posterior(images), model.posterior(images))
    np.testing.assert_array_equal(saved.log_probability(codes, images), model.log_probability(codes, images))


def test_estimates_resume_to_the_same_bits(
    model: Density, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks.compute_in_blocks, "__defaults__", (3,))
    indices = np.arange(10, 17)
    whole = likelihood.estimate_images(model, images, indices, SETTINGS, tmp_path / "whole")
    killed = tmp_path / "killed"
    with pytest.raises(IndexError):
        # After its first block there is no index.
        likelihood.estimate_images(model, images, indices[:4], SETTINGS, killed)
    assert [path.name for path in killed.iterdir()] == ["0.npy"]
    resumed = likelihood.estimate_images(model, images, indices, SETTINGS, killed)
    np.testing.assert_array_equal(resumed, whole)


def test_an_estimate_depends_on_no_other_image(model: Density, images: Images, tmp_path: Path) -> None:
    chosen = np.array([2, 5])
    estimates = likelihood.estimate_images(model, images, np.arange(7), SETTINGS, tmp_path / "all")
    alone = likelihood.estimate_images(model, images[chosen], chosen, SETTINGS, tmp_path / "some")
    np.testing.assert_allclose(alone, estimates[chosen], rtol=1e-6)


def test_finished_blocks_are_not_computed_again(tmp_path: Path) -> None:
    computed: list[int] = []

    def work(index: int) -> tuple[float, float]:
        computed.append(index)
        return index, index**2

    for _ in range(2):
        rows = blocks.compute_in_blocks(work, 5, tmp_path, block=2)
        assert rows.tolist() == [[index, index**2] for index in range(5)]
    assert sorted(computed) == list(range(5))


def test_a_summary_has_the_standard_error_over_images() -> None:
    summary = likelihood.summarise(np.array([[-1.0, 10.0], [-3.0, 30.0], [-5.0, 20.0]]))
    expected = {"log_likelihood": -3, "standard_error": 2 / 3**0.5, "effective_samples": 20}
    assert summary == pytest.approx(expected)


RUNS: dict[float, dict[str, dict[str, Any]]] = {
    beta: {
        "test": {"elbo": -232.0, "reconstruction": -210.0, "kl": 22.0, "active_units": 1},
        "units": {"kl": [0.1, 21.9], "variance_of_mean": [0.001, 0.9]},
        "grey": {"bce": 0.27, "mse": 0.01, "mae": 0.05, "ssim": 0.7},
    }
    for beta in (1.0, 2.0)
}


def test_the_tables_compare_methods_and_weights(tmp_path: Path) -> None:
    published = pd.read_csv(ROOT / "studies/variational/published.csv")
    estimated = {"log_likelihood": -229.0}
    (tmp_path / "plots").mkdir()
    report.tabulate_likelihoods(estimated, -189.9, published).to_csv(
        tmp_path / "plots/table.csv", index=False
    )
    report.tabulate_betas(RUNS, estimated).to_csv(tmp_path / "plots/betas.csv", index=False)
    rows = table.tabulate_likelihoods(tmp_path).to_numpy().tolist()
    assert rows[0] == [FLOOR, "-189.90", "", ""]
    assert rows[-1] == [f"**{OURS}**", "-229.00", "", ""]
    assert len(rows) == len(published) + 2
    weights = table.tabulate_betas(tmp_path)[["β", "log-likelihood", "ELBO"]]
    assert weights.to_numpy().tolist() == [["1", "-229.00", "-232.00"], ["2", "", "-232.00"]]


def test_numbers_of_a_code_are_in_descending_order_of_divergence() -> None:
    rows = report.tabulate_units(RUNS)
    assert rows.loc[rows["beta"] == 1, ["rank", "kl", "active"]].to_numpy().tolist() == [
        [1, 21.9, True],
        [2, 0.1, False],
    ]


def test_interpolations_lead_from_each_image_to_the_next(network: Autoencoder, images: Images) -> None:
    between = report.interpolate(network, images)
    assert between.shape == (7, report.SIDE, 4, 4, 1)
    ends = predict(network.network, images)
    np.testing.assert_allclose(between[:, 0], ends, atol=1e-6)
    np.testing.assert_allclose(between[:, -1], np.roll(ends, -1, axis=0), atol=1e-6)


def test_tiled_images_lie_in_rows_and_columns() -> None:
    images = np.arange(6, dtype=np.float32).reshape(2, 3, 1, 1, 1)
    np.testing.assert_array_equal(figures.tile(images)[..., 0], [[0, 1, 2], [3, 4, 5]])


def test_several_weights_are_named_in_the_figures(images: Images) -> None:
    units = figures.plot_units(report.tabulate_units(RUNS)).axes[0]
    labels = units.get_legend_handles_labels()[1]
    assert labels == ["β = 1: 1 of 2 numbers are active", "β = 2: 1 of 2 numbers are active"]
    rows = figures.plot_reconstructions(images, images, {1.0: images, 2.0: images}).axes[:: len(images)]
    assert [axes.get_ylabel() for axes in rows] == ["grey", "binary", "β = 1", "β = 2"]
