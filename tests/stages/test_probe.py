"""Baselines and probes: what is fitted never sees the test, and what they do without classes."""

import hashlib
import json
import pickle
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from cae.core import files
from cae.core.errors import UserError
from cae.metrics import embeddings, probes
from cae.metrics.probes import KnnProbe, LinearProbe
from stages import baselines, prepare, probe, runner
from tests.stages.conftest import draw, run, save, save_images, write_labelled, write_trained

FEW: Mapping[str, Mapping[str, Any]] = {
    "data": {"source": "fashion-mnist"},
    "baselines": {"components": 20, "features": ["PCA", "pixels", "untrained"]},
    "probes": {"labels_per_class": [2, 5], "seeds": [1, 2]},
}


class Outcome(NamedTuple):
    """What both stages fitted, as kind and digest of the content, and the files that they wrote."""

    fitted: list[tuple[str, str]]
    written: dict[str, bytes]


def run_both(folder: Path) -> Outcome:
    """Run both stages, and note every object that is fitted."""
    fitted: list[tuple[str, str]] = []
    with pytest.MonkeyPatch.context() as patch:

        def spy(kind: Any) -> None:
            fit = kind.fit

            def note(self: Any, *arguments: Any, **options: Any) -> Any:
                result = fit(self, *arguments, **options)
                fitted.append((kind.__name__, hashlib.sha256(pickle.dumps(self)).hexdigest()))
                return result

            patch.setattr(kind, "fit", note)

        for kind in (LinearProbe, KnnProbe, StandardScaler, PCA):
            spy(kind)
        paths = [*run(baselines.baselines, folder, **FEW), *run(probe.probe, folder, **FEW)]
    written = {path: (folder / path).read_bytes() for path in paths if not path.endswith(".png")}
    # Probes run in threads, and may end in any order.
    return Outcome(sorted(fitted), written)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with labelled images and an untrained network."""
    folder = tmp_path_factory.mktemp("project")
    write_labelled(folder)
    write_trained(folder)
    return folder


@pytest.fixture(scope="module")
def clean(project: Path) -> Outcome:
    """The outcome of both stages in that project."""
    return run_both(project)


@pytest.fixture
def copy(project: Path, clean: Outcome, tmp_path: Path) -> Path:
    """A copy of the project after both stages, which a test may change."""
    return shutil.copytree(project, tmp_path / "copy")


def change(path: Path, edit: Callable[[np.ndarray], np.ndarray]) -> None:
    files.write_array(path, edit(np.load(path)))


def test_nothing_that_is_fitted_depends_on_a_test_image_or_label(clean: Outcome, copy: Path) -> None:
    change(copy / "data/prepared/test_images.npy", lambda images: 1 - np.roll(images, 3, axis=0))
    change(copy / "data/prepared/test_labels.npy", lambda labels: ((labels + 1) % 4).astype(np.uint8))
    poisoned = run_both(copy)
    assert poisoned.fitted == clean.fitted
    # Four kinds of features, two small numbers of labels by two seeds, and all labels; the PCA embedding
    # and that of the baselines.
    assert Counter(kind for kind, _ in clean.fitted) == {
        "LinearProbe": 20,
        "KnnProbe": 20,
        "StandardScaler": 4,
        "PCA": 2,
    }
    same = {path for path, content in clean.written.items() if poisoned.written[path] == content}
    assert same == {f"data/baselines/{name}.npy" for name in ("mean_image", "pca_mean", "pca_directions")}


def test_a_changed_training_image_changes_what_is_fitted(clean: Outcome, copy: Path) -> None:
    change(copy / "data/prepared/train_images.npy", lambda images: np.r_[1 - images[:1], images[1:]])
    changed = set(run_both(copy).fitted)
    assert not {note for note in clean.fitted if note[0] in ("StandardScaler", "PCA")} & changed


def test_code_and_baselines_are_probed_with_the_same_numbers_of_labels(clean: Outcome, project: Path) -> None:
    assert set(json.loads(clean.written["metrics/probe.json"])) == {"linear_accuracy", "knn_accuracy"}
    table = pd.read_csv(project / "plots/probes.csv")
    assert table["labels_per_class"].tolist() == ["2", "5", "all"]
    columns = [name for name in map(str, table) if name.startswith("knn") and not name.endswith(" sd")]
    assert columns == ["knn code", "knn PCA", "knn pixels", "knn untrained"]


def test_floors_are_the_entropy_of_the_images(clean: Outcome, project: Path) -> None:
    floors = pd.read_csv(project / "data/baselines/floors.csv").set_index("split")
    assert floors["images"].to_dict() == {"train": 48, "validation": 16, "test": 24}
    pixels = np.load(project / "data/prepared/test_images.npy").astype(float)
    entropy = -(pixels * np.log(pixels) + (1 - pixels) * np.log(1 - pixels)).mean()
    assert floors["floor"]["test"] == pytest.approx(entropy, abs=1e-5)


def test_a_network_with_constant_codes_is_named(copy: Path) -> None:
    write_trained(copy, grey=0.5)
    with pytest.raises(UserError, match="every test image the same code, so t-SNE cannot place them"):
        run(probe.probe, copy, **FEW)


def test_stopping_the_stage_does_not_wait_for_tsne(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped, ended = threading.Event(), threading.Event()

    def embed(*_: object) -> None:
        stopped.wait(timeout=30)
        ended.set()

    def stop(*_: object, **__: object) -> None:
        raise runner.StopSignal(signal.SIGINT)

    monkeypatch.setattr(embeddings, "embed_by_tsne", embed)
    monkeypatch.setattr(probes, "run_probes", stop)
    with pytest.raises(runner.StopSignal):
        run(probe.probe, copy, **FEW)
    assert not ended.is_set()
    stopped.set()


def test_without_classes_only_embeddings_are_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_images(tmp_path / "images", 20)
    run(prepare.prepare, tmp_path)
    assert "data/baselines/accuracies.csv" not in run(baselines.baselines, tmp_path)
    write_trained(tmp_path)
    results = run(probe.probe, tmp_path, embedding={"perplexity": 5.0})
    assert results["metrics/probe.json"] == {}
    figures = [path for path in results if path.endswith(".png")]
    assert figures == ["plots/codes/embeddings.png"]
    needed = "needs 6 test images, but there are 4: only PCA is drawn. Lower them in params.yaml"
    assert needed in capsys.readouterr().err


def test_classes_that_training_does_not_have_are_not_probed(tmp_path: Path) -> None:
    for index in range(24):
        save(tmp_path / f"images/{('good', '$bad$')[index % 3 == 0]}/{index}.png", draw((23, 23), index))
    changes: Mapping[str, Any] = {"data": {"normal": "good"}}
    run(prepare.prepare, tmp_path, **changes)
    assert "data/baselines/accuracies.csv" not in run(baselines.baselines, tmp_path, **changes)
    write_trained(tmp_path)
    results = run(probe.probe, tmp_path, **changes)
    assert results["metrics/probe.json"] == {}
    assert "plots/confusion.csv" not in results
    assert "plots/codes/embedding_of_images.png" in results
