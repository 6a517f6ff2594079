"""A stage of a study declares the digests of exactly what it uses of the library."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests import ROOT
from tests.behaviour.test_current import read_committed

# What a study takes from elsewhere → the digests that say what it computes, none or several. What is not here
# has the digest of the same name. Every stage declares `common`, so it is nowhere here.
USES = {
    "cae.core": "",
    "cae.datasets.augmentations": "",
    "cae.datasets.defects": "training",
    "cae.datasets.masks": "stages.detect",
    # Fetched files are checked by content.
    "cae.datasets.downloads": "",
    "cae.datasets.noise.Noise": "",
    "cae.datasets.prepared": "",
    "cae.datasets.splits.Splits": "",
    "cae.engine": "training",
    "cae.figures.anomalies.plot_ranking_ends": "figures.anomaly_extremes",
    "cae.figures.anomalies.plot_roc_curves": "figures.anomaly_roc",
    "cae.figures.anomalies.plot_score_distributions": "figures.anomaly_distribution",
    "cae.figures.codes.find_first_of_each_class": "figures.first_of_each_class",
    "cae.figures.codes": "stages.probe_figures",
    "cae.figures.embeddings": "stages.probe_figures",
    "cae.metrics.detectors": "measures.detectors",
    "cae.metrics.detectors.CodeDetector": "measures.code_detector",
    "cae.metrics.detectors.check_test_labels": "",
    "cae.metrics.detectors.measure_detection": "measures.auroc",
    "cae.metrics.baselines": "measures.pca",
    "cae.metrics.baselines.MeanImage": "measures.mean_image",
    "cae.metrics.detection": "stages.detect",
    "cae.metrics.embeddings": "measures.embedding",
    "cae.metrics.embeddings.interpolate": "measures.interpolation",
    "cae.metrics.principal_components": "measures.pca",
    "cae.metrics.probes": "",
    "cae.metrics.probes.run_probes": "measures.knn_probe measures.linear_probe",
    "cae.metrics.probes.standardise": "measures.linear_probe",
    "cae.metrics.quality.binary_crossentropy": "measures.bce",
    "cae.metrics.quality.psnr_from_mse": "measures.psnr",
    "cae.metrics.quality.summarise": "measures.summary",
    "cae.metrics.score_settings": "",
    "cae.metrics.scores.build_reconstruction_score": "stages.detect",
    "cae.metrics.tiled_scores": "stages.detect",
    "cae.networks": "training",
    "cae.networks.autoencoder": "measures.prediction",
    "cae.networks.convolutional.code_size": "",
    "cae.networks.model": "",
    "cae.networks.settings": "",
    "cae.networks.variational.build_decoder_to_logits": "measures.prediction",
    "cae.networks.variational.get_posterior": "measures.prediction",
    "stages": "",
    "stages.prepare": (
        "stages.prepare datasets.formats datasets.layouts datasets.preprocessing datasets.splits"
    ),
    "stages.train.train_network": "stages.train training",
}
COMMON = "stages.common"
OURS = ("report", "studies")
STAGES = [
    (path.parent.name, name, stage)
    for path in (ROOT / "custom/dvc.yaml", ROOT / "report/dvc.yaml", *sorted(ROOT.glob("studies/*/dvc.yaml")))
    for name, stage in yaml.safe_load(path.read_text())["stages"].items()
]


class Module(NamedTuple):
    """A module of a study: names → what they are imported as, and → the statements that define them."""

    imports: Mapping[str, str]
    definitions: Mapping[str, list[ast.stmt]]


@cache
def read_module(name: str) -> Module | None:
    """Read a module of a study or of the report; None for any other."""
    path = ROOT / name.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not name.startswith(OURS) or not path.exists():
        return None
    tree = ast.parse(path.read_text())
    imports = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    definitions: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for defined in find_defined_names(statement):
            definitions.setdefault(defined, []).append(statement)
    return Module(imports, definitions)


def find_defined_names(statement: ast.stmt) -> list[str]:
    """Name what a statement of a module defines."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    return [
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]


def find_names(node: ast.AST) -> Iterator[str]:
    """Yield the names, and the names with one attribute, that are used outside annotations."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        yield f"{node.value.id}.{node.attr}"
    else:
        for field, value in ast.iter_fields(node):
            if field not in ("annotation", "returns"):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        yield from find_names(child)


def find_uses(name: str, known: set[str]) -> Iterator[str]:
    """Yield what a name of a study's module uses of the library, itself or by other names of studies."""
    if name in known:
        return
    known.add(name)
    if (module := read_module(name)) is not None:
        for definition in module.definitions:
            yield from find_uses(f"{name}.{definition}", known)
        return
    place, _, own = name.rpartition(".")
    if (module := read_module(place)) is None:
        # An attribute of a name that a module of a study defines, or a name of the library.
        yield from find_uses(place, known) if name.startswith(OURS) and place else [name]
        return
    if own in module.imports:
        yield from find_uses(module.imports[own], known)
    for statement in module.definitions.get(own, []):
        for used in find_names(statement):
            first, dot, attribute = used.partition(".")
            if first in module.imports:
                yield from find_uses(f"{module.imports[first]}{dot}{attribute}", known)
            elif first in module.definitions:
                yield from find_uses(f"{place}.{first}", known)


def find_digests(use: str) -> list[str]:
    """Return the digests of a name of the library or, where it has none, of the module that it stands in."""
    if not use.startswith(("cae.", "stages.")):
        return []
    place = use
    while place:
        if place in USES:
            return USES[place].split()
        last = place.rpartition(".")[2]
        files = ("stages",) if place.startswith("stages.") else ("datasets", "measures", "figures")
        if found := [f"{file}.{last}" for file in files if last in read_committed(file)]:
            return found
        place = place.rpartition(".")[0]
    pytest.fail(
        f"no digest is known for {use}: add to USES which digests change with its results; if there is none, "
        "add a case to CASES in behaviour/measures.py or another module there, and run `make behaviour`"
    )


def read_declared(stage: dict[str, Any]) -> set[str]:
    """Name the digests that a stage depends on, as FILE.KEY."""
    files = [entry for entry in stage.get("params", []) if isinstance(entry, dict)]
    return {
        f"{Path(file).stem}.{key}"
        for entry in files
        for file, keys in entry.items()
        if "behaviour/" in file
        for key in keys
    }


def remove_network(key: str) -> str:
    """Leave out of a key which network is trained, which is a matter of parameters."""
    return re.sub(r"(training)\..*|(stages\.train)_.*", r"\1\2", key)


every_stage = pytest.mark.parametrize(
    ("study", "name", "stage"), STAGES, ids=[f"{row[0]}:{row[1]}" for row in STAGES]
)


@every_stage
def test_a_stage_declares_the_digests_of_what_it_uses(study: str, name: str, stage: dict[str, Any]) -> None:
    declared = read_declared(stage)
    assert COMMON in declared, f"add ../../behaviour/stages.json: [{COMMON.partition('.')[2]}] to its params"
    # Stages of the pipeline use the library in many places: their further digests are chosen by hand.
    if "python -m stages" not in stage["cmd"]:
        folder = study if study == "report" else f"studies.{study}"
        uses = set(find_uses(f"{folder}.{name}.{name}", set()))
        used = {digest for use in uses for digest in find_digests(use)}
        assert {remove_network(key) for key in declared} == used | {COMMON}


@every_stage
def test_every_digest_that_a_stage_declares_exists(study: str, name: str, stage: dict[str, Any]) -> None:
    for key in read_declared(stage):
        file, _, digest = key.partition(".")
        assert digest in read_committed(file), key
