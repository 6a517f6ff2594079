"""The rate study: codes are quantised, methods are measured, and the best of them are selected."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cae.core import config
from cae.core.arrays import Images, Rows
from cae.core.errors import UserError
from cae.datasets.splits import Splits
from cae.networks.autoencoder import load
from studies.rate import measure, report, train
from studies.rate.measure import Method
from studies.rate.quantiser import Quantiser
from tests.studies.running import copy_study, run_declared

CODES = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


@pytest.mark.usefixtures("pipeline")
def test_networks_are_trained_for_their_epochs_measured_and_compared() -> None:
    copy_study("rate", {"code_sizes": [2, 4], "epochs": [1, 2], "shards": 1, "bits": [2, 3]})
    for size, epochs in ((2, 1), (4, 2)):
        run_declared("rate", "train", str(size))
        run_declared("rate", "measure", str(size))
        assert load(Path(f"studies/rate/models/{size}.keras"), (12, 12, 1)).code_size == size
        assert len(pd.read_csv(f"studies/rate/histories/{size}.csv")) == epochs
    run_declared("rate", "report")
    table = pd.read_csv("studies/rate/plots/rate.csv").set_index(["method", "numbers"])
    errors = json.loads(Path("studies/rate/metrics/rate.json").read_text())
    assert errors == {f"mse_{size}": table.loc[("residual", size), "mse"] for size in (2, 4)}
    assert list(pd.read_csv("studies/rate/plots/bits.csv")["bits"]) == [4, 6, 8, 12] * 2


@given(bits=st.integers(1, 12))
def test_a_quantised_code_has_as_many_levels_as_its_bits_allow(bits: int) -> None:
    quantised = Quantiser.fit(CODES, bits).quantise(np.repeat(CODES, 20, axis=0) * 1.5)
    assert all(len(np.unique(column)) <= 2**bits for column in quantised.T)


def test_a_code_moves_by_half_a_step_at_most_or_to_the_end_of_the_range() -> None:
    quantiser = Quantiser.fit(CODES, 4)
    assert quantiser.step == pytest.approx(np.ptp(CODES, axis=0) / 15)
    assert np.all(np.abs(quantiser.quantise(CODES) - CODES) <= quantiser.step * 0.5001)
    ends = quantiser.quantise(np.array([[1e6] * 3, [-1e6] * 3], np.float32))
    assert ends == pytest.approx(np.stack([CODES.max(axis=0), CODES.min(axis=0)]))


def test_a_number_that_is_the_same_in_all_codes_stays_as_it_is() -> None:
    constant = np.ones((5, 2), np.float32)
    np.testing.assert_array_equal(Quantiser.fit(constant, 4).quantise(constant), constant)


def test_a_method_is_measured_with_codes_as_they_are_and_quantised() -> None:
    labels = np.arange(40, dtype=np.uint8) % 2
    images = np.random.default_rng(0).random((40, 12, 12, 1), np.float32)
    # A linear probe reads the class from these pixels.
    images[:, :6] = labels[:, np.newaxis, np.newaxis, np.newaxis]

    def encode(images: Images) -> Rows:
        return images.reshape(len(images), -1)

    def decode(codes: Rows) -> Images:
        return codes.reshape(-1, 12, 12, 1).clip(0, 1)

    splits = Splits(*[images] * 3), Splits(*[labels] * 3)
    metrics = measure.measure_method(Method(encode, decode), *splits, (1, 8))
    assert (metrics["mse"], metrics["ssim"], metrics["linear_all"]) == (0, pytest.approx(1), 1)
    # Half a step is at most 1/510 of the range.
    assert 0 < metrics["mse_by_bits"]["8"] < (1 / 510) ** 2 < metrics["mse_by_bits"]["1"]


def test_rows_that_need_more_bits_for_no_lower_error_are_left_out() -> None:
    table = pd.DataFrame(
        {"method": ["a", "a", "a", "b"], "bits": [10, 20, 20, 30], "mse": [0.5, 0.6, 0.4, 0.9]}
    )
    best = report.select_best(table)[["method", "bits", "mse"]].to_numpy().tolist()
    assert best == [["a", 10, 0.5], ["a", 20, 0.4], ["b", 30, 0.9]]


def test_fewer_epochs_than_code_sizes_are_refused() -> None:
    content = {"code_sizes": [8, 16], "epochs": [12], "shards": 2}
    with pytest.raises(UserError, match="epochs has 1 numbers, but code_sizes has 2"):
        config.validate(content, train.Settings, Path("params.yaml"))
