"""Train the study's network with another size of the code."""

import shutil
from pathlib import Path

from stages.inputs import Inputs

from cae.core import files
from stages import MODELS
from studies import read_argument
from studies.medical import STUDY, sizes


def main() -> None:
    """Read data/prepared; write trained/SIZE.keras and trained/SIZE.json, its best epoch."""
    inputs = Inputs.read("train_size", STUDY)
    size = read_argument("size", int)
    # Kept until the network is trained: killed, it goes on after its last finished epoch.
    folder = Path(f".checkpoints/medical/{size}")
    sizes.run("train", folder, size, inputs)
    inputs.check()
    for made, kept in (
        (MODELS / "autoencoder.keras", f"trained/{size}.keras"),
        (Path("metrics/train.json"), f"trained/{size}.json"),
    ):
        files.write_bytes(STUDY / kept, (folder / made).read_bytes())
    shutil.rmtree(folder)
