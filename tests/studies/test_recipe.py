"""The recipe study: every combination is trained, and the best mean over seeds comes first."""

import json
from pathlib import Path

import pandas as pd
import pytest

from cae.core.errors import UserError
from studies.recipe import table
from tests.studies.running import copy_study, run_declared

STUDY = Path("studies/recipe")
PARAMS = {"batch_sizes": [16, 32], "learning_rates": [0.002], "seeds": [1, 2], "epochs": 2}


@pytest.mark.usefixtures("pipeline")
def test_a_network_is_trained_with_the_given_batch_size_learning_rate_and_seed() -> None:
    copy_study("recipe", PARAMS)
    for batch_size, seed in (("16", "1"), ("16", "2"), ("32", "1")):
        run_declared("recipe", "train", batch_size, "0.002", seed)
    histories = [
        pd.read_csv(STUDY / f"histories/{name}.csv") for name in ("16-0.002-1", "16-0.002-2", "32-0.002-1")
    ]
    assert [history["learning_rate"][0] for history in histories] == pytest.approx([0.002] * 3)
    assert [len(history) for history in histories] == [2] * 3
    assert len({history["val_loss"].min() for history in histories}) == 3
    with pytest.raises(
        UserError, match=r"recipe/params\.yaml has wrong values:\n  model\.convolutional\.batch_size is 0"
    ):
        run_declared("recipe", "train", "0", "0.002", "1")


@pytest.mark.usefixtures("pipeline")
def test_recipes_are_compared_by_their_best_epochs() -> None:
    histories = copy_study("recipe", PARAMS) / "histories"
    histories.mkdir()
    losses = {"16-0.002-1": [0.5, 0.3], "16-0.002-2": [0.4, 0.41], "32-0.002-1": [0.2], "32-0.002-2": [0.3]}
    for name, values in losses.items():
        pd.DataFrame({"val_loss": values}).to_csv(histories / f"{name}.csv", index=False)
    run_declared("recipe", "report")
    means = json.loads((STUDY / "metrics/recipe.json").read_text())
    assert means == pytest.approx({"val_loss_16-0.002": 0.35, "val_loss_32-0.002": 0.25})
    rows = table.tabulate_losses(STUDY)
    assert list(rows) == ["batch size", "learning rate", "seed 1", "seed 2", "mean"]
    assert rows.to_numpy().tolist() == [
        [32, "0.002", "0.20000", "0.30000", "0.25000"],
        [16, "0.002", "0.30000", "0.40000", "0.35000"],
    ]
