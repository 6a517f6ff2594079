"""The variational study: log-likelihoods are right where they can be integrated, and resume to the bit."""

import itertools
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

from cae.core import params
from cae.core.arrays import Images, Rows, Scores
from cae.core.errors import UserError
from cae.networks import variational
from cae.networks.autoencoder import load, predict
from studies import pipeline
from studies.variational import (
    blocks,
    bound,
    density,
    importance,
    likelihood,
    measure,
    pictures,
    pixels,
    report,
    settings,
    table,
    train,
)

# Logits of four pixels are linear in a code of one number.
SLOPES, OFFSETS = np.array([2.0, -1.0, 0.5, 3.0]), np.array([0.3, -0.2, 0.0, -1.0])
PICTURE = np.array([1, 0, 1, 1], np.float32).reshape(1, 2, 2, 1)
# Near the true posterior, and not it.
MEAN, LOG_VARIANCE = np.array([0.9], np.float32), np.array([-0.4], np.float32)
STUDY = settings.Study(
    betas=(1.0, 2.0),
    code_size=3,
    width=8,
    layers="gated",
    codes=1,
    epochs=1,
    batch_size=4,
    learning_rate=0.001,
    rise=2,
    samples=20,
    images=7,
    pixels_seed=3,
    codes_seed=4,
)


def fit(codes: Rows, picture: Images) -> Scores:
    logits = codes.astype(np.float64) * SLOPES + OFFSETS
    white = picture.reshape(len(picture), -1)
    return (white * np.log(expit(logits)) + (1 - white) * np.log(expit(-logits))).sum(axis=1)


def integral(picture: Images) -> float:
    """Return log ∫ p(x|z) p(z) dz by quadrature."""
    probability, _ = quad(
        lambda z: np.exp(fit(np.array([[z]]), picture)[0]) * norm.pdf(z), -12, 12, epsabs=1e-12
    )
    return float(np.log(probability))


def estimate(samples: int, seed: int, variance: float = 0.0) -> importance.Estimate:
    generator = np.random.default_rng(seed)
    return importance.estimate(fit, PICTURE, MEAN, LOG_VARIANCE + np.float32(variance), samples, generator)


def bound_of(samples: int, seed: int) -> float:
    """The mean of log w over the draws that `estimate` has."""
    generator = np.random.default_rng(seed)
    return float(importance.log_weights(fit, PICTURE, MEAN, LOG_VARIANCE, samples, generator).mean())


def test_the_estimate_is_the_integral_by_quadrature() -> None:
    found = [estimate(5000, seed).log_likelihood for seed in range(20)]
    error = np.std(found, ddof=1) / len(found) ** 0.5
    assert error < 2e-3
    assert np.mean(found) == pytest.approx(integral(PICTURE), abs=4 * error)


def test_the_estimate_does_not_depend_on_which_posterior_draws() -> None:
    assert estimate(50_000, 0, variance=0.8).log_likelihood == pytest.approx(integral(PICTURE), abs=1e-2)


@given(samples=st.integers(1, 50), seed=st.integers(0, 1000))
def test_the_estimate_is_never_below_the_bound_of_the_same_draws(samples: int, seed: int) -> None:
    found = estimate(samples, seed)
    assert found.log_likelihood >= bound_of(samples, seed) - 1e-12
    assert 1 - 1e-9 <= found.effective <= samples + 1e-9


def test_more_draws_raise_the_estimate_on_average_towards_the_integral() -> None:
    averages = [np.mean([estimate(count, seed).log_likelihood for seed in range(400)]) for count in (1, 5)]
    assert averages[0] < averages[1] < integral(PICTURE)


def test_draws_from_the_true_posterior_all_weigh_the_same() -> None:
    # A decoder that ignores the code leaves the prior as posterior.
    def constant(codes: Rows, picture: Images) -> Scores:
        return np.full(len(codes), -3.5)

    still = np.zeros(2, np.float32)
    found = importance.estimate(constant, PICTURE, still, still, 100, np.random.default_rng(0))
    assert found == pytest.approx((-3.5, 100))


def test_weights_of_a_linear_gaussian_model_are_its_evidence() -> None:
    # x = z + noise, both N(0, 1): z|x ~ N(x/2, 1/2) and x ~ N(0, 2).
    x = 1.3

    def linear(codes: Rows, picture: Images) -> Scores:
        return norm.logpdf(x, codes[:, 0])

    mean, log_variance = np.array([x / 2]), np.log([0.5])
    weights = importance.log_weights(linear, PICTURE, mean, log_variance, 100, np.random.default_rng(0))
    np.testing.assert_allclose(weights, norm.logpdf(x, scale=2**0.5), atol=1e-6)


