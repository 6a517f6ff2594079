"""The baselines and probe stages on a small project: what they write, and what no fit may see."""

import hashlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from cae.core import files
from cae.datasets import splits
from cae.metrics import embeddings, probes
from cae.metrics.probes import KnnProbe, LinearProbe
from stages import baselines, command, probe
from tests import default

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the two stages read: noise in four shades for images, an untrained network."""
    generator = np.random.default_rng(0)
    for name, count in (("train", 160), ("validation", 40), ("test", 40)):
        labels = (np.arange(count) % 4).astype(np.uint8)
        images = generator.random((count, 28, 28, 1), np.float32) * (labels[:, None, None, None] + 3) / 8
        files.write_array(tmp_path / f"data/prepared/{name}_images.npy", images.astype(np.float32))
        files.write_array(tmp_path / f"data/prepared/{name}_labels.npy", labels)
    splits.write_class_names(tmp_path / "data/prepared", default.CLASS_NAMES)
    files.write_model(tmp_path / "models/autoencoder.keras", default.autoencoder(1).network)
    committed = yaml.safe_load((ROOT / "params.yaml").read_text())
    committed["probes"] |= {"labels_per_class": [2, 5]}
    committed["maps"] |= {"perplexity": 5.0}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(committed))
    for name in ("dvc.yaml", ".dvcignore", "cae", "stages", "requirements.txt"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fitted_objects(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[tuple[str, str]]]:
    """Note every object that is fitted, as kind and content, and hand over the notes."""
    notes: list[tuple[str, str]] = []

    def spy(kind: Any) -> None:
        fit = kind.fit

        def noted(self: Any, *arguments: Any, **options: Any) -> Any:
            fitted = fit(self, *arguments, **options)
            notes.append((kind.__name__, hashlib.sha256(pickle.dumps(self)).hexdigest()))
            return fitted

        monkeypatch.setattr(kind, "fit", noted)

    for kind in (LinearProbe, KnnProbe, StandardScaler, PCA):
        spy(kind)

    def hand_over() -> list[tuple[str, str]]:
        # Probes run in threads: in which order they end is left open.
        handed = sorted(notes)
        notes.clear()
        return handed

    return hand_over


def results(project: Path) -> dict[str, bytes]:
    """Return every file that the two stages wrote, by its path."""
    folders = ("metrics", "plots", "data/baselines")
    paths = (path for folder in folders for path in (project / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(project)): path.read_bytes() for path in paths}


def run() -> None:
    baselines.main()
    probe.main()


def test_no_fit_sees_a_test_image_or_label(
    project: Path, fitted_objects: Callable[[], list[tuple[str, str]]]
) -> None:
    run()
    clean, written = fitted_objects(), results(project)
    images = np.load(project / "data/prepared/test_images.npy")
    labels = np.load(project / "data/prepared/test_labels.npy")
    files.write_array(project / "data/prepared/test_images.npy", 1 - np.roll(images, 3, axis=0))
    files.write_array(project / "data/prepared/test_labels.npy", ((labels + 1) % 4).astype(np.uint8))
    run()
    assert fitted_objects() == clean
    poisoned = results(project)
    assert poisoned["metrics/probe.json"] != written["metrics/probe.json"]
    assert poisoned["data/baselines/accuracies.csv"] != written["data/baselines/accuracies.csv"]
    for name in ("mean_image", "pca_mean", "pca_directions"):
        path = f"data/baselines/{name}.npy"
        assert poisoned[path] == written[path]
    # Four kinds of features, two small counts of three seeds and all labels; each map and baseline once.
    kinds = [kind for kind, _ in clean]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "LinearProbe": 28,
        "KnnProbe": 28,
        "StandardScaler": 4,
        "PCA": 2,
    }


def test_a_poisoned_training_image_is_noticed(
    project: Path, fitted_objects: Callable[[], list[tuple[str, str]]]
) -> None:
    run()
    clean = fitted_objects()
    images = np.load(project / "data/prepared/train_images.npy")
    images[0] = 1 - images[0]
    files.write_array(project / "data/prepared/train_images.npy", images)
    run()
    poisoned = fitted_objects()
    for kind in ("StandardScaler", "PCA"):
        assert not {note for note in poisoned if note[0] == kind} & set(clean)


def test_the_code_and_the_baselines_are_probed_with_the_same_numbers_of_labels(project: Path) -> None:
    run()
    compared = yaml.safe_load((project / "metrics/probe.json").read_text())
    probes_run = ["knn_2", "knn_all", "linear_2", "linear_all"]
    assert list(compared) == [*probes_run, "trustworthiness"]
    table = pd.read_csv(project / "plots/probes.csv")
    assert table["labels_per_class"].tolist() == ["2", "5", "all"]
    features = [name for name in map(str, table) if name.startswith("knn") and not name.endswith(" sd")]
    assert features == ["knn code", "knn PCA", "knn pixels", "knn untrained"]


def test_stopping_the_stage_does_not_wait_for_the_maps(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped, ended = threading.Event(), threading.Event()

    def by_tsne(*_: object) -> None:
        stopped.wait(timeout=30)
        ended.set()

    def stop(*_: object, **__: object) -> None:
        raise command.Stopped(signal.SIGINT)

    baselines.main()
    monkeypatch.setattr(embeddings, "by_tsne", by_tsne)
    monkeypatch.setattr(probes, "transfer", stop)
    with pytest.raises(command.Stopped):
        probe.main()
    assert not ended.is_set()
    stopped.set()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux can pin a process")
@pytest.mark.slow
def test_the_stages_write_the_same_bytes_on_one_core_and_on_all_under_any_thread_setting(
    project: Path,
) -> None:
    program = (
        "import os, sys; sys.path.insert(0, sys.argv[2])\n"
        "os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:int(sys.argv[1])]))\n"
        "from stages import baselines, probe; baselines.main(); probe.main()"
    )

    def made(cores: str, threads: str) -> dict[str, bytes]:
        subprocess.run(
            [sys.executable, "-c", program, cores, str(ROOT)],
            env=os.environ | {"OMP_NUM_THREADS": threads},
            check=True,
            capture_output=True,
        )
        return results(project)

    one = made("1", "1")
    assert len(one) == 14
    assert made("1024", "2") == one
