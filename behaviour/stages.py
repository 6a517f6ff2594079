"""What stages write that studies run as a whole, for tiny projects: stages.json.

Every stage runs by its own entry point in a temporary folder, one after another; a digest names all files
that it wrote. Figures of `plots/` have digests of their own, where a study shows them.
"""

import io
import sys
from collections.abc import Callable, Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any
from unittest import mock

import keras
import numpy as np
import own.detect
import own.evaluate
import own.prepare
import own.probe
import own.train
import yaml

import stages.baselines
import stages.evaluate
import stages.probe
import stages.train
from behaviour import Cases, examples, measures
from behaviour.datasets import files_of, save
from cae.core import files
from cae.datasets import prepared, splits
from cae.networks.autoencoder import Autoencoder
from stages import MODELS, PLOTS, PREPARED

MODEL: Mapping[str, Any] = {
    "name": "convolutional",
    "convolutional": {"filters": [4, 3, 2], "batch_size": 8, "learning_rate": 0.01},
    "residual": {"code_size": 4, "width": 9, "batch_size": 8, "learning_rate": 0.01, "warm_up": 1},
    "variational": {
        **{"code_size": 3, "width": 9, "layers": "gelu", "codes": 1, "beta": 1.0, "rise": 1},
        **{"batch_size": 8, "learning_rate": 0.01},
    },
}
TRAIN: Mapping[str, Any] = {"epochs": 2, "patience": 2, "shards": 3, "seed": 1, "engine": "fast"}
PIPELINE: Mapping[str, Any] = {
    "prepare": {"train": 128, "validation": 19, "test": 40, "seed": 1},
    "model": MODEL,
    "train": TRAIN,
    "probes": {"labels_per_class": [2, 5], "seeds": [1, 2], "regularisation": [0.1, 1.0], "neighbours": 3},
    "maps": {"images": 36, "neighbours": 3, "perplexity": 5.0, "seed": 1},
}
OWN: Mapping[str, Any] = {
    "split": {"train": 0.5, "validation": 0.1, "threshold": 0.2, "test": 0.2, "seed": 1},
    "train": {**TRAIN, "start_from": None},
    "probes": {"regularisation": [0.1, 1.0], "neighbours": 3},
}
DATA: Mapping[str, Any] = {"source": "images", "normal": None, "skip_bad": False}
# Large images in colour, of classes, in tiles; and small grey ones with the masks of their defects.
OWN_PROJECTS: Mapping[str, Mapping[str, Any]] = {
    "classes": {
        **OWN,
        "data": {
            **DATA,
            **{"size": None, "channels": None, "window": [5, 245], "tiles": {"size": 12, "stride": 7}},
        },
        "model": MODEL,
        "anomaly": {"spot": None, "false_alarms": 0.3},
    },
    "masks": {
        **OWN,
        "data": {**DATA, "size": [14, 18], "channels": 1, "window": None, "tiles": None},
        "model": {**MODEL, "name": "residual"},
        "anomaly": {"spot": 1.5, "false_alarms": 0.2},
    },
}


def made_by(stage: ModuleType, project: Path) -> dict[str, bytes]:
    """Run a stage by its entry point, silently, and return the files that it wrote."""
    # Keras numbers layers through a process, and each stage has one of its own.
    keras.utils.clear_session()
    before = files_of(project)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        stage.main()
    return {
        name: content
        for name, content in files_of(project).items()
        if before.get(name) != content and not name.startswith(".checkpoints/")
    }


def declare(project: Path, settings: Mapping[str, Any], names: list[str]) -> None:
    """Write params.yaml, and a dvc.yaml whose stages depend on nothing: no digest here can be out of date."""
    (project / "params.yaml").write_text(yaml.safe_dump(dict(settings)))
    stages_without_inputs = {name: {"deps": list[str]()} for name in names}
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages_without_inputs}))


