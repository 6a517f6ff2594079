"""A stage depends on what dvc.yaml declares, and a change while it runs is noticed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from cae.core.errors import UserError
from stages.runner.inputs import Inputs

STUDY = Path("studies/rate")
FILES = ("cae/__init__.py", "cae/engine/steps.py", "data/prepared/train_images.npy", "requirements.txt")
PARAMS: Mapping[str, Any] = {"train": {"epochs": 2, "seed": 1}, "data": {"source": "images"}}
STAGES: Mapping[str, Any] = {
    "train": {
        "cmd": "python -m stages train",
        "deps": ["cae/engine", "cae/__init__.py", "data/prepared/train_images.npy", "requirements.txt"],
        "params": ["train"],
        "outs": ["models"],
        "metrics": [{"train.json": {"cache": False}}],
    },
    "prepare": {"cmd": "python -m stages prepare", "deps": ["${data.source}"], "params": ["data"]},
}
MEASURE: Mapping[str, Any] = {
    "matrix": {"size": [8, 16], "seed": [1]},
    "cmd": "cd ../.. && exec python -m studies rate measure ${item.size} ${item.seed}",
    "deps": ["../../cae/__init__.py", "models/${item.size}.keras"],
    "params": ["codes", {"../../params.yaml": ["train.epochs"]}],
    "outs": ["tables/${item.size}-${item.seed}.csv"],
}


def write_yaml(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))


def write_params(**changes: object) -> None:
    write_yaml(Path("params.yaml"), {**PARAMS, **changes})


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The main pipeline and a study, in small."""
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    Path(".dvcignore").write_text("__pycache__\n*~\n")
    write_yaml(Path("dvc.yaml"), {"stages": STAGES})
    write_params()
    write_yaml(STUDY / "dvc.yaml", {"stages": {"measure": MEASURE}})
    write_yaml(STUDY / "params.yaml", {"codes": {"least": 8}})


def test_inputs_are_the_declared_files_and_those_in_declared_folders() -> None:
    inputs = Inputs.read("train")
    assert tuple(inputs.files) == FILES
    assert inputs.parameters == {"params.yaml:train": PARAMS["train"]}
    assert inputs.settings == {"train": PARAMS["train"]}
    assert inputs.outputs == ["models", "train.json"]


def test_names_in_braces_are_values_of_params_yaml_and_of_the_matrix() -> None:
    assert Inputs.read("prepare").dependencies == ["images"]
    inputs = Inputs.read("measure", STUDY, ["8", "1"])
    assert inputs.dependencies == ["../../cae/__init__.py", "models/8.keras"]
    assert inputs.outputs == ["tables/8-1.csv"]


def test_files_and_parameters_of_a_study_are_named_from_the_top_folder() -> None:
    inputs = Inputs.read("measure", STUDY, ["8", "1"])
    assert set(inputs.files) == {"cae/__init__.py", "studies/rate/models/8.keras"}
    assert inputs.parameters == {
        "studies/rate/params.yaml:codes": {"least": 8},
        "params.yaml:train.epochs": 2,
    }
    assert inputs.settings == {"codes": {"least": 8}, "train": {"epochs": 2}}


def edit(name: str) -> Callable[[], object]:
    def change() -> None:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("edited")

    return change


CHANGES: Mapping[str, Callable[[], object]] = {
    "cae/engine/steps.py": edit("cae/engine/steps.py"),
    "cae/engine/new.py": edit("cae/engine/new.py"),
    "cae/__init__.py": lambda: Path("cae/__init__.py").unlink(),
    "data/prepared/train_images.npy": edit("data/prepared/train_images.npy"),
    "params.yaml:train": lambda: write_params(train={"epochs": 3}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_while_a_stage_runs_is_named_and_gives_the_run_another_fingerprint(name: str) -> None:
    inputs = Inputs.read("train")
    CHANGES[name]()
    with pytest.raises(UserError, match=f"^{name} changed while the stage train ran, so its results"):
        inputs.check()
    assert Inputs.read("train").fingerprint != inputs.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        edit("cae/engine/steps.py~"),
        edit("cae/engine/__pycache__/steps.pyc"),
        edit("cae/other.py"),
        lambda: write_params(data={"source": "others"}),
    ],
    ids=["backup", "bytecode", "another folder", "another section"],
)
def test_undeclared_files_and_sections_change_no_fingerprint(change: Callable[[], object]) -> None:
    inputs = Inputs.read("train")
    change()
    inputs.check()
    assert Inputs.read("train").fingerprint == inputs.fingerprint


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("studies/rate/data/prepared/train_images.npy", "images"),
        ("data/prepared/train_images.npy", "images"),
        ("cae/engine/steps.py", "other files"),
        ("studies/rate/params.yaml:epochs", "values in params.yaml"),
        ("behaviour/training.json:residual", "digests of the code"),
    ],
)
def test_workers_compare_images_values_and_code_one_by_one(name: str, kind: str) -> None:
    files = dict.fromkeys(
        ("studies/rate/data/prepared/train_images.npy", "data/prepared/train_images.npy"), "1"
    )
    files["cae/engine/steps.py"] = "1"
    parameters = dict.fromkeys(("studies/rate/params.yaml:epochs", "behaviour/training.json:residual"), "1")

    def describe_parts(changes: dict[str, str]) -> dict[str, str]:
        now, values = ({key: changes.get(key, one[key]) for key in one} for one in (files, parameters))
        return Inputs("train", Path("studies/rate"), (), (), (), now, values, {}).parts

    before, after = describe_parts({}), describe_parts({name: "2"})
    assert [part for part in after if after[part] != before[part]] == [kind]


def test_a_project_without_the_stage_is_named() -> None:
    with pytest.raises(UserError, match=r"dvc\.yaml has no stage evaluate"):
        Inputs.read("evaluate")
    with pytest.raises(UserError, match=r"elsewhere/dvc\.yaml cannot be read"):
        Inputs.read("train", Path("elsewhere"))


@pytest.mark.parametrize("content", ["", "- a list", "train: {"])
def test_a_params_yaml_that_breaks_while_a_stage_runs_is_named(content: str) -> None:
    inputs = Inputs.read("train")
    Path("params.yaml").write_text(content)
    with pytest.raises(UserError, match=r"^params\.yaml (is not a mapping|cannot be read)"):
        inputs.check()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"trian": {}}, "has the section trian, which no stage of dvc.yaml uses: .* one of data, train"),
        ({"prepare": {}}, "has the section prepare, which is now split, with data.source: fashion-mnist"),
        ({"maps": {}}, "has the section maps, which is now embedding: see CHANGELOG.md"),
    ],
)
def test_a_section_that_no_stage_uses_is_named_and_an_old_name_with_the_new_one(
    section: dict[str, object], message: str
) -> None:
    write_params(**section)
    with pytest.raises(UserError, match=message):
        Inputs.read("train")


def test_an_old_key_is_named_with_the_new_one() -> None:
    write_yaml(Path("dvc.yaml"), {"stages": {"detect": {"cmd": "detect", "params": ["anomaly"]}}})
    write_yaml(Path("params.yaml"), {"anomaly": {"spot": 2.0}})
    with pytest.raises(UserError, match=r"has the key anomaly\.spot, which is now anomaly\.smoothing"):
        Inputs.read("detect")
