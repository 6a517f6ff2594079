"""What a stage depends on is what its dvc.yaml declares, and a change while it runs is noticed."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from stages.inputs import Inputs

from cae.core.errors import UserError

DECLARED = {
    "stages": {
        "train": {
            "cmd": "train",
            "deps": ["cae/engine", "cae/__init__.py", "data/prepared/train_images.npy", "requirements.txt"],
            "params": ["train"],
        }
    }
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of a few small files, and a study inside it."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "cae/__init__.py",
        "cae/engine/steps.py",
        "data/prepared/train_images.npy",
        "requirements.txt",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    Path(".dvcignore").write_text("__pycache__\n*~\n")
    Path("dvc.yaml").write_text(yaml.safe_dump(DECLARED))
    Path("params.yaml").write_text(yaml.safe_dump({"train": {"epochs": 2}, "probes": {"neighbours": 5}}))
    study = Path("studies/anomaly")
    study.mkdir(parents=True)
    score = {
        "deps": ["../../cae/__init__.py", "score.py"],
        "params": ["anomaly", {"../../params.yaml": ["train"]}],
    }
    (study / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"score": score}}))
    (study / "params.yaml").write_text(yaml.safe_dump({"anomaly": {"held_out": 3}}))
    (study / "score.py").touch()
    return tmp_path


def test_they_are_the_declared_files_and_those_of_declared_folders() -> None:
    inputs = Inputs.read("train")
    assert list(inputs.files) == [
        "cae/__init__.py",
        "cae/engine/steps.py",
        "data/prepared/train_images.npy",
        "requirements.txt",
    ]
    assert inputs.params == {"params.yaml:train": {"epochs": 2}}


def test_those_of_a_study_are_named_from_the_root() -> None:
    inputs = Inputs.read("score", Path("studies/anomaly"))
    assert list(inputs.files) == ["cae/__init__.py", "studies/anomaly/score.py"]
    assert inputs.params == {
        "studies/anomaly/params.yaml:anomaly": {"held_out": 3},
        "params.yaml:train": {"epochs": 2},
    }


def edit(name: str) -> Callable[[], object]:
    def change() -> None:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("edited")

    return change


def params(**train: object) -> Callable[[], object]:
    return lambda: Path("params.yaml").write_text(
        yaml.safe_dump({"train": train, "probes": {"neighbours": 7}})
    )


CHANGES = {
    "cae/engine/steps.py": edit("cae/engine/steps.py"),
    "cae/engine/new.py": edit("cae/engine/new.py"),
    "cae/__init__.py": lambda: Path("cae/__init__.py").unlink(),
    "data/prepared/train_images.npy": edit("data/prepared/train_images.npy"),
    "requirements.txt": edit("requirements.txt"),
    "params.yaml:train": params(epochs=3),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_while_a_stage_runs_is_named(name: str) -> None:
    inputs = Inputs.read("train")
    CHANGES[name]()
    with pytest.raises(UserError, match=f"^{name} changed while the stage train ran, so its results"):
        inputs.check()


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_gives_a_run_another_fingerprint(name: str) -> None:
    before = Inputs.read("train").fingerprint
    CHANGES[name]()
    assert Inputs.read("train").fingerprint != before


@pytest.mark.parametrize(
    "change",
    [
        edit("cae/engine/steps.py~"),
        edit("cae/engine/__pycache__/steps.pyc"),
        edit("cae/other.py"),
        params(epochs=2),
    ],
    ids=["backup", "bytecode", "another folder", "another section"],
)
def test_what_is_no_input_may_change(change: Callable[[], object]) -> None:
    inputs = Inputs.read("train")
    change()
    inputs.check()
    assert Inputs.read("train").fingerprint == inputs.fingerprint


def test_their_parts_tell_images_values_and_code_apart() -> None:
    before = Inputs.read("train").parts
    for name, part in (
        ("data/prepared/train_images.npy", "images in data/prepared"),
        ("params.yaml:train", "values in params.yaml"),
        ("cae/engine/steps.py", "sources (cae/, stages/, requirements.txt)"),
    ):
        CHANGES[name]()
        after = Inputs.read("train").parts
        assert [words for words in after if after[words] != before[words]] == [part]
        before = after


def test_a_project_without_the_stage_is_named() -> None:
    with pytest.raises(UserError, match=r"dvc\.yaml has no stage evaluate"):
        Inputs.read("evaluate")
    with pytest.raises(UserError, match=r"elsewhere/dvc\.yaml cannot be read"):
        Inputs.read("train", Path("elsewhere"))


@pytest.mark.parametrize("content", ["", "- a list", "train: {"])
def test_parameters_that_break_while_a_stage_runs_are_named(content: str) -> None:
    inputs = Inputs.read("train")
    Path("params.yaml").write_text(content)
    with pytest.raises(UserError, match=r"^params\.yaml (holds no mapping|cannot be read)"):
        inputs.check()


def test_a_key_may_have_dots() -> None:
    declared = {"stages": {"train": DECLARED["stages"]["train"] | {"params": ["train.epochs"]}}}
    Path("dvc.yaml").write_text(yaml.safe_dump(declared))
    inputs = Inputs.read("train")
    assert inputs.params == {"params.yaml:train.epochs": 2}
    params(epochs=3)()
    with pytest.raises(UserError, match=r"^params\.yaml:train\.epochs changed"):
        inputs.check()
