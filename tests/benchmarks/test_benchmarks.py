"""All contenders train the same network, and the report says what was measured."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks import contenders, measure, memory, report
from cae.engine import exact
from cae.networks import convolutional, residual
from cae.networks.autoencoder import Autoencoder
from checks import tables
from tests import ROOT
from tests.networks.test_residual import by_place

# isort: split
import keras

SHAPE = (28, 28, 1)
LOSSES = {"convolutional": exact.cross_entropy, "residual": exact.sigmoid_squared_error}
every_network = pytest.mark.parametrize("network", contenders.NETWORKS)


def timing(name: str, family: str, seconds: list[float]) -> dict[str, Any]:
    """A contender that was timed in rounds of 1,000 images."""
    result: dict[str, Any] = {"name": name, "label": name, "family": family, "batch": 32, "images": 1000}
    peaks = {"anonymous": 500 * 2**20, "resident": 700 * 2**20}
    return result | {"seconds": seconds, "ready_seconds": 5.0, "peak_memory": peaks}


def run(name: str, batch: int, points: list[tuple[float, float]]) -> dict[str, Any]:
    """A training to the target loss, 0.3."""
    curve = [{"epoch": i + 1, "seconds": second, "val_loss": loss} for i, (second, loss) in enumerate(points)]
    return timing(name, "", []) | {"batch": batch, "curve": curve, "reached": points[-1][1] <= 0.3}


RESULTS: dict[str, Any] = {
    "network": "convolutional",
    "machine": {
        "processor": "Abacus",
        "instruction_sets": ["avx2"],
        "cores": 2,
        "memory_gib": 8.0,
        "system": "Linux",
        "versions": {"keras": "3.15.1"},
        "load_before": 0.1,
    },
    "settings": {
        "quick": False,
        "batches": [32],
        "epoch_images": 10_000,
        "rounds": 3,
        "slice_images": 1000,
    },
    "arithmetic": {"operations_an_image": 1_000_000, "product_operations": 1_000_000_000},
    "rounds": [
        timing("product", "bound", [0.5, 0.6, 0.5]),
        timing("mine", "ours", [2.0, 1.0, 9.0]),
        timing("fit", "Keras", [7.0, 8.0, 6.0]),
        timing("fit-jit", "Keras", [9.0, 9.0, 1.0]),
        timing("torch", "PyTorch", []) | {"problem": "not installed"},
    ],
    "target": {
        "loss": 0.3,
        "runs": [run("mine", 32, [(10, 0.4), (20, 0.29)]), run("fit", 128, [(160, 0.3)])],
    },
}


def build_ours(network: str) -> Autoencoder:
    if network == "residual":
        return residual.build(residual.Settings(), SHAPE, seed=1)
    return convolutional.build(convolutional.Settings(), SHAPE, seed=1)


def test_the_operations_of_convolutions_are_those_counted_by_hand() -> None:
    layers = ((1, 32, 28), (32, 16, 14), (16, 8, 7), (8, 8, 4), (8, 16, 8), (16, 32, 14), (32, 1, 28))
    forward = [2 * 9 * channels * filters * side**2 for channels, filters, side in layers]
    assert contenders.count_operations("convolutional") == 3 * sum(forward) - forward[0]


def test_the_operations_of_dense_layers_are_those_counted_by_hand() -> None:
    of_the_image = 2 * (784 * 128 + 784 * 2048)
    others = 2 * (2048 * 128 + 128 * 784 + 128 * 2048 + 2048 * 784)
    assert contenders.count_operations("residual") == 2 * of_the_image + 3 * others


def test_no_two_contenders_share_a_name_or_a_label() -> None:
    for field in ("name", "label"):
        assert len({getattr(one, field) for one in contenders.CONTENDERS}) == len(contenders.CONTENDERS)


@every_network
def test_stock_keras_trains_the_same_function_on_the_same_loss(network: str) -> None:
    ours, (theirs, loss) = build_ours(network).network, contenders.build_keras(network)
    theirs.set_weights(ours.get_weights())
    draws = np.random.default_rng(1)
    images = draws.random((3, *SHAPE), dtype="float32")
    np.testing.assert_allclose(theirs(images), ours(images), rtol=1e-5, atol=1e-6)
    logits = draws.random((3, *SHAPE), dtype="float32")
    mean = np.sum(LOSSES[network](images, logits)) / images.size
    computed = keras.losses.get(loss)(images, keras.ops.sigmoid(logits))
    np.testing.assert_allclose(np.mean(computed), mean, rtol=1e-5)


@every_network
def test_pytorch_trains_the_same_function_on_the_same_loss(network: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not among the requirements")
    ours, (theirs, loss) = build_ours(network), contenders.build_pytorch(network)
    draws = np.random.default_rng(1)
    images = draws.random((3, *SHAPE), dtype="float32")
    with torch.no_grad():
        for parameter, weight in zip(theirs.parameters(), convert_weights(network, ours), strict=True):
            parameter.copy_(torch.from_numpy(weight.copy()))
        outputs = torch.sigmoid(theirs(torch.from_numpy(images.reshape(3, 1, 28, 28))))
    np.testing.assert_allclose(
        outputs.numpy().reshape(images.shape), ours.network(images), rtol=1e-5, atol=1e-6
    )
    logits = draws.random((3, *SHAPE), dtype="float32")
    mean = np.sum(LOSSES[network](images, logits)) / images.size
    np.testing.assert_allclose(loss(torch.from_numpy(logits), torch.from_numpy(images)), mean, rtol=1e-5)


def convert_weights(network: str, ours: Autoencoder) -> list[np.ndarray]:
    """Return our weights in PyTorch's layout and order."""
    if network == "convolutional":
        weights = ours.network.get_weights()
        return [weight.transpose(3, 2, 0, 1) if weight.ndim == 4 else weight for weight in weights]
    converted = []
    for half in (ours.encoder, ours.decoder):
        hidden, hidden_bias, straight, *out = by_place(half)
        converted += [weight.T for weight in (straight, hidden, hidden_bias, *out)]
    return converted


