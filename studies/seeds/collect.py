"""The metrics of one run of the main pipeline, from the tables that its stages write."""

from collections.abc import Hashable, Mapping
from typing import Any

from stages.train import find_best, summarise

RECONSTRUCTION, PROBES = "plots/reconstruction.csv", "plots/probes.csv"
EMBEDDINGS, HISTORY = "plots/embeddings.csv", "plots/history.csv"
TABLES = (RECONSTRUCTION, PROBES, EMBEDDINGS, HISTORY)
Metrics = dict[str, dict[str, float]]
"""Stage → name of the metric → value."""


def collect_metrics(tables: Mapping[str, Any]) -> Metrics:
    """Collect the metrics of a run from what its stages return, the tables of `TABLES` by name.

    `linear_10` is the accuracy of a linear probe with 10 labels per class, the fewest; `linear_all` with all.
    """
    rows = {name: tables[name].to_dict("records") for name in TABLES}
    network, pca = (select(rows[RECONSTRUCTION], "method", name) for name in ("autoencoder", "PCA"))
    fewest, *_, everything = rows[PROBES]
    evaluate = {name: network[name] for name in ("bce", "bce_above_floor", "mae", "mse", "psnr", "ssim")}
    evaluate["mse_over_pca"] = network["mse"] / pca["mse"]
    probe = {
        f"{kind}_{row['labels_per_class']}": row[f"{kind} code"]
        for kind in ("knn", "linear")
        for row in (fewest, everything)
    }
    probe["trustworthiness"] = select(rows[EMBEDDINGS], "embedding", "t-SNE embedding")["trustworthiness"]
    train = summarise(find_best(tables[HISTORY]))
    return {"evaluate": dict(sorted(evaluate.items())), "probe": probe, "train": train}


def select(rows: list[dict[Hashable, Any]], column: str, value: str) -> dict[Hashable, Any]:
    """Return the row that has this value."""
    return next(row for row in rows if row[column] == value)
