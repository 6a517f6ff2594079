"""What stages return for tiny projects: stages.json.

Every stage is called as the runner calls it, and its results are written to a temporary folder; a digest
names all files. Figures in `plots/` have digests of their own, where a study shows them.
"""

import io
import shutil
from collections.abc import Callable, Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_type_hints

import keras
import numpy as np
import pandas as pd

from behaviour import Cases, examples, measures
from behaviour.datasets import GREY, files_of, in_folder, save
from cae.core import files
from cae.core.config import validate
from cae.datasets import prepared
from cae.metrics import embeddings, probes
from cae.networks import convolutional, residual, self_supervised, variational
from cae.networks.autoencoder import Autoencoder
from stages import baselines, detect, evaluate, prepare, probe, train
from stages.runner import write_result
from stages.runner.project import Project, Results
from stages.settings import Anomaly

MODEL: Mapping[str, Any] = {
    "name": "convolutional",
    "convolutional": {"filters": [4, 3, 2], "batch_size": 8, "learning_rate": 0.01},
    "residual": {
        **{"code_size": 4, "width": 9, "batch_size": 8, "learning_rate": 0.01, "warm_up": 1},
        "augmentations": [],
    },
    "variational": {
        **{"code_size": 3, "width": 9, "layers": "gelu", "codes": 1, "beta": 1.0, "rise": 1},
        **{"batch_size": 8, "learning_rate": 0.01, "warm_up": 0},
    },
}
SELF_SUPERVISED: Mapping[str, Any] = {
    "name": "self_supervised",
    "self_supervised": {
        "filters": [3, 4, 5],
        "code_size": 4,
        "width": 9,
        "words": 6,
        "prototypes": 5,
        "batch_size": 8,
    },
}
TRAIN: Mapping[str, Any] = {"epochs": 2, "patience": 2, "shards": 3, "seed": 1, "engine": "fast"}
PIPELINE: Mapping[str, Any] = {
    "data": {"source": "fashion-mnist"},
    "baselines": {"images": 60000, "components": 784, "features": ["PCA", "pixels", "untrained"]},
    "model": MODEL,
    "train": TRAIN,
    "probes": {"labels_per_class": [2, 5], "seeds": [1, 2], "regularisation": [0.1, 1.0], "neighbours": 3},
    "embedding": {"images": 36, "neighbours": 3, "perplexity": 5.0, "seed": 1},
}
CUSTOM: Mapping[str, Any] = {
    "split": {"train": 0.5, "validation": 0.1, "threshold": 0.2, "test": 0.2, "seed": 1},
    "baselines": {},
    "train": TRAIN,
    "probes": {"labels_per_class": [], "seeds": [1], "regularisation": [0.1, 1.0], "neighbours": 3},
    "embedding": {"images": 16, "neighbours": 3, "perplexity": 5.0},
}
# Large images in colour, of classes, in tiles; and small grey ones with the masks of their defects.
CUSTOM_PROJECTS: Mapping[str, Mapping[str, Any]] = {
    "classes": {
        **CUSTOM,
        "data": {"source": "images", "window": [5, 245], "tiles": {"size": 12, "stride": 7}},
        "model": MODEL,
        "anomaly": {"score": "local", "smoothing": None, "false_alarms": 0.3},
    },
    "masks": {
        **CUSTOM,
        "data": {"source": "images", "size": [14, 18], "channels": 1},
        "model": {**MODEL, "name": "residual"},
        "anomaly": {"score": "sum", "smoothing": 1.5, "false_alarms": 0.2},
    },
}
Stage = Callable[[Project, Any], Results]


def call_stage(stage: Stage, project: Project, settings: Mapping[str, Any]) -> Results:
    """Call a stage as the runner does, with those sections of the settings that it reads."""
    # Keras numbers the layers of a process, and each stage has a process of its own.
    keras.utils.clear_session(free_memory=False)
    kind = get_type_hints(stage)["settings"]
    names = {field.alias or name for name, field in kind.model_fields.items()}
    own = {name: value for name, value in settings.items() if name in names}
    return stage(project, validate(own, kind, Path("params.yaml")))