def test_stock_keras_gets_every_image_once_an_epoch_in_a_new_order() -> None:
    keras.utils.set_random_seed(1)
    images = np.arange(10, dtype="float32").reshape(10, 1)
    data = contenders.make_dataset(images, 4)
    first, second = (
        [batch.numpy() for batch, target in data if (batch == target).numpy().all()] for _ in "12"
    )
    assert [len(batch) for batch in first] == [4, 4, 2]
    np.testing.assert_array_equal(np.sort(np.concatenate(first), axis=0), images)
    assert np.concatenate(first).tolist() != np.concatenate(second).tolist()


def test_the_contenders_get_an_environment_that_tunes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENBLAS_L2_SIZE", "OMP_NUM_THREADS", "TF_DETERMINISTIC_OPS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HOME", "kept")
    environment = measure.clean_environment()
    assert environment["HOME"] == "kept"
    assert not environment.keys() & {"OPENBLAS_L2_SIZE", "OMP_NUM_THREADS", "TF_DETERMINISTIC_OPS"}


def test_the_module_of_the_contenders_imports_nothing_of_ours() -> None:
    script = "import benchmarks.contenders, sys; sys.exit(bool({'cae', 'numpy'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


@pytest.mark.slow
def test_a_contender_that_fails_says_why_and_the_others_go_on() -> None:
    job = contenders.Job("convolutional", "/nowhere", images=1, batch=1)
    chosen = [one for one in contenders.CONTENDERS if one.name in ("product", "pytorch-nchw")]
    product, failed = measure.time_rounds(chosen, job, rounds=2)
    assert len(product["seconds"]) == 2
    assert 2**20 < product["peak_memory"]["anonymous"] < product["peak_memory"]["resident"]
    assert failed["problem"].startswith(("failed: ", "not installed"))


def test_epochs_are_scaled_from_the_rounds() -> None:
    epochs = report.tabulate_epochs(RESULTS).set_index("name")
    expected = {"median": 20.0, "least": 10.0, "most": 90.0, "of_bound": 0.25, "images_per_second": 500.0}
    assert {name: epochs.loc["mine", name] for name in expected} == expected
    assert epochs.loc["fit", "times_ours"] == 3.5
    assert epochs.loc["torch", "label"] == "torch (not installed)"
    assert epochs.loc["torch", list(report.COLUMNS)].isna().all()
    assert report.compute_bound(RESULTS, 32) == 5.0


@pytest.mark.parametrize(("column", "ratio"), [("median", 3.5), ("least", 1.0)])
def test_ours_is_compared_with_the_fastest_mode_of_others(column: str, ratio: float) -> None:
    epochs = report.tabulate_epochs(RESULTS)
    assert report.compute_speed_ups(epochs, column) == {"Keras": ratio}
    assert report.compute_headroom(epochs, 5.0) == 14.0


