"""The main pipeline once more with other parameters, in a folder of its own: the very stages DVC runs."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from cae.ground.errors import UserError
from cae.ground.params import Params
from stages import BASELINES, PREPARED, evaluate, probe, train

ALL: Sequence[ModuleType] = (train, evaluate, probe)
# What they read besides params.yaml, as links.
READ = ("dvc.yaml", ".dvcignore", "requirements.txt", "cae", "stages", str(PREPARED), str(BASELINES))


def run(folder: Path, settings: Params, stages: Sequence[ModuleType] = ALL) -> dict[str, dict[str, Any]]:
    """Train, evaluate and probe in `folder`, or some of these; return the metrics by stage.

    A run that was killed goes on after its last finished epoch if the folder is as it left it.

    Raises:
        UserError: a stage failed; it has said why.
    """
    for name in READ:
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(Path(name).resolve())
    (folder / "params.yaml").write_text(yaml.safe_dump(settings.model_dump(mode="json")))
    for stage in stages:
        done = subprocess.run([sys.executable, "-m", stage.__name__], cwd=folder, check=False)
        if done.returncode:
            raise UserError(f"{stage.__name__} failed in {folder}: see above")
    return {path.stem: json.loads(path.read_text()) for path in sorted((folder / "metrics").glob("*.json"))}


def changed(settings: Params, changes: dict[str, Any]) -> Params:
    """Return settings with some values changed, named as on DVC's command line: {"train.seed": 2}."""
    content = settings.model_dump(mode="json")
    for place, value in changes.items():
        *sections, key = place.split(".")
        section = content
        for name in sections:
            section = section[name]
        section[key] = value
    return Params.model_validate(content)