def run(stage: Stage, settings: Mapping[str, Any]) -> dict[str, bytes]:
    """Run a stage in the current folder, silently; return the files that it writes."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), TemporaryDirectory() as folder:
        shutil.rmtree(".checkpoints", ignore_errors=True)
        for path, content in call_stage(stage, Project(), settings).items():
            write_result(Path(folder) / path, content)
        written = files_of(Path(folder))
    for path, content in written.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)
    return written


def run_pipeline() -> dict[str, dict[str, bytes]]:
    """Run the stages of the main pipeline on images of 12 × 20 pixels."""
    for place, (name, count) in enumerate((("train", 128), ("validation", 19), ("test", 40))):
        images = (255 * examples.images(count, 12, 20, seed=place)).round().astype(np.uint8).squeeze(-1)
        folder = Path("data/prepared")
        write_result(folder / f"{name}_images.npy", prepared.normalise(images))
        write_result(folder / f"{name}_labels.npy", examples.labels(count))
    write_result(folder / prepared.CLASS_NAMES, list(examples.CLASS_NAMES))
    made = {}
    for network in ("convolutional", "residual", "variational"):
        made[f"train_{network}"] = run(train.train, {**PIPELINE, "model": {**MODEL, "name": network}})
    made["train_self_supervised"] = run(train.train, {**PIPELINE, "model": SELF_SUPERVISED})
    made["baselines"] = run(baselines.baselines, PIPELINE)
    write_trained(examples.network(12, 20))
    return made | {"evaluate": run(evaluate.evaluate, PIPELINE), "probe": run(probe.probe, PIPELINE)}


def run_custom(kind: str) -> dict[str, dict[str, bytes]]:
    """Run all stages of a project of other images."""
    settings = CUSTOM_PROJECTS[kind]
    {"classes": draw_classes, "masks": draw_masks}[kind](Path("images"))
    made = {"prepare": run(prepare.prepare, settings), "baselines": run(baselines.baselines, settings)}
    made["train_custom"] = run(train.train, settings)
    write_trained(examples.network(*prepared.read_images(Path("data/prepared"), "train").shape[1:]))
    return made | {
        "evaluate": run(evaluate.evaluate, settings),
        "probe": run(probe.probe, settings),
        "detect": run(detect.detect, settings),
    }


def write_trained(network: Autoencoder) -> None:
    """Write a network and a history that no training made: later stages do not depend on training."""
    write_result(Path("models/autoencoder.keras"), network.network)
    write_result(Path("plots/history.csv"), examples.history())


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


PROJECTS: Mapping[str, Callable[[], dict[str, dict[str, bytes]]]] = {
    "pipeline": run_pipeline,
    **{kind: partial(run_custom, kind=kind) for kind in CUSTOM_PROJECTS},
}


@cache
def compute_results(kind: str) -> dict[str, dict[str, bytes]]:
    """Run every stage of a project: what each wrote, figures apart."""
    made: dict[str, dict[str, bytes]] = {}
    with TemporaryDirectory() as folder, chdir(folder):
        for name, files in PROJECTS[kind]().items():
            for path, content in files.items():
                is_figure = path.startswith("plots/") and path.endswith(".png")
                made.setdefault(f"{name}_figures" if is_figure else name, {})[path] = content
    return made


# Their numbers say little of so few images, such as a share of right answers: computed by themselves, too.
MEASURES = {
    "detect": ("aupro", "scores", "threshold"),
    "probe": ("embedding", "knn_probe", "linear_probe"),
}


def compute_result(name: str) -> list[Any]:
    """Return what a stage wrote in every project that has it, and what some of its measures compute."""
    files = {kind: results[name] for kind in PROJECTS if name in (results := compute_results(kind))}
    return [files, *(measures.CASES[measure]() for measure in MEASURES.get(name, ()))]


def describe_defaults() -> list[Any]:
    """Return the default values of all settings that params.yaml can leave out.

    The networks are listed here, so that a further one leaves this digest as it is.
    """
    networks = (convolutional.Settings, residual.Settings, variational.Settings)
    kinds = (*networks, train.Train, baselines.Baselines, probes.Settings, embeddings.Settings)
    # Which score is computed, and how, is a part of what `detect` computes.
    anomaly = Anomaly().model_dump(mode="json", include={"smoothing", "false_alarms"})
    return [*(kind().model_dump(mode="json") for kind in kinds), anomaly]


def write_results() -> Any:
    """Write a table, numbers, arrays and a network; read the table, and prepared images, back."""

    def write(folder: Path) -> Any:
        table = pd.DataFrame({"name": ["a", "b, c"], "value": [1 / 3, float("nan")], "count": [1, 2]})
        write_result(folder / "table.csv", table)
        write_result(folder / "numbers.json", {"b": 1 / 3, "a": [1, None]})
        write_result(folder / "network.keras", examples.network(8, 12).network)
        write_result(folder / "train_images.npy", prepared.normalise(GREY))
        write_result(folder / "train_labels.npy", examples.labels(len(GREY)))
        write_result(folder / prepared.CLASS_NAMES, list(examples.CLASS_NAMES))
        images, labels = prepared.read_images(folder, "train"), prepared.read_labels(folder, "train")
        read = [files.read_csv(folder / "table.csv"), np.array(images), np.array(labels)]
        return [files_of(folder), *read, prepared.read_class_names(folder)]

    return in_folder(write)


def compute_common() -> list[Any]:
    """Return what every stage uses: default values, writers of results, readers of prepared images."""
    return [describe_defaults(), write_results()]


def train_self_supervised() -> list[Any]:
    """Return what the stage train wrote for the self-supervised network, and the network's default values."""
    return [compute_result("train_self_supervised"), self_supervised.Settings().model_dump(mode="json")]


KEYS = (
    "prepare",
    "baselines",
    "train_convolutional",
    "train_residual",
    "train_variational",
    "train_custom",
    "evaluate",
    "evaluate_figures",
    "probe",
    "probe_figures",
    "detect",
    "detect_figures",
)
CASES: Cases = {name: partial(compute_result, name) for name in KEYS} | {
    "common": compute_common,
    "train_self_supervised": train_self_supervised,
}