@pytest.mark.parametrize(("mean", "log_variance"), [(0.0, 0.0), (1.5, -2.0), (-0.3, 1.0)])
def test_the_divergence_is_the_integral_by_quadrature(mean: float, log_variance: float) -> None:
    q = norm(mean, np.exp(log_variance / 2))
    expected, _ = quad(lambda z: q.pdf(z) * (q.logpdf(z) - norm.logpdf(z)), -15, 15)
    found = bound.divergence(np.array([[mean]], np.float32), np.array([[log_variance]], np.float32))
    assert found == pytest.approx(np.array([[expected]]), abs=1e-6)


def test_the_bound_of_many_draws_is_that_of_the_weights() -> None:
    model = density.Density(lambda images: (MEAN[np.newaxis], LOG_VARIANCE[np.newaxis]), fit)
    found = bound.parts(model, PICTURE, 20_000, np.random.default_rng(0)).summary()
    assert found["elbo"] == pytest.approx(found["reconstruction"] - found["kl"])
    assert found["elbo"] == pytest.approx(bound_of(100_000, 1), abs=2e-2)
    assert found["elbo"] < integral(PICTURE)


def test_a_unit_is_active_where_its_mean_varies() -> None:
    # Variances 0.25, 0.0025 and 0, around means that say nothing.
    means = np.array([[0, 5, 7], [1, 5.1, 7]], np.float32)
    variances = bound.variance_of_mean(means)
    assert variances == pytest.approx([0.25, 0.0025, 0], abs=1e-6)
    assert (variances > bound.ACTIVE).tolist() == [True, False, False]


def test_pixels_are_drawn_as_the_published_protocol_does() -> None:
    validation, test = np.random.default_rng(0).random((2, 40, 3, 3, 1), np.float32)
    drawn = pixels.drawn(validation, test, 777)
    np.random.seed(777)
    for images, black_and_white in zip((validation, test), drawn, strict=True):
        np.testing.assert_array_equal(black_and_white, np.random.binomial(1, images))
        assert black_and_white.dtype == np.float32


def test_the_drawn_test_pixels_depend_on_the_number_of_validation_images_alone() -> None:
    validation, other, test = np.random.default_rng(0).random((3, 40, 3, 3, 1), np.float32)
    other[:20] = np.round(other[:20])
    (_, one), (_, another) = (pixels.drawn(images, test, 777) for images in (validation, other))
    np.testing.assert_array_equal(one, another)


def test_pixels_are_as_often_white_as_they_are_bright() -> None:
    grey = np.tile(np.array([0, 0.2, 0.7, 1], np.float32).reshape(1, 2, 2, 1), (20_000, 1, 1, 1))
    _, drawn = pixels.drawn(grey[:1], grey, 1)
    assert drawn.mean(axis=0).ravel() == pytest.approx([0, 0.2, 0.7, 1], abs=0.015)
    assert set(np.unique(drawn)) == {0, 1}


def test_the_probabilities_of_all_pictures_add_up_to_one() -> None:
    every = np.array(list(itertools.product([0, 1], repeat=4)), np.float32).reshape(-1, 2, 2, 1)
    logits = np.array([3, -1, 0.5, -2], np.float32).reshape(1, 2, 2, 1)
    assert np.exp(pixels.log_probability(tf.constant(logits), every)).sum() == pytest.approx(1)


def test_the_probability_of_pixels_stays_exact_at_large_logits() -> None:
    logits = np.array([-200, -5, 0, 200], np.float32).reshape(1, 2, 2, 1)
    (found,) = pixels.log_probability(tf.constant(logits), tf.constant(PICTURE)).numpy()
    assert found == pytest.approx(-200 - np.log1p(np.exp(-5)) - np.log(2), rel=1e-6)


@pytest.fixture(scope="module")
def model() -> density.Density:
    return density.of(
        variational.build(variational.Settings(code_size=3, width=8, layers="gelu"), (4, 4, 1), seed=1)
    )


@pytest.fixture(scope="module")
def drawn() -> Images:
    return np.random.default_rng(0).integers(0, 2, (7, 4, 4, 1)).astype(np.float32)


