"""studies/seeds/params.yaml as frozen, validated values."""

from pathlib import Path

from cae.ground import params, sections
from studies.seeds import STUDY

PATH = STUDY / "params.yaml"


class Study(sections.Section):
    """All of the file."""

    seeds: params.Increasing[params.Seed]


def load(path: Path = PATH) -> Study:
    """Read and validate the study's params.yaml; raises as `sections.read`."""
    return sections.read(path, Study)