def run_pipeline(project: Path) -> dict[str, dict[str, bytes]]:
    """Run the stages of the main pipeline on images of 12 × 20 pixels, below the current folder."""
    for place, (name, count) in enumerate((("train", 128), ("validation", 19), ("test", 40))):
        images = (255 * examples.images(count, 12, 20, seed=place)).round().astype(np.uint8).squeeze(-1)
        splits.write(PREPARED, name, images, examples.labels(count), np.arange(count))
    splits.write_class_names(PREPARED, examples.CLASS_NAMES)
    names = ["baselines", "train", "evaluate", "probe"]
    made = {}
    for network in ("convolutional", "residual", "variational"):
        declare(project, {**PIPELINE, "model": {**MODEL, "name": network}}, names)
        made[f"train_{network}"] = made_by(stages.train, project)
    write_trained(project, examples.network(12, 20))
    made_by(stages.baselines, project)
    return made | {"evaluate": made_by(stages.evaluate, project), "probe": made_by(stages.probe, project)}


def run_own(project: Path, kind: str) -> dict[str, dict[str, bytes]]:
    """Run all stages of a project of own images."""
    {"classes": draw_classes, "masks": draw_masks}[kind](project / "images")
    declare(project, OWN_PROJECTS[kind], ["prepare", "train", "evaluate", "probe", "detect"])
    with mock.patch.object(sys, "argv", ["own", str(project)]):
        made = {"own_prepare": made_by(own.prepare, project), "own_train": made_by(own.train, project)}
        write_trained(project, examples.network(*prepared.images(project / PREPARED, "train").shape[1:]))
        return made | {
            "own_evaluate": made_by(own.evaluate, project),
            "own_probe": made_by(own.probe, project),
            "own_detect": made_by(own.detect, project),
        }


def write_trained(project: Path, network: Autoencoder) -> None:
    """Write a network and a history that no training made: what follows does not depend on how one trains."""
    files.write_model(project / MODELS / "autoencoder.keras", network.network)
    files.write_csv(project / PLOTS / "history.csv", examples.history())


def draw_classes(folder: Path) -> None:
    """Write images in colour of three classes."""
    drawn = (255 * examples.images(40, 23, 30, 3)).round().astype(np.uint8)
    for place, (image, label) in enumerate(zip(drawn, examples.labels(40))):
        save(folder / f"{examples.CLASS_NAMES[label]}/{place}.png", image)


def draw_masks(folder: Path) -> None:
    """Write grey images in the layout of MVTec AD: defects are squares, whose masks stand beside them."""
    drawn = (200 * examples.images(56, 20, 25)).round().astype(np.uint8).squeeze(-1)
    for place, image in enumerate(drawn):
        if place % 7:
            save(folder / f"{'test' if place % 7 == 1 else 'train'}/good/{place}.png", image)
            continue
        mask = np.zeros_like(image)
        mask[3 : 6 + place // 14, 4:9] = 255
        save(folder / f"test/hole/{place}.png", np.maximum(image, mask))
        save(folder / f"ground_truth/hole/{place}_mask.png", mask)


PROJECTS: Mapping[str, Callable[[Path], dict[str, dict[str, bytes]]]] = {
    "pipeline": run_pipeline,
    **{kind: partial(run_own, kind=kind) for kind in OWN_PROJECTS},
}


@cache
def results(kind: str) -> dict[str, dict[str, bytes]]:
    """Run every stage of a project: what each wrote, figures apart."""
    made: dict[str, dict[str, bytes]] = {}
    with TemporaryDirectory() as folder, chdir(folder):
        for name, contents in PROJECTS[kind](Path()).items():
            for path, content in contents.items():
                is_figure = path.startswith("plots/") and path.endswith(".png")
                made.setdefault(f"{name}_figures" if is_figure else name, {})[path] = content
    return made


# Their numbers say little of so few images, such as a share of right answers: computed by themselves, too.
MEASURES = {
    "own_detect": ("aupro", "threshold"),
    "own_probe": ("knn_probe", "linear_probe"),
    "probe": ("embedding", "knn_probe", "linear_probe"),
}


def result(name: str) -> list[Any]:
    """Return what a stage wrote in every project that has it, and what some of its measures compute."""
    kinds = OWN_PROJECTS if name.startswith("own_") else ("pipeline",)
    contents = {kind: results(kind)[name] for kind in kinds}
    return [contents, *(measures.CASES[measure]() for measure in MEASURES.get(name, ()))]


KEYS = (
    "train_convolutional",
    "train_residual",
    "train_variational",
    "evaluate",
    "probe",
    "own_prepare",
    "own_train",
    "own_evaluate",
    "own_evaluate_figures",
    "own_probe",
    "own_probe_figures",
    "own_detect",
    "own_detect_figures",
)
CASES: Cases = {name: partial(result, name) for name in KEYS}
