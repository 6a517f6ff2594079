"""A stage of a study declares the digests of exactly what it uses of the library."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.behaviour.test_current import committed

ROOT = Path(__file__).parents[2]
# What a study takes from elsewhere → the digests that say what it computes, none or several. A name is looked
# up by itself first, and by its module then.
USES = {
    "cae.engine": "training",
    "cae.engine.checkpoints": "",
    "cae.core": "",
    "cae.core.files": "",
    "cae.core.files.write_bytes": "",
    "cae.datasets.noise": "measures.noise",
    "cae.datasets.noise.Noise": "",
    "cae.datasets.augmentations": "",
    "cae.datasets.prepared": "",
    "cae.datasets.splits": "",
    "cae.metrics.anomaly": "measures.detectors",
    "cae.metrics.anomaly.CodeDetector": "measures.code_detector",
    "cae.metrics.anomaly.Detector": "",
    "cae.metrics.anomaly.check_test_labels": "",
    "cae.metrics.anomaly.measure_detection": "measures.auroc",
    "cae.metrics.baselines": "measures.pca",
    "cae.metrics.baselines.MeanImage": "measures.mean_image",
    "cae.metrics.embeddings": "measures.embedding",
    "cae.metrics.embeddings.Embedding": "",
    "cae.metrics.embeddings.Settings": "",
    "cae.metrics.embeddings.interpolate": "measures.interpolation",
    "cae.datasets.masks": "stages.detect",
    "cae.datasets.defects": "training",
    "cae.metrics.detection": "stages.detect",
    "cae.metrics.error_maps": "measures.error_maps",
    "cae.metrics.error_maps.ErrorMaps": "",
    "cae.metrics.principal_components": "measures.scores",
    "cae.metrics.principal_components.fit_principal_components": "measures.pca",
    "cae.metrics.score_settings": "",
    "cae.metrics.scores": "measures.scores",
    "cae.metrics.scores.NormalTiles": "",
    "cae.metrics.scores.measure_reconstruction": "stages.detect",
    "cae.metrics.scoring": "stages.detect",
    "cae.metrics.quality.binary_crossentropy": "measures.bce",
    "cae.metrics.quality.psnr_from_mse": "measures.psnr",
    "cae.metrics.quality.mse": "measures.mse",
    "cae.metrics.quality.psnr": "measures.psnr",
    "cae.metrics.quality.ssim": "measures.ssim",
    "cae.metrics.quality.summarise": "measures.summary",
    "cae.metrics.probes": "",
    "cae.metrics.probes.Settings": "",
    "cae.metrics.probes.LinearProbe": "measures.linear_probe",
    "cae.metrics.probes.run_probes": "measures.knn_probe measures.linear_probe",
    "cae.metrics.probes.standardise": "measures.linear_probe",
    "cae.networks.autoencoder": "measures.prediction",
    "cae.networks.autoencoder.Autoencoder": "",
    "cae.networks.convolutional.build": "training",
    "cae.networks.convolutional": "",
    "cae.networks.residual": "",
    "cae.networks.convolutional.code_size": "",
    "cae.networks.self_supervised.Settings": "",
    "cae.networks.self_supervised.build": "training",
    "cae.networks.prototypes.Prototypes": "training",
    "cae.networks.visual_words.VisualWords": "training",
    "cae.networks.settings": "",
    "cae.networks.model": "",
    "cae.networks.tasks": "training",
    "cae.networks.variational.decoder_to_logits": "measures.prediction",
    "cae.networks.variational.posterior": "measures.prediction",
    "cae.networks.variational.log_sum_exp": "training",
    "cae.figures.anomalies.plot_score_distributions": "figures.anomaly_distribution",
    "cae.figures.anomalies.plot_ranking_ends": "figures.anomaly_extremes",
    "cae.figures.anomalies.plot_roc_curves": "figures.anomaly_roc",
    "cae.figures.codes.find_first_of_each_class": "figures.first_of_each_class",
    "cae.figures.codes": "stages.probe_figures",
    "cae.figures.embeddings": "stages.probe_figures",
    "cae.figures.style": "figures.style",
    # Fetched files are checked by content.
    "cae.datasets.mirrors": "",
    "stages": "",
    "stages.baselines": "stages.baselines",
    "stages.baselines.Baselines": "",
    "stages.detect": "stages.detect",
    "stages.prepare": "stages.prepare datasets.formats datasets.layouts datasets.preprocessing",
    "stages.evaluate": "stages.evaluate",
    "stages.probe": "stages.probe",
    "stages.train.train_network": "stages.train training",
    "stages.train.Train": "",
    "stages.train.Results": "",
    "stages.train.find_best": "",
    "stages.train.summarise": "",
    "stages.train.ProgressBar": "",
    "studies": "",
    "report": "",
}
OF_PROBES = {"measures.knn_probe", "measures.linear_probe", "measures.mse", "measures.pca"}
# What stands in a module that a stage shares with others, and that it does not run itself.
NOT_RUN = {
    "score:choose": {"measures.error_maps", "measures.scores", "training", "stages.train"},
    "medical:detect_size": {"measures.prediction"},
    "anomaly:score": {"training"},
    "anomaly:train_pretext": {"measures.prediction"},
    "denoising:train": {"measures.prediction"},
    "self_supervised:measure": {"measures.pca", "measures.scores", "training"},
    "self_supervised:compare": {"measures.mse", "measures.scores"},
    "self_supervised:transfer": {*OF_PROBES, "measures.scores", "training"},
    "self_supervised:maps": {*OF_PROBES, "measures.scores", "training"},
    "denoising:measure": {"training"},
    "report:noise": {"measures.mse", "measures.ssim", "training"},
    "denoising:report": {"measures.mse", "measures.noise", "measures.psnr", "measures.ssim"},
}
# Every stage reads prepared images, has defaults, and has its results written by the runner.
OF_EVERY_STAGE = {"datasets.splits", "datasets.writers", "stages.settings"}
OURS = ("cae", "report", "stages", "studies")
STAGES = [
    (path.parent.name, name, stage)
    for path in (ROOT / "custom/dvc.yaml", ROOT / "report/dvc.yaml", *sorted(ROOT.glob("studies/*/dvc.yaml")))
    for name, stage in yaml.safe_load(path.read_text())["stages"].items()
]


def uses(path: Path) -> Iterator[str]:
    """Name what a module takes from the others of this project: modules, and names in them."""
    tree = ast.parse(path.read_text())
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith(OURS))
    attributes = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    ]
    for attribute in attributes:
        if ast.unparse(attribute.value) in names:
            yield f"{names[ast.unparse(attribute.value)]}.{attribute.attr}"
    of_attributes = {id(attribute.value) for attribute in attributes}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in names and id(node) not in of_attributes:
            yield names[node.id]


def digests_of(name: str) -> list[str]:
    """Look a name up, then what it stands in."""
    place = name
    while place not in USES:
        assert "." in place, f"no digest is known for {name}: add it to USES, and to behaviour/ if need be"
        place = place.rpartition(".")[0]
    return USES[place].split()


def files_of(study: str, stage: dict[str, Any]) -> list[Path]:
    """Name the modules of a study that a stage depends on."""
    folder = ROOT / study if study == "report" else ROOT / "studies" / study
    # The report runs modules of a study.
    return [folder / name for name in stage["deps"] if re.fullmatch(r"(\.\./studies/\w+/)?\w+\.py", name)]


def declared_by(stage: dict[str, Any]) -> set[str]:
    """Name the digests that a stage depends on, as FILE.KEY."""
    files = [entry for entry in stage.get("params", []) if isinstance(entry, dict)]
    return {
        f"{Path(file).stem}.{key}"
        for entry in files
        for file, keys in entry.items()
        if "behaviour/" in file
        for key in keys
    }


def whatever_network(key: str) -> str:
    """Forget which network is trained, which is a matter of parameters."""
    return re.sub(r"(training)\..*|(stages\.train)_.*", r"\1\2", key)


every_stage = pytest.mark.parametrize(
    ("study", "name", "stage"), STAGES, ids=[f"{row[0]}:{row[1]}" for row in STAGES]
)


@every_stage
def test_a_stage_declares_the_digests_of_what_it_uses(study: str, name: str, stage: dict[str, Any]) -> None:
    declared = declared_by(stage)
    if "python -m stages" in stage["cmd"]:
        # Stages of the pipeline use the library in many places: their digests are chosen by hand.
        assert declared
        return
    used = {key for path in files_of(study, stage) for use in uses(path) for key in digests_of(use)}
    assert {whatever_network(key) for key in declared} - OF_EVERY_STAGE == used - NOT_RUN.get(
        f"{study}:{name}", set()
    )


@every_stage
def test_every_digest_that_a_stage_declares_exists(study: str, name: str, stage: dict[str, Any]) -> None:
    for key in declared_by(stage):
        file, _, digest = key.partition(".")
        assert digest in committed(file), key
