"""The recipe study: what each recipe changes, and the table of what it reached."""

from pathlib import Path

import pandas as pd
import pytest

from cae.core import files, params
from studies import pipeline
from studies.recipe import report, settings, table, train

STUDY = settings.Study(batch_sizes=(16, 32), learning_rates=(0.002,), seeds=(1, 2), epochs=3)


def test_a_recipe_says_batch_size_learning_rate_and_seed() -> None:
    chosen = pipeline.changed(params.load(), train.changes("64-0.004-2", 7))
    run = params.run(chosen.train, chosen.model.chosen)
    assert (chosen.model.name, run.batch_size, run.learning_rate, run.seed) == ("convolutional", 64, 0.004, 2)
    assert run.epochs == run.patience == 7


def test_the_table_has_the_means_over_seeds_the_best_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "STUDY", tmp_path)
    losses = {"16-0.002-1": [0.5, 0.3], "16-0.002-2": [0.4, 0.41], "32-0.002-1": [0.2], "32-0.002-2": [0.3]}
    for name, values in losses.items():
        files.write_csv(tmp_path / f"histories/{name}.csv", pd.DataFrame({"val_loss": values}))
    files.write_csv(tmp_path / "plots/recipe.csv", report.tabulate(STUDY))
    header, rows = table.by_recipe(tmp_path)
    assert header == ["batch size", "learning rate", "seed 1", "seed 2", "mean"]
    assert rows == [
        ["32", "0.002", "0.20000", "0.30000", "0.25000"],
        ["16", "0.002", "0.30000", "0.40000", "0.35000"],
    ]
