"""Where the files of a project are."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cae.core.errors import UserError
from stages.runner.inputs import Inputs, is_within, resolve

if TYPE_CHECKING:
    from cae.engine.checkpoints import Checkpoint

# Folders of a project that the stages prepare and baselines write, and later stages read.
PREPARED, BASELINES = "data/prepared", "data/baselines"
Results = dict[str, Any]
"""Path from the project's folder → content; `runner.write_result` says which kinds of content there are."""


@dataclass(frozen=True)
class Project:
    """A folder with data, models, metrics and plots, as one stage sees it."""

    folder: Path = Path()
    # What dvc.yaml declares for the stage; None where a test or a notebook calls it.
    inputs: Inputs | None = None
    # Path of an input in the main pipeline → its path in this project, for a study that calls those stages.
    aliases: Mapping[str, str] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Return the place of an input, written as in dvc.yaml; UserError unless the stage declares it."""
        name = self.aliases.get(name, name)
        if self.inputs is not None and not is_within(name, self.inputs.dependencies):
            raise UserError(
                f"{self.folder / 'dvc.yaml'} does not declare that the stage {self.inputs.stage} depends on "
                f"{name}: add `- {name}` to its deps, so that DVC runs it again when that changes"
            )
        return resolve(self.folder, name)

    @property
    def fingerprint(self) -> str:
        """One name for everything that the stage depends on: a killed run resumes only if it is the same.

        Without dvc.yaml nobody knows what that is: every run has a name of its own, and starts anew.
        """
        return self.inputs.fingerprint if self.inputs else secrets.token_hex(8)

    def checkpoint(self, network: str = "") -> "Checkpoint":
        """Return the checkpoint of a training run; `network` tells apart those of one stage."""
        from cae.engine.checkpoints import Checkpoint  # loads TensorFlow

        return Checkpoint(self.checkpoints, self.fingerprint, network)

    @property
    def checkpoints(self) -> Path:
        """The folder of the stage's checkpoints; the runner removes it when the results are written."""
        stage = "-".join([self.inputs.stage, *self.inputs.arguments]) if self.inputs else "stage"
        return self.folder / ".checkpoints" / stage
