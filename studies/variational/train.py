"""Train the main pipeline's variational network with one weight of the divergence."""

from typing import Any

from stages.inputs import Inputs

from cae.core import params
from studies import pipeline, read_argument
from studies.variational import STUDY, settings
from studies.variational.settings import Study


def main() -> None:
    """Read data/prepared; write models/BETA.keras and histories/BETA.csv."""
    inputs = Inputs.read("train", STUDY)
    beta = read_argument("beta", float)
    chosen = pipeline.changed(params.load(), changes(settings.load(), beta))
    pipeline.train(STUDY, str(beta), chosen, inputs)


def changes(study: Study, beta: float) -> dict[str, Any]:
    """Return what differs from the root's params.yaml for one weight."""
    model = study.model_dump(include=set(params.Variational.model_fields))
    return {
        "model.name": "variational",
        "model.variational.beta": beta,
        **{f"model.variational.{name}": value for name, value in model.items()},
        "train.epochs": study.epochs,
        # The bound of validation pictures is drawn, and rises slowly: the cosine is gone through to its end.
        "train.patience": study.epochs,
    }
