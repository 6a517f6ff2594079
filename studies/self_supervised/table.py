"""The tables of README.md, from the committed results."""

from pathlib import Path
from typing import Any

import pandas as pd

from studies.self_supervised import SUPERVISED

STUDY = Path(__file__).parent
ALL, TEN = "all", "10"
TITLES = {
    "prototypes": "**prototypes and visual words**",
    "prototypes_joint": "… and reconstruction",
    "words": "visual words",
    "masked": "masked images",
    "contrastive": "contrastive (SimCLR)",
    "contrastive_joint": "contrastive and reconstruction",
    "vicreg": "VICReg",
    "default": "the default network of the main pipeline",
    "prototypes_pca": "no training: PCA of prototypes and visual words",
    "words_pca": "no training: PCA of visual words",
    "hog": "no training: HOG",
    "hog_pca": "no training: PCA of HOG",
    "untrained": "no training: the untrained encoder",
    "PCA": "no training: PCA",
    "pixels": "no training: pixels",
    "supervised": "all labels: the same encoder, supervised",
}
PROBES = {"linear": "linear", "knn": "k-NN"}


def tabulate_codes() -> pd.DataFrame:
    """Compare all codes: numbers, accuracy of both probes by labels per class, squared error."""
    table = pd.read_csv(STUDY / "plots/codes.csv").set_index("features")
    rows = []
    for name, title in TITLES.items():
        codes = table.loc[name]
        cells = {"codes": title, "numbers": write(codes["numbers"], "{:,.0f}")}
        for probe, probe_title in PROBES.items():
            for labels in (TEN, "100", "1000", ALL) if probe == "linear" else (TEN, ALL):
                cells[f"{probe_title}, {labels}"] = f"{codes[f'{probe}_{labels}']:.3f}"
        # The decoder of the supervised network is untrained.
        error = None if name == SUPERVISED else codes["mse"]
        rows.append(cells | {"MSE": write(error, "{:.4f}")})
    return pd.DataFrame(rows)


def tabulate_transfer() -> pd.DataFrame:
    """Compare the AUROC of distances between codes on images of other kinds."""
    table = pd.read_csv(STUDY / "plots/transfer.csv").pivot(
        index="features", columns="images", values="auroc"
    )
    names = [name for name in TITLES if name in table.index]
    cells = table.loc[names].map("{:.3f}".format)
    cells.index = pd.Index([TITLES[name] for name in names], name="nearest neighbours by")
    return cells.reset_index()


def write(value: Any, pattern: str) -> str:
    """Write a number; nothing where there is none."""
    return "" if pd.isna(value) else pattern.format(value)
