"""Train the residual network with one code size."""

from typing import Any

from stages.inputs import Inputs

from cae.core import params
from studies import pipeline, read_argument
from studies.rate import STUDY, settings
from studies.rate.settings import Study


def main() -> None:
    """Read data/prepared; write models/SIZE.keras and histories/SIZE.csv."""
    inputs = Inputs.read("train", STUDY)
    size = read_argument("size", int)
    chosen = pipeline.changed(params.load(), changes(settings.load(), size))
    pipeline.train(STUDY, str(size), chosen, inputs)


def changes(study: Study, size: int) -> dict[str, Any]:
    """Return what differs from the root's params.yaml for codes of one size."""
    epochs = study.epochs[study.code_sizes.index(size)]
    pace = study.model_dump(include=set(params.Pace.model_fields))
    return {
        "model.name": "residual",
        "model.residual.code_size": size,
        **{f"model.residual.{name}": value for name, value in pace.items()},
        "train.shards": study.shards,
        "train.epochs": epochs,
        # One bad epoch shall not end a run whose learning rate has still to fall.
        "train.patience": epochs,
    }
