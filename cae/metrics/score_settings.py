"""Settings of anomaly scores; a module of its own, because `scores` loads TensorFlow."""

from typing import Annotated, Literal

from pydantic import Field

from cae.core.config import Section, Seed

ScoreName = Literal["reconstruction", "nearest", "mahalanobis", "sum", "local", "segmentation"]


class ScoreSettings(Section):
    """What a score is fitted with."""

    # See `scores`. The default is the one that studies/score chose.
    score: ScoreName = "segmentation"
    # Nearest codes whose distances are averaged, by nearest and sum.
    neighbours: Annotated[int, Field(ge=1, le=100)] = 5
    # The size of all that is fitted, in the file of the model.
    megabytes: Annotated[float, Field(gt=0, le=1000)] = 16.0
    # Draws which training images are kept where not all are.
    seed: Seed = 1

    def count_rows(self, numbers: int) -> int:
        """Return how many rows of float32 fit."""
        return int(self.megabytes * 1e6 / (4 * numbers))
