"""A difference names the digest that changed and what uses it."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from behaviour import compare, hash_sources
from cae.core.errors import UserError

PROJECTS: dict[str, dict[str, list[Any]]] = {
    "custom": {"detect": ["anomaly", {"../behaviour/measures.json": ["auroc"]}]},
    "studies/anomaly": {
        "train": [{"../../behaviour/training.json": ["residual"]}],
        "report": [{"../../behaviour/measures.json": ["auroc", "mse"]}],
    },
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A committed project with a study."""
    monkeypatch.chdir(tmp_path)
    for folder, stages in PROJECTS.items():
        Path(folder).mkdir(parents=True)
        declared = {"stages": {name: {"params": params} for name, params in stages.items()}}
        (Path(folder) / "dvc.yaml").write_text(yaml.safe_dump(declared))
    Path("behaviour").mkdir()
    write("sources", hash_sources())
    write("measures", {"sources": hash_sources(), "auroc": "1", "mse": "2", "ssim": "3"})
    for command in ("init", "add --all", "-c user.name=test -c user.email=@ commit --message all"):
        subprocess.run(["git", *command.split()], check=True, capture_output=True)


def write(name: str, content: Mapping[str, object]) -> None:
    """Write a file of digests."""
    Path(f"behaviour/{name}.json").write_text(json.dumps(content))


def test_what_changed_is_named_with_the_stages_that_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    write("measures", {"sources": hash_sources(), "auroc": "9", "ssim": "9", "psnr": "9"})
    write("training", {"sources": hash_sources(), "residual": "9"})
    compare.main()
    assert capsys.readouterr().out.splitlines() == [
        "measures auroc: changed; used by custom:detect, anomaly:report",
        "measures mse: gone; used by anomaly:report",
        "measures psnr: new; used by nothing",
        "measures ssim: changed; used by nothing",
        "training residual: new; used by anomaly:train",
    ]


def test_an_edit_that_changes_no_result_is_no_difference(capsys: pytest.CaptureFixture[str]) -> None:
    write("measures", {"sources": hash_sources(), "auroc": "1", "mse": "2", "ssim": "3"})
    compare.main()
    assert capsys.readouterr().out == "every digest is as committed\n"


def test_digests_of_other_sources_are_an_error() -> None:
    Path("cae").mkdir()
    Path("cae/new.py").write_text("")
    with pytest.raises(
        UserError, match=r"cae/\*\*/\*\.py changed, so behaviour/measures\.json may no longer"
    ):
        compare.main()
