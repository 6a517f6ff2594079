import copy
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import bound, charts, contenders, measure, processes, residual_products, stock, summary
from benchmarks.report import report
from cae.core import files
from cae.core.environment import VARIABLES
from cae.engine import exact
from cae.networks import residual
from cae.networks.autoencoder import Autoencoder
from tests import default
from tests.networks.test_residual import by_place

# isort: split
import keras

ROOT = Path(__file__).parents[2]
MEBIBYTE = 2**20
PEAK = {"anonymous": 500 * MEBIBYTE, "resident": 700 * MEBIBYTE}


def timed(name: str, family: str, seconds: list[float], batch: int = 32) -> dict[str, Any]:
    """A contender that came through its rounds of 1,000 images."""
    return {
        "name": name,
        "label": name,
        "family": family,
        "batch": batch,
        "images": 1000,
        "seconds": seconds,
        "ready_seconds": 5.0,
        "peak_memory": PEAK,
    }


def curve(*points: tuple[float, float]) -> list[dict[str, float]]:
    return [
        {"epoch": epoch, "seconds": seconds, "val_loss": loss}
        for epoch, (seconds, loss) in enumerate(points, 1)
    ]


ABSENT = timed("torch", "PyTorch", []) | {"problem": "not installed"}
ROUNDS = [
    timed("product", "bound", [0.5, 0.5, 0.5]),
    timed("mine", "ours", [2.0, 1.0, 9.0]),
    timed("fit", "Keras", [7.0, 8.0, 6.0]),
    timed("fit-jit", "Keras", [9.0, 9.0, 1.0]),
    ABSENT,
]
PRODUCTS = timed("products", "products", [1.0, 2.0, 3.0])
RESULTS: dict[str, Any] = {
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
    "rounds": ROUNDS,
    "target": {
        "loss": 0.3,
        "runs": [
            {
                "name": "mine",
                "label": "mine",
                "batch": 32,
                "ready_seconds": 5.0,
                "curve": curve((10, 0.4), (20, 0.29)),
                "reached": True,
                "peak_memory": PEAK,
            },
            {
                "name": "fit",
                "label": "fit",
                "batch": 128,
                "ready_seconds": 5.0,
                "curve": curve((80, 0.4), (160, 0.3)),
                "reached": True,
                "peak_memory": PEAK,
            },
        ],
    },
    "growth": [{"copies": 4, "images": 40_000, "seconds": 8.0, "peak_memory": PEAK}],
    "start_up": [{"name": "python", "seconds": 0.02}, {"name": "stages.train", "seconds": 5.0}],
    "nothing_to_do": {"seconds": 1.5},
}


# Their loss is a sum: the others' are means.
OBJECTIVES = {"convolutional": exact.cross_entropy, "residual": exact.sigmoid_squared_error}


def ours(network: str) -> Autoencoder:
    """A network that is timed, untrained."""
    if network == "residual":
        return residual.build(residual.Settings(code_size=128, width=2048), default.IMAGE_SHAPE, seed=1)
    return default.autoencoder(seed=1)


def test_the_operations_of_convolutions_are_those_counted_by_hand() -> None:
    forward = [
        2 * 9 * channels * filters * side**2
        for channels, filters, side in (
            (1, 32, 28),
            (32, 16, 14),
            (16, 8, 7),
            (8, 8, 4),
            (8, 16, 8),
            (16, 32, 14),
            (32, 1, 28),
        )
    ]
    assert bound.operations(ours("convolutional")) == 3 * sum(forward) - forward[0]


def test_the_products_alone_are_those_of_the_network() -> None:
    layers = residual_products.network(batch=1)
    counted = sum(2 * layer.kernel.size * (2 if layer.sees_image else 3) for layer in layers)
    assert counted == bound.operations(ours("residual"))


def test_a_layers_products_are_its_outputs_and_gradients() -> None:
    layer = residual_products.Layer(batch=2, size=3, result_size=4, sees_image=False)
    layer.forward()
    layer.backward()
    np.testing.assert_allclose(layer.outputs, layer.inputs @ layer.kernel, rtol=1e-6)
    np.testing.assert_allclose(layer.kernel_gradient, layer.inputs.T @ layer.gradient, rtol=1e-6)
    np.testing.assert_allclose(layer.inputs_gradient, layer.gradient @ layer.kernel.T, rtol=1e-6)


def test_the_operations_of_dense_layers_are_those_counted_by_hand() -> None:
    seeing = 2 * (784 * 128 + 784 * 2048)
    behind = 2 * (2048 * 128 + 128 * 784 + 128 * 2048 + 2048 * 784)
    assert bound.operations(ours("residual")) == 2 * seeing + 3 * behind