def test_a_network_fits_a_code_as_well_as_its_image_says(drawn: Images) -> None:
    network = variational.build(variational.Settings(code_size=3, width=8, layers="gelu"), (4, 4, 1), seed=1)
    posterior, fit = density.of(network)
    mean, log_variance = posterior(drawn)
    np.testing.assert_array_equal(mean, predict(network.encoder, drawn))
    assert log_variance.shape == mean.shape
    probability = predict(network.decoder, mean).astype(np.float64)
    expected = np.log(np.where(drawn == 1, probability, 1 - probability)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(fit(mean, drawn), expected, rtol=1e-5)


def test_one_picture_is_fitted_by_codes_beyond_a_batch(model: density.Density, drawn: Images) -> None:
    codes = np.random.default_rng(0).standard_normal((density.AT_ONCE + 5, 3), np.float32)
    found = model.fit(codes, drawn[:1])
    assert found.shape == (len(codes),)
    np.testing.assert_allclose(found, model.fit(codes, np.repeat(drawn[:1], len(codes), axis=0)), rtol=1e-6)


def test_estimates_resume_to_the_same_bits(
    model: density.Density, drawn: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks.computed, "__defaults__", (3,))
    places = np.arange(10, 17)
    whole = likelihood.estimates(model, drawn, places, STUDY, tmp_path / "whole")
    killed = tmp_path / "killed"
    with pytest.raises(IndexError):
        # Past its first block there is no picture.
        likelihood.estimates(model, drawn, places[:4], STUDY, killed)
    assert [path.name for path in killed.iterdir()] == ["0.npy"]
    np.testing.assert_array_equal(likelihood.estimates(model, drawn, places, STUDY, killed), whole)


def test_an_estimate_depends_on_no_other_picture(
    model: density.Density, drawn: Images, tmp_path: Path
) -> None:
    some = likelihood.estimates(model, drawn, np.arange(7), STUDY, tmp_path / "all")[[2, 5]]
    taken = np.array([2, 5])
    alone = likelihood.estimates(model, drawn[taken], taken, STUDY, tmp_path / "some")
    np.testing.assert_allclose(alone, some, rtol=1e-6)


def test_blocks_keep_what_is_finished(tmp_path: Path) -> None:
    asked: list[int] = []

    def work(index: int) -> tuple[float, float]:
        asked.append(index)
        return index, index**2

    expected = [[index, index**2] for index in range(5)]
    for _ in range(2):
        assert blocks.computed(work, 5, tmp_path, block=2).tolist() == expected
    assert sorted(asked) == list(range(5))


def test_a_summary_has_the_standard_error_over_pictures() -> None:
    found = likelihood.summary(np.array([[-1.0, 10.0], [-3.0, 30.0], [-5.0, 20.0]]))
    assert found == pytest.approx(
        {"log_likelihood": -3, "standard_error": 2 / 3**0.5, "effective_samples": 20}
    )


def test_what_is_trained_on_is_the_estimate_of_the_likelihood_with_as_many_codes(drawn: Images) -> None:
    network = variational.build(variational.Settings(code_size=3, width=8, layers="gated"), (4, 4, 1), seed=1)
    model = density.of(network)
    means, log_variances = model.posterior(drawn)
    estimates = [
        importance.estimate(
            model.fit,
            drawn[index : index + 1],
            mean,
            log_variances[index],
            samples=4,
            generator=np.random.default_rng(index),
        ).log_likelihood
        for index, mean in enumerate(means)
    ]
    noise = [np.random.default_rng(index).standard_normal(12) for index in range(len(drawn))]
    chosen = pipeline.changed(params.load(), train.changes(STUDY.model_copy(update={"codes": 4}), 1.0))
    task = tasks.generation(network, chosen.model.variational)
    outputs = task.forward([tf.constant(drawn), tf.constant(np.array(noise, np.float32))])
    targets = [tf.constant(drawn), tf.constant(drawn), tf.ones(len(drawn))]
    np.testing.assert_allclose(task.losses["objective"](targets, outputs), -np.array(estimates), rtol=1e-5)


def test_a_saved_network_gives_the_same_density(drawn: Images, tmp_path: Path) -> None:
    network = variational.build(variational.Settings(code_size=3, width=8, layers="gated"), (4, 4, 1), seed=1)
    network.network.save(tmp_path / "saved.keras")
    codes = np.zeros((7, 3), np.float32)
    built, saved = (density.of(each) for each in (network, load(tmp_path / "saved.keras", (4, 4, 1))))
    np.testing.assert_array_equal(built.posterior(drawn), saved.posterior(drawn))
    np.testing.assert_array_equal(built.fit(codes, drawn), saved.fit(codes, drawn))


def test_a_weight_changes_the_network_of_the_study_alone_and_it_is_trained_to_the_end() -> None:
    study = settings.load()
    chosen = pipeline.changed(params.load(), train.changes(study, 0.5))
    assert chosen.model.chosen.model_dump() == {
        "beta": 0.5,
        **study.model_dump(include=set(params.Variational.model_fields)),
    }
    assert chosen.train.epochs == chosen.train.patience == study.epochs


def test_betas_must_hold_that_of_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(settings.PATH.read_text().replace("[1.0]", "[2.0, 4.0]"))
    with pytest.raises(UserError, match=r"betas: \[2.0, 4.0\] must hold 1.0"):
        settings.load(path)


def test_several_codes_a_picture_allow_no_weight_above_one(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(settings.PATH.read_text().replace("[1.0]", "[1.0, 2.0]"))
    with pytest.raises(UserError, match="betas has 2, but with several codes"):
        settings.load(path)


LIKELIHOOD = {"log_likelihood": -229.0, "standard_error": 0.5, "effective_samples": 20.0}
RUNS: dict[float, dict[str, dict[str, Any]]] = {
    beta: {
        "test": {"elbo": -232.0, "reconstruction": -210.0, "kl": 22.0, "active_units": 1},
        "units": {"kl": [0.1, 21.9], "variance_of_mean": [0.001, 0.9]},
        "grey": {"bce": 0.27, "mse": 0.01, "mae": 0.05, "ssim": 0.7},
    }
    for beta in (1.0, 2.0)
}


def test_what_is_measured_is_what_the_report_reads(drawn: Images) -> None:
    network = variational.build(
        variational.Settings(code_size=3, width=8, layers="gelu"), (16, 16, 1), seed=1
    )
    images = np.repeat(np.repeat(drawn, 4, axis=1), 4, axis=2)
    found = measure.measured(network, images, images, np.random.default_rng(0))
    for section, values in RUNS[1.0].items():
        assert set(values) <= set(found[section])
    assert len(found["units"]["kl"]) == len(found["units"]["variance_of_mean"]) == 3
    assert sum(found["units"]["kl"]) == pytest.approx(found["test"]["kl"])


def test_the_tables_are_made_of_what_the_report_writes(tmp_path: Path) -> None:
    published = pd.read_csv("studies/variational/published.csv")
    (tmp_path / "plots").mkdir()
    report.beside(LIKELIHOOD, -189.9, published).to_csv(tmp_path / "plots/table.csv", index=False)
    report.by_beta(RUNS, LIKELIHOOD).to_csv(tmp_path / "plots/betas.csv", index=False)
    header, rows = table.by_likelihood(tmp_path)
    assert all(len(row) == len(header) for row in rows)
    assert rows[0] == [report.FLOOR, "-189.90", "", ""]
    assert rows[-1] == [f"**{report.OURS}**", "-229.00", "", ""]
    assert len(rows) == len(published) + 2
    header, rows = table.by_beta(tmp_path)
    assert header[:3] == ["β", "log-likelihood", "ELBO"]
    assert [row[:3] for row in rows] == [["1", "-229.00", "-232.00"], ["2", "", "-232.00"]]


def test_units_are_told_the_most_telling_first() -> None:
    rows = report.units(RUNS)
    assert rows[rows["beta"] == 1][["rank", "kl", "active"]].values.tolist() == [
        [1, 21.9, True],
        [2, 0.1, False],
    ]


def test_the_headline_is_of_the_test_split() -> None:
    assert report.headline(RUNS[1.0]["test"], LIKELIHOOD, -189.9) == {
        **RUNS[1.0]["test"],
        **LIKELIHOOD,
        "floor": -189.9,
    }


def test_paths_lead_from_each_image_to_the_next(drawn: Images) -> None:
    network = variational.build(variational.Settings(code_size=3, width=8, layers="gelu"), (4, 4, 1), seed=1)
    found = report.paths(network, drawn)
    assert found.shape == (7, report.SIDE, 4, 4, 1)
    ends = predict(network.network, drawn)
    np.testing.assert_allclose(found[:, 0], ends, atol=1e-6)
    np.testing.assert_allclose(found[:, -1], np.roll(ends, -1, axis=0), atol=1e-6)
    assert report.samples(network, 1).shape == (report.SIDE, report.SIDE, 4, 4, 1)


def test_tiles_lie_in_rows_and_columns() -> None:
    images = np.arange(6, dtype=np.float32).reshape(2, 3, 1, 1, 1)
    np.testing.assert_array_equal(pictures.tiled(images)[..., 0], [[0, 1, 2], [3, 4, 5]])


def test_pictures_are_as_wide_as_all(drawn: Images) -> None:
    grid = np.broadcast_to(drawn, (7, *drawn.shape))
    for figure in (
        pictures.samples(grid, grid),
        pictures.reconstructions(drawn, drawn, {1.0: drawn, 2.0: drawn}),
        pictures.units(report.units(RUNS)),
    ):
        assert figure.get_size_inches()[0] == pytest.approx(9.6)
