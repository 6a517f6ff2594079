"""A formula of training that changes by a little changes the digests of what is trained with it."""

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import tensorflow as tf

from behaviour import digests, training
from cae.engine import exact
from tests import ROOT
from tests.behaviour.test_mutations import Mutate, mutate  # noqa: F401  # a fixture

# Of each formula one network that is trained with it, and one that is not, where there is one.
FORMULAS = [
    ("cae.engine.training", "0.5 * np.pi * (1 - step", "0.4999 * np.pi * (1 - step", "residual", None),
    (
        "cae.engine.training",
        "(step + 1) / (recipe.warm_up",
        "(step + 2) / (recipe.warm_up",
        "residual",
        None,
    ),
    ("cae.engine.training", "default_rng((recipe.seed, epoch))", "default_rng((epoch, 1))", "residual", None),
    ("cae.engine.steps", "square * square", "square * square * 0.9999", "residual", None),
    ("cae.datasets.augmentations", ") < 0.5\n    return", ") < 0.4\n    return", "augmentations", "residual"),
    ("cae.datasets.augmentations", "side = 2 * pixels + 1", "side = 2 * pixels", "augmentations", "residual"),
    (
        "cae.datasets.noise",
        "deviations * draw_normal",
        "1.001 * deviations * draw_normal",
        "noise",
        "residual",
    ),
    ("cae.datasets.noise", "numbers >= shares / 2", "numbers >= shares / 3", "noise", "residual"),
    ("cae.datasets.noise", "np.rint(shares", "np.floor(shares", "noise", "residual"),
    (
        "cae.networks.variational",
        "(phase.epoch + 1) / settings.rise",
        "(phase.epoch + 2) / 3",
        "variational",
        "residual",
    ),
]


# TensorFlow compiles these from their source files, and a C compiler the last.
COMPILED = [
    ("cae/engine/steps.py", "return 1 / math.prod", "return 1.0001 / math.prod", "residual"),
    ("cae/networks/variational.py", "log_variance * 0.5", "log_variance * 0.4999", "variational"),
    ("cae/networks/variational.py", "- code * code, 1) * 0.5", "- code * code, 1) * 0.4999", "variational"),
    (
        "cae/networks/tasks.py",
        "- arithmetic.sum_over(targets * logits, 1)",
        "- arithmetic.sum_over(1.0001 * targets * logits, 1)",
        "classifier",
    ),
    ("cae/engine/native/functions.h", "0.39894228040143267794", "0.39894228", "residual"),
]


@cache
def compute_unchanged(name: str) -> str:
    return digests.compute_digest(training.CASES[name]())


@pytest.mark.slow
@pytest.mark.parametrize(("module", "old", "new", "changing", "staying"), FORMULAS)
def test_a_changed_formula_changes_what_is_trained_with_it(
    module: str,
    old: str,
    new: str,
    changing: str,
    staying: str | None,
    mutate: Mutate,  # noqa: F811
) -> None:
    names = [changing] if staying is None else [changing, staying]
    before = [compute_unchanged(name) for name in names]
    mutate(module, old, new)
    changed = [
        digests.compute_digest(training.CASES[name]()) != was for name, was in zip(names, before, strict=True)
    ]
    assert changed == [True, False][: len(names)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "name"), [("sigmoid_squared_error", "residual"), ("squared_error", "custom_network")]
)
def test_a_changed_loss_changes_what_is_trained_on_it(
    loss: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, original = compute_unchanged(name), getattr(exact, loss)

    def larger(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        return 1.0001 * original(targets, outputs)

    monkeypatch.setattr(exact, loss, larger)
    assert digests.compute_digest(training.CASES[name]()) != before


@pytest.mark.slow
@pytest.mark.parametrize(("name", "old", "new", "network"), COMPILED)
def test_a_changed_formula_that_is_compiled_changes_what_is_trained_with_it(
    name: str, old: str, new: str, network: str, tmp_path: Path
) -> None:
    for folder in ("behaviour", "cae", "stages"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", ".dvc")
        )
    source = tmp_path / name
    text = source.read_text()
    assert text.count(old) == 1, f"{name} holds {old!r} {text.count(old)} times: adapt this test"
    source.write_text(text.replace(old, new))
    steps = [sys.executable, "-m", "behaviour.steps", "--networks", network, "--out", "digests.json"]
    subprocess.run(steps, cwd=tmp_path, check=True, capture_output=True)
    found = json.loads((tmp_path / "digests.json").read_text())[network]
    result = training.CASES[network]()
    results = result if isinstance(result, list) else [result]
    assert found["weights"] != digests.compute_digest([one["weights"] for one in results])