@pytest.mark.parametrize(
    ("network", "family", "modes"),
    [
        ("convolutional", "ours", [(), ("avx2",)]),
        ("convolutional", "Keras", [(), ("jit",), ("array",)]),
        (
            "convolutional",
            "PyTorch",
            [(), ("channels_last",), ("compiled",), ("compiled", "channels_last")],
        ),
        ("residual", "ours", [()]),
        ("residual", "Keras", [(), ("jit",), ("array",)]),
        ("residual", "PyTorch", [(), ("compiled",)]),
    ],
)
def test_every_mode_that_makes_sense_is_timed_once(
    network: str, family: str, modes: list[tuple[str, ...]]
) -> None:
    chosen = [one for one in contenders.CONTENDERS if network in one.networks and one.family == family]
    assert [one.mode for one in chosen] == modes


def test_no_two_contenders_share_a_name_or_a_label() -> None:
    timed_together = (*contenders.REFERENCES, *contenders.CONTENDERS)
    for name in ("name", "label"):
        assert len({getattr(one, name) for one in timed_together}) == len(timed_together)


def test_pytorch_alone_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    missing = {one.family for one in contenders.CONTENDERS if not one.installed}
    assert missing == {"PyTorch"}


@pytest.mark.parametrize("network", contenders.NETWORKS)
def test_stock_keras_trains_the_same_function(network: str) -> None:
    mine, theirs = ours(network).network, stock.NETWORKS[network][0]()
    theirs.set_weights(mine.get_weights())
    images = np.random.default_rng(1).random((3, 28, 28, 1), dtype="float32")
    np.testing.assert_allclose(theirs(images), mine(images), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("network", contenders.NETWORKS)
def test_stock_keras_trains_on_the_same_loss(network: str) -> None:
    targets, logits = np.random.default_rng(1).random((2, 3, 28, 28, 1), dtype="float32")
    theirs = keras.losses.get(stock.NETWORKS[network][1])(targets, keras.ops.sigmoid(logits))
    mean = np.sum(OBJECTIVES[network](targets, logits)) / targets.size
    np.testing.assert_allclose(np.mean(theirs), mean, rtol=1e-5)


def test_stock_keras_is_given_every_image_once_an_epoch_in_a_new_order() -> None:
    keras.utils.set_random_seed(1)
    images = np.arange(10, dtype="float32").reshape(10, 1)
    data = stock.batches(images, 4)
    first, second = (
        [batch.numpy() for batch, target in data if (batch == target).numpy().all()] for _ in range(2)
    )
    assert [len(batch) for batch in first] == [4, 4, 2]
    np.testing.assert_array_equal(np.sort(np.concatenate(first), axis=0), images)
    assert np.concatenate(first).tolist() != np.concatenate(second).tolist()


def weights(network: str, built: Autoencoder) -> list[np.ndarray]:
    """The weights of a network of ours as PyTorch has them, in its order."""
    if network == "convolutional":
        kernels, biases = built.network.get_weights()[::2], built.network.get_weights()[1::2]
        turned = [kernel.transpose(3, 2, 0, 1) for kernel in kernels]
        return [weight for pair in zip(turned, biases, strict=True) for weight in pair]
    found = []
    for half in (built.encoder, built.decoder):
        hidden, hidden_bias, straight, *out = by_place(half)
        found += [weight.T for weight in (straight, hidden, hidden_bias, *out)]
    return found


@pytest.mark.parametrize("network", contenders.NETWORKS)
def test_pytorch_trains_the_same_function(network: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not among the requirements")
    from benchmarks import pytorch

    mine, theirs = ours(network), pytorch.NETWORKS[network][0]()
    images = np.random.default_rng(1).random((3, 28, 28, 1), dtype="float32")
    with torch.no_grad():
        for parameter, weight in zip(theirs.parameters(), weights(network, mine), strict=True):
            parameter.copy_(torch.from_numpy(weight.copy()))
        logits = theirs(torch.from_numpy(images.reshape(3, 1, 28, 28)))
    reconstructed = torch.sigmoid(logits).numpy().reshape(images.shape)
    np.testing.assert_allclose(reconstructed, mine.network(images), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("network", contenders.NETWORKS)
def test_pytorch_trains_on_the_same_loss(network: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not among the requirements")
    from benchmarks import pytorch

    targets, logits = np.random.default_rng(1).random((2, 3, 28, 28, 1), dtype="float32")
    theirs = pytorch.NETWORKS[network][1](torch.from_numpy(logits), torch.from_numpy(targets))
    mean = np.sum(OBJECTIVES[network](targets, logits)) / targets.size
    np.testing.assert_allclose(theirs, mean, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("module", ["stock", "large_product", "residual_products"])
def test_a_stock_contender_is_free_of_our_settings(module: str) -> None:
    script = f"import benchmarks.{module}, os, sys; print('cae' in sys.modules, *os.environ)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=processes.ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded, *environment = done.stdout.split()
    assert loaded == "False"
    # TensorFlow itself sets the last two.
    assert not set(environment) & set(VARIABLES) - {"TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND"}


@pytest.mark.slow
def test_a_shells_leftovers_do_not_slow_the_contenders() -> None:
    leftovers = {"OPENBLAS_L2_SIZE": "512", "OMP_NUM_THREADS": "1", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    script = "from benchmarks.processes import ENVIRONMENT; print(*ENVIRONMENT)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | leftovers,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not leftovers.keys() & set(done.stdout.split())


def test_a_process_that_fails_says_why() -> None:
    with (
        processes.Process("benchmarks.nobody", "rounds", {}) as process,
        pytest.raises(processes.FailedError, match=r"No module named benchmarks\.nobody"),
    ):
        process.ready()


def test_a_process_that_is_killed_says_so() -> None:
    task = measure.Task("residual", ROOT, images=1, batch=1)
    with processes.Process("benchmarks.large_product", "rounds", task._asdict()) as process:
        process.process.kill()
        with pytest.raises(processes.FailedError, match="SIGKILL"):
            process.ready()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells")
def test_memory_is_told_in_bytes() -> None:
    found = processes.memory(os.getpid())
    assert MEBIBYTE < found["anonymous"] < found["resident"]


def test_no_memory_is_told_of_a_process_that_is_gone() -> None:
    assert processes.memory(2**30) == {}


def test_images_are_repeated_whole(tmp_path: Path) -> None:
    images = np.arange(12, dtype="float32").reshape(4, 3)
    np.save(tmp_path / "once.npy", images)
    measure.repeat(tmp_path / "once.npy", tmp_path / "thrice.npy", 2, 3)
    np.testing.assert_array_equal(np.load(tmp_path / "thrice.npy"), np.tile(images[:2], (3, 1)))


def test_the_fastest_has_the_least_median_not_the_least_time() -> None:
    fastest = summary.fastest(ROUNDS, 32, "Keras")
    assert fastest is not None
    assert fastest["name"] == "fit"


def test_who_failed_is_not_the_fastest() -> None:
    assert summary.fastest([ABSENT], 32, "PyTorch") is None


def test_speed_is_compared_at_the_same_batch_size() -> None:
    others = [timed("mine", "ours", [1.0], batch=128), timed("fit", "Keras", [5.0], batch=128)]
    assert summary.speed_ups([*ROUNDS, *others], 32) == {"Keras": 3.5}
    assert summary.speed_ups([*ROUNDS, *others], 128) == {"Keras": 5.0}


def test_the_best_rounds_alone_can_be_compared() -> None:
    assert summary.speed_ups(ROUNDS, 32, min) == {"Keras": 1.0}


def test_a_slice_is_scaled_to_an_epoch() -> None:
    assert summary.epoch_seconds(ROUNDS[1], 10_000) == [20.0, 10.0, 90.0]


def test_the_bound_is_the_time_of_an_epochs_operations_at_the_speed_of_the_product() -> None:
    assert summary.bound(RESULTS, 32) == 5.0


def test_the_headroom_is_how_much_longer_than_a_bound_the_fastest_other_mode_takes() -> None:
    assert summary.headroom(RESULTS, 32, 5.0) == 14.0


def test_the_products_of_an_epoch_are_told_where_they_were_timed() -> None:
    results = RESULTS | {"rounds": [*ROUNDS, PRODUCTS]}
    assert summary.products(results, 32) == [10.0, 20.0, 30.0]
    assert summary.products(RESULTS, 32) == []
    assert "take 20.00 s an epoch (10.00 – 30.00)" in report(results)
    assert "would be 3.50 times as fast as the fastest of the others" in report(results)
    assert "products alone" not in report(RESULTS)


def test_the_time_to_the_target_is_that_of_the_epoch_that_reached_it() -> None:
    ours, theirs = RESULTS["target"]["runs"]
    assert summary.target_seconds(ours) == 20
    assert summary.target_ratio([ours, theirs]) == ("", 8.0)


def test_a_stock_run_that_never_reached_the_target_gives_a_limit() -> None:
    ours, theirs = copy.deepcopy(RESULTS["target"]["runs"])
    theirs["reached"] = False
    ratio = summary.target_ratio([ours, theirs])
    assert ratio is not None
    assert "or less" in ratio[0]
    assert summary.target_ratio([theirs, ours]) is None


@pytest.mark.parametrize(
    "expected",
    [
        "2 cores of Abacus",
        "An epoch of ours is **3.50 times** as fast as the fastest Keras mode.",
        "By the best round of each alone it is 1.00 times for Keras.",
        "At the bound it would be 14.00 times as fast as the fastest of them.",
        "| **mine** | 20.00 | 10.00 – 90.00 | 500 | 25% | 1.00 | 500 | 700 | 5.0 |",
        "| fit | 70.00 | 60.00 – 80.00 | 143 | 7% | 3.50 | 500 | 700 | 5.0 |",
        "| torch | not installed |",
        "0.010 TFLOP an epoch",
        "at 2 GFLOP/s",
        "Ours, with its recipe, takes 1/8.0 of the time of stock Keras with the stock recipe.",
        "| fit, batch 128 | 2 | 0.30000 | 160 | 165 | 500 |",
        "| 4× (40,000) | 8.0 | 200.0 | 500 | 700 |",
        "| `stages.train` | 5.00 |",
        "| `dvc repro`, nothing to do | 1.50 |",
    ],
)
def test_the_report_says(expected: str) -> None:
    assert expected in report(RESULTS)


@pytest.mark.parametrize(
    "expected",
    [
        "## An epoch of the residual network, batch 32",
        "every dense layer",
        "All train on the squared error, without augmentations.",
    ],
)
def test_the_report_says_of_the_residual_network(expected: str) -> None:
    assert expected in report(RESULTS | {"residual": RESULTS})
    assert expected not in report(RESULTS)


def test_the_residual_network_alone_can_be_reported() -> None:
    alone = {"machine": RESULTS["machine"], "settings": {"quick": True}, "residual": RESULTS}
    assert report(alone).count("\n## ") == 1


def test_a_part_that_was_not_measured_is_left_out() -> None:
    parts = ("rounds", "target", "growth", "start_up")
    bare = {name: value for name, value in RESULTS.items() if name not in parts}
    assert "##" not in report(bare)


def test_the_report_names_what_failed_to_grow() -> None:
    failed = {"copies": 16, "images": 160_000, "problem": "failed: killed by SIGKILL"}
    assert "| 16× (160,000) | failed: killed by SIGKILL |" in report(RESULTS | {"growth": [failed]})


def test_the_wait_of_fit_is_explained_where_it_was_timed() -> None:
    array = timed("keras-array", "Keras", [9.0, 9.0, 9.0])
    assert "tuner" in report(RESULTS | {"rounds": [*ROUNDS, array]})
    assert "tuner" not in report(RESULTS)


def test_a_quick_look_is_called_one() -> None:
    quick = RESULTS | {"settings": RESULTS["settings"] | {"quick": True}}
    assert "quick look" in report(quick)
    assert "quick look" not in report(RESULTS)


def test_the_chart_has_a_bar_for_every_contender_ours_on_top() -> None:
    (axes,) = charts.epoch_seconds(RESULTS).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["mine", "fit", "fit-jit", "torch"]
    assert axes.yaxis_inverted()
    assert {text.get_text() for text in axes.texts} == {"20.0", "70.0", "90.0", "not installed"}


def test_the_chart_of_the_way_to_the_target_has_both_curves() -> None:
    (axes,) = charts.time_to_target(RESULTS).axes
    ours, theirs, target = axes.lines
    assert np.asarray(ours.get_xdata()).tolist() == [10, 20]
    assert np.asarray(theirs.get_xdata()).tolist() == [80, 160]
    assert np.asarray(target.get_ydata()).tolist() == [0.3, 0.3]


@pytest.mark.slow
@pytest.mark.parametrize("part", [["--quick"], ["--only", "ours"], ["--network", "residual"]])
def test_a_part_does_not_replace_the_committed_results(part: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.run", *part], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "--out" in done.stderr


@pytest.mark.slow
def test_a_quick_look_measures_every_part(tmp_path: Path) -> None:
    data = tmp_path / "prepared"
    for name, count in (("train", 256), ("validation", 128)):
        images = np.random.default_rng(1).random((count, 28, 28, 1), dtype="float32")
        files.write_array(data / f"{name}_images.npy", images)
    asked = ["--quick", "--network", "convolutional", "residual", "--only", "ours", "keras"]
    command = [sys.executable, "-m", "benchmarks.run", *asked]
    subprocess.run([*command, "--data", data, "--out", tmp_path], cwd=ROOT, check=True, capture_output=True)
    results = json.loads((tmp_path / "results.json").read_text())
    trained = {"product", "ours", "keras"}
    for part, names in ((results, trained), (results["residual"], trained | {"products"})):
        assert {result["name"] for result in part["rounds"]} == names
        assert all(len(result["seconds"]) == 2 for result in part["rounds"])
    assert [result["copies"] for result in results["growth"]] == [1, 2]
    assert [run["name"] for run in results["target"]["runs"]] == ["ours", "keras"]
    assert all(run["curve"] and "problem" not in run for run in results["target"]["runs"])
    assert "stages.train" in {one["name"] for one in results["start_up"]}
    assert (tmp_path / "results.md").read_text() == report(results)
    assert (tmp_path / "epoch_seconds.png").exists()
    assert (tmp_path / "time_to_target.png").exists()
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"prepared"}
