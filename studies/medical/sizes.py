"""Train with another size of the code, and see how well lesions are found."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from cae.ground import artifacts
from cae.ground.errors import UserError
from own import detect, train
from own import settings as own_settings
from stages.inputs import Inputs
from studies.detection import measured
from studies.medical import STUDY

# What they read besides params.yaml, as links.
READ = ("dvc.yaml", "data/prepared", "data/pictures")


def main() -> None:
    """Read the study's data and params.yaml, write studies/medical/sizes/SIZE.json."""
    inputs = Inputs.read("sizes", STUDY)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, required=True, help="numbers of a code")
    size = parser.parse_args().size
    # Kept until the run is whole: killed, it goes on after its last finished epoch.
    folder = Path(f".checkpoints/sizes/{size}")
    set_up(folder, own_settings.load(STUDY), size)
    for stage in (train, detect):
        done = subprocess.run([sys.executable, "-m", stage.__name__, str(folder)], check=False)
        if done.returncode:
            raise UserError(f"{stage.__name__} failed in {folder}: see above")

    inputs.check()
    artifacts.write_json(STUDY / f"sizes/{size}.json", measured(folder))
    shutil.rmtree(folder)


def set_up(folder: Path, whole: own_settings.Own, size: int) -> None:
    """Make a project of the study's data and parameters, but for the size of the code."""
    for name in READ:
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to((STUDY / name).resolve())
    content = whole.model_dump(mode="json")
    content["model"]["residual"]["code_size"] = size
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
