"""Digests cannot be stale in silence: a stage that depends on some compares their record with the sources."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import behaviour
from behaviour import __main__ as command
from cae.core.errors import UserError
from stages.runner.inputs import Inputs
from tests import ROOT

STUDY = Path("studies/anomaly")
CODE = [
    "behaviour/measures.py",
    "cae/engine/native/lanes.h",
    "cae/metrics/quality.py",
    "stages/train.py",
]
OTHERS = ["custom/images/notes.py", "requirements.txt", "stages/runner/inputs.py"]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few sources, digests of what they compute, and a study with a stage that depends on two of these."""
    monkeypatch.chdir(tmp_path)
    for name in (*CODE, *OTHERS, "studies/anomaly/report.py"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    report = {
        "cmd": "python -m studies anomaly report",
        "deps": ["report.py"],
        "params": ["anomaly", {"../../behaviour/measures.json": ["ssim", "mse"]}],
    }
    alone = {"cmd": "python -m studies anomaly alone", "deps": ["report.py"], "params": ["anomaly"]}
    stages = {"report": report, "alone": alone}
    (STUDY / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (STUDY / "params.yaml").write_text("anomaly: 1")
    record(ssim="5d0f", mse="1a2b", mae="77ee")


def record(**digests: str) -> None:
    """Write digests as they are computed from the sources that are there."""
    content = {"sources": behaviour.hash_sources(), **digests}
    Path("behaviour/measures.json").write_text(json.dumps(content))


def test_a_stage_reads_the_digests_that_it_declares_as_parameters() -> None:
    assert Inputs.read("report", STUDY).parameters == {
        "studies/anomaly/params.yaml:anomaly": 1,
        "behaviour/measures.json:ssim": "5d0f",
        "behaviour/measures.json:mse": "1a2b",
    }


@pytest.mark.parametrize("name", [*CODE, "requirements.txt", "stages/runner/inputs.py"])
def test_a_stage_whose_digests_may_be_stale_names_what_changed_and_the_command(name: str) -> None:
    Path(name).write_text("edited")
    with pytest.raises(UserError) as raised:
        Inputs.read("report", STUDY)
    (pattern,) = (pattern for pattern in behaviour.SOURCES if name in map(str, Path().glob(pattern)))
    assert str(raised.value).startswith(
        f"{pattern} changed, so behaviour/measures.json may no longer describe"
    )
    assert "in the top folder: cd behaviour && dvc repro" in str(raised.value)


def test_a_source_that_comes_or_goes_is_a_change() -> None:
    Path("cae/metrics/new.py").touch()
    with pytest.raises(UserError, match=r"^cae/\*\*/\*\.py changed"):
        Inputs.read("report", STUDY)
    Path("cae/metrics/new.py").unlink()
    Inputs.read("report", STUDY)
    Path("stages/train.py").unlink()
    with pytest.raises(UserError, match=r"^stages/\*\*/\*\.py changed"):
        Inputs.read("report", STUDY)


def test_a_source_that_changes_while_a_stage_runs_is_noticed_at_its_end() -> None:
    inputs = Inputs.read("report", STUDY)
    Path(CODE[0]).write_text("edited")
    with pytest.raises(UserError, match="nothing was written"):
        inputs.check()


def test_digests_that_were_brought_up_to_date_with_the_same_values_are_no_change() -> None:
    inputs = Inputs.read("report", STUDY)
    Path(CODE[0]).write_text("a comment")
    record(ssim="5d0f", mse="1a2b", mae="another")
    inputs.check()
    assert Inputs.read("report", STUDY).fingerprint == inputs.fingerprint


def test_another_digest_is_a_change_that_is_named() -> None:
    inputs = Inputs.read("report", STUDY)
    record(ssim="another", mse="1a2b")
    with pytest.raises(UserError, match=r"^behaviour/measures\.json:ssim changed while the stage report ran"):
        inputs.check()


@pytest.mark.parametrize("content", [None, "{}", '{"ssim": "5d0f", "mse": "1a2b"}'])
def test_digests_without_a_record_are_as_bad_as_stale_ones(content: str | None) -> None:
    Path("behaviour/measures.json").unlink()
    if content is not None:
        Path("behaviour/measures.json").write_text(content)
    with pytest.raises(UserError, match=r"^behaviour/measures\.json is missing or incomplete.*cd behaviour"):
        Inputs.read("report", STUDY)


@pytest.mark.parametrize(
    "name",
    ["cae/__pycache__/x.pyc", "cae/engine/steps.py~", "custom/images/notes.py", "behaviour/measures.json"],
)
def test_what_is_no_source_may_change(name: str) -> None:
    before = behaviour.hash_sources()
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text("edited")
    assert behaviour.hash_sources() == before


def test_a_stage_that_depends_on_no_digest_does_not_ask_for_them() -> None:
    Path(CODE[0]).write_text("edited")
    Inputs.read("alone", STUDY)


def test_sources_that_change_while_digests_are_computed_leave_the_old_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from behaviour import measures

    monkeypatch.setattr(measures, "CASES", {"ssim": lambda: Path(CODE[0]).write_text("edited")})
    before = Path("behaviour/measures.json").read_bytes()
    with pytest.raises(UserError, match="changed while their digests were computed: run again"):
        command.write("measures")
    assert Path("behaviour/measures.json").read_bytes() == before


def test_naming_the_sources_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'pandas', 'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)"
    listing = f"import sys; from behaviour import __main__; __main__.main('sources'); print({heavy})"
    done = subprocess.run(
        [sys.executable, "-c", listing],
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"
    assert json.loads(Path("behaviour/sources.json").read_text()) == behaviour.hash_sources()