@pytest.mark.parametrize(
    "expected",
    [
        "2 cores of Abacus",
        "An epoch of ours is **3.50 times** as fast as the fastest Keras mode.",
        "By the best round of each alone it is 1.00 times for Keras.",
        "At the bound it would be 14.00 times as fast as the fastest of them.",
        "| mine | 20.00 | 10.00 | 90.00 | 500 | 25% | 1.00 | 500 | 700 | 5.0 |",
        "| torch (not installed) | – | – |",
        "0.010 TFLOP per epoch (every convolution",
        "at 2 GFLOP/s",
        "Ours, with its recipe, takes 1/8.0 of the time of stock Keras with the stock recipe.",
        "| fit, batch 128 | 1 | 0.30000 | 160 | 165 | 500 |",
    ],
)
def test_the_report_says_what_was_measured(expected: str) -> None:
    assert expected in " ".join(report.write_report(RESULTS).split())


def test_the_readme_compares_every_contender_and_the_bound() -> None:
    assert report.summarise_epochs(RESULTS).to_numpy().tolist() == [
        ["mine", "20.0 (10.0 – 90.0)", "1.00"],
        ["fit", "70.0 (60.0 – 80.0)", "3.50"],
        ["fit-jit", "90.0 (10.0 – 90.0)", "4.50"],
        ["torch (not installed)", "nan (nan – nan)", "nan"],
        ["arithmetic bound", "5.0", "0.25"],
    ]


@pytest.mark.parametrize("folder", ["benchmarks", "benchmarks/residual"])
def test_the_committed_report_is_that_of_the_committed_results(folder: str) -> None:
    expected = (ROOT / folder / "results.md").read_text()
    assert report.write_report(tables.read_benchmark(folder)) == expected, "run python -m benchmarks again"


def test_the_figures_show_every_contender_and_both_ways_to_the_target() -> None:
    (axes,) = report.plot_epoch_seconds(RESULTS).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["mine", "fit", "fit-jit"]
    assert axes.yaxis_inverted()
    (axes,) = report.plot_time_to_target(RESULTS).axes
    assert [np.asarray(line.get_ydata()).tolist() for line in axes.lines] == [[0.4, 0.29], [0.3], [0.3, 0.3]]


@pytest.mark.slow
def test_a_quick_run_measures_every_part(tmp_path: Path) -> None:
    for name, count in (("train", 256), ("validation", 128)):
        images = np.random.default_rng(1).random((count, *SHAPE), dtype="float32")
        np.save(tmp_path / f"{name}_images.npy", images)
    command = [sys.executable, "-m", "benchmarks", "--quick"]
    subprocess.run([*command, "--data", tmp_path, "--out", tmp_path], cwd=ROOT, check=True)
    results = json.loads((tmp_path / "results.json").read_text())
    timed = [one for one in results["rounds"] if one["family"] != "PyTorch"]
    assert {one["name"] for one in timed} == {"product", "ours", "keras"}
    assert all(len(one["seconds"]) == 2 for one in timed)
    assert [one["name"] for one in results["target"]["runs"]] == ["ours", "keras"]
    assert all(one["curve"] for one in results["target"]["runs"])
    assert (tmp_path / "results.md").read_text() == report.write_report(results)
    # The committed results are those of a full run.
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 2


def test_every_command_is_compared_with_itself_on_fewer_images() -> None:
    rows = [
        ("prepare", 10, 2.0, 100 * 2**20, 300 * 2**20),
        ("score", 10, 4.0, 200 * 2**20, 400 * 2**20),
        ("prepare", 1600, 21.0, 110 * 2**20, 1500 * 2**20),
        ("score", 1600, 60.0, 200 * 2**20, 400 * 2**20),
    ]
    columns = ["command", "pictures", "seconds", "anonymous", "resident"]
    table = memory.compare(pd.DataFrame(rows, columns=columns))
    assert table.columns[0] == "10 → 1,600 images"
    assert table.to_numpy().tolist() == [
        ["`prepare`", "2 → 21", "10.50", "100 → 110", "1.10", "300 → 1,500", "5.00"],
        ["`score`", "4 → 60", "15.00", "200 → 200", "1.00", "400 → 400", "1.00"],
    ]


@pytest.mark.slow
def test_the_stages_on_own_images_are_measured(tmp_path: Path) -> None:
    memory.make_project(tmp_path, 400)
    prepare, *_ = memory.list_commands(tmp_path).values()
    cost = memory.measure_command(prepare)
    assert cost["seconds"] > 0
    assert 0 < cost["anonymous"] < cost["resident"]
