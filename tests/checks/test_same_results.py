"""Outputs of two clones are compared byte for byte, with files and names that were renamed."""

import json
from pathlib import Path

import pytest
import yaml

from checks import same_results


def test_values_are_replaced_where_the_key_exists() -> None:
    params = {"train": {"epochs": 50, "seed": 1}, "sizes": [8, 16]}
    small = {"train": {"epochs": 2, "patience": 1}, "sizes": [8], "other": {"images": 3}}
    assert same_results.shrink(params, small) == {"train": {"epochs": 2, "seed": 1}, "sizes": [8]}


def write_project(clone: Path, files: dict[str, bytes]) -> None:
    (clone / "study/models").mkdir(parents=True)
    for name, content in files.items():
        (clone / "study" / name).write_bytes(content)
    outputs = [{"path": "models"}, *({"path": name} for name in files if "/" not in name)]
    (clone / "study/dvc.lock").write_text(yaml.safe_dump({"stages": {"train": {"outs": outputs}}}))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("models/a.keras", b"weights", "study train: 3 files, none different"),
        (
            "models/a.keras",
            b"Weights",
            "study train: 3 files, 1 different\n  study/models/a.keras: other bytes",
        ),
        (
            "models/b.keras",
            b"more",
            "study train: 3 files, none different\nstudy: only in HEAD: study/models/b.keras",
        ),
        (
            "new.csv",
            b"name,score\npca,1.5\n",
            "study train: 3 files, 1 different\n  study/old.csv: other values",
        ),
    ],
    ids=["same", "other bytes", "new file", "other value"],
)
def test_every_file_that_differs_is_named(
    name: str,
    content: bytes,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(same_results, "FILES", {"study/old.csv": "study/new.csv"})
    monkeypatch.setattr(same_results, "NAMES", {"wrong": "score", "zeta": "alpha"})
    metrics = [json.dumps({"middle": 1, key: 2}, sort_keys=True).encode() for key in ("zeta", "alpha")]
    write_project(
        tmp_path / "old",
        {"models/a.keras": b"weights", "old.csv": b"name,wrong\npca,1.2\n", "metrics.json": metrics[0]},
    )
    new = {"models/a.keras": b"weights", "new.csv": b"name,score\npca,1.2\n", "metrics.json": metrics[1]}
    write_project(tmp_path / "new", new | {name: content})
    assert same_results.compare(tmp_path / "old", tmp_path / "new", "study") == (
        "1 different" not in expected
    )
    assert capsys.readouterr().out.strip() == expected
