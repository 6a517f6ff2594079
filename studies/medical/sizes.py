"""The study once more with another size of the code, in a folder of its own."""

import subprocess
import sys
from pathlib import Path

from own import settings as own_settings
from stages.inputs import Inputs

from cae.core.errors import UserError
from studies import pipeline
from studies.medical import STUDY


def run(stage: str, folder: Path, size: int, inputs: Inputs) -> None:
    """Run a stage of own pictures on the study's data, with its parameters but for the size of the code.

    Raises:
        UserError: it failed, and has said why.
    """
    whole = own_settings.load(STUDY)
    residual = whole.model.residual.model_copy(update={"code_size": size})
    model = whole.model.model_copy(update={"residual": residual})
    pipeline.set_up(folder, whole.model_copy(update={"model": model}), inputs, [stage])
    for data in ("data/prepared", "data/pictures"):
        pipeline.link(folder / data, STUDY / data)
    done = subprocess.run([sys.executable, "-m", "own", stage, str(folder)], check=False)
    if done.returncode:
        raise UserError(f"own {stage} failed in {folder}: see above")
