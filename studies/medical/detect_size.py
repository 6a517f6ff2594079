"""See how well lesions are found by a network with another size of the code."""

import json
import shutil
import tempfile
from pathlib import Path

from stages.inputs import Inputs

from cae.core import files
from stages import MODELS
from studies import read_argument
from studies.medical import STUDY, sizes


def main() -> None:
    """Read trained/SIZE.keras and .json, and the study's data; write sizes/SIZE.json."""
    inputs = Inputs.read("detect_size", STUDY)
    size = read_argument("size", int)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / MODELS).mkdir()
        shutil.copyfile(STUDY / f"trained/{size}.keras", folder / MODELS / "autoencoder.keras")
        sizes.run("detect", folder, size, inputs)
        found = json.loads((folder / "metrics/detect.json").read_text())
    inputs.check()
    trained = json.loads((STUDY / f"trained/{size}.json").read_text())
    files.write_json(STUDY / f"sizes/{size}.json", trained | found)
