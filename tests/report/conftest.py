"""A report of small networks, which are not trained, and of few images."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from behaviour import examples
from cae.core import files
from cae.networks import convolutional, residual, self_supervised
from report import PARTS, anomalies
from studies.denoising import residual_cnn
from tests.studies import running

ROOT = Path(__file__).parents[2]
SHAPE = (12, 12, 1)
# Committed tables, which are shown as they are.
TABLES = (
    "plots/history.csv",
    "plots/reconstruction.csv",
    "studies/denoising/params.yaml",
    "studies/denoising/plots/denoising.csv",
    "studies/industrial/tables/classes.csv",
    "studies/industrial/tables/detection.csv",
    "studies/rate/plots/rate.csv",
    "studies/rate/published.csv",
    "studies/self_supervised/plots/codes.csv",
)


def make_inputs(folder: Path) -> None:
    """Write what the parts of the report depend on, below a folder."""
    running.make_pipeline(folder)
    for name in (*TABLES, *(str(path.relative_to(ROOT)) for path in ROOT.glob("studies/denoising/*.py"))):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    (folder / "studies/__init__.py").touch()
    shutil.copytree(
        ROOT / "report", folder / "report", ignore=shutil.ignore_patterns("parts", "*.part", ".dvc")
    )
    (folder / "report/params.yaml").write_text(
        yaml.safe_dump({"embedding": {"images": 30, "perplexity": 5.0}})
    )
    small = self_supervised.Settings(filters=(3, 4, 5), code_size=6, width=16, words=7, prototypes=5)
    networks = {
        "models/autoencoder": convolutional.build(
            convolutional.Settings(filters=(4, 3, 2)), SHAPE, 1
        ).network,
        "studies/rate/models/128": residual.build(residual.Settings(code_size=6, width=9), SHAPE, 1).network,
        "studies/self_supervised/models/prototypes": self_supervised.build(small, SHAPE, 1).network,
        "studies/denoising/models/residual_cnn": residual_cnn.build(
            residual_cnn.Settings(width=3, depth=2), SHAPE, 1
        ),
    }
    for name in ("convolutional", "residual"):
        networks[f"studies/denoising/models/{name}"] = networks["models/autoencoder"]
    for name, network in networks.items():
        files.write_model(folder / f"{name}.keras", network)
    images = examples.images(30, *SHAPE[:2], seed=7)
    files.write_array(folder / "studies/industrial/data/prepared/test_images.npy", images)
    scores = {name: (at + 1) * np.linspace(0, 1, 30) for at, name in enumerate(anomalies.TITLES)}
    table = pd.DataFrame(scores | {"class": ["good"] * 15 + ["hole"] * 15})
    files.write_csv(folder / "studies/industrial/data/scores.csv", table)


def build(stage: str) -> None:
    """Run a stage of the report in the current folder."""
    running.run_stage(f"report.{stage}", Path("report"), stage)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished report. Not to be changed."""
    folder = tmp_path_factory.mktemp("report")
    make_inputs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for part in PARTS:
            build(part.name)
        build("page")
    return folder
