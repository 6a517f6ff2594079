"""Which tiles are cut from the scan, and which lesions are drawn."""

from itertools import combinations
from typing import Annotated, Self

from pydantic import Field, model_validator

from cae.core.config import Section, Seed
from studies.drawing import Range

PARAMS = "studies/medical/params.yaml"
Positions = Range[Annotated[int, Field(ge=0, le=4095)]]
"""The first and the last of some slices, rows or columns."""
Slabs = Annotated[tuple[Positions, ...], Field(strict=False, min_length=1)]


class Brain(Section):
    """Which voxels are brain."""

    tissue: Range[float]
    smoothing: Annotated[float, Field(ge=0, le=10)]
    margin: Annotated[float, Field(ge=0, le=50)]


class SplitSlabs(Section):
    """The slices of each split."""

    train: Slabs
    validation: Slabs
    threshold: Slabs
    test: Slabs


class Box(Section):
    """Where no tile is cut."""

    slices: Positions
    rows: Positions
    columns: Positions


class Lesions(Section):
    """The appearance of lesions."""

    changes: Annotated[tuple[Range[float], ...], Field(strict=False, min_length=1)]
    radii: Range[float]
    softness: Annotated[float, Field(gt=0, le=1)]
    visible: Annotated[float, Field(ge=1, le=1000)]

    @model_validator(mode="after")
    def check_visibility(self) -> Self:
        """Refuse a change that no mask would show, and a radius of 0."""
        # Changes are rounded to whole HU.
        least = min(min(map(abs, ends)) if ends[0] * ends[1] > 0 else 0 for ends in self.changes)
        if least < self.visible + 1:
            raise ValueError(
                f"changes may be as small as {least:g} HU, and a mask has the pixels that changed by more "
                f"than {self.visible:g} HU (visible), so it would be empty: let both ends of each range be "
                f"at least {self.visible + 1:g}, or both at most {-self.visible - 1:g}"
            )
        if self.radii[0] <= 0:
            raise ValueError(f"radii begins at {self.radii[0]:g} mm, but must begin above 0")
        return self


class Drawing(Section):
    """Which images are made."""

    seed: Seed
    brain: Brain
    slabs: SplitSlabs
    gap: Annotated[int, Field(ge=1, le=100)]
    side: Annotated[int, Field(ge=12, le=252)]
    # The rest of a tile is then smaller than its middle half, where lesions have their centres.
    share: Annotated[float, Field(ge=0.8, le=1)]
    stride: Annotated[int, Field(ge=1, le=252)]
    excluded: Box
    lesions: Lesions

    @model_validator(mode="after")
    def check_side(self) -> Self:
        """Refuse a side that the convolutional network does not give back unchanged."""
        if self.side % 8 != 4:
            lower = self.side - (self.side - 4) % 8
            raise ValueError(
                f"side {self.side} must be 4 more than a multiple of 8, such as {lower} or {lower + 8}"
            )
        return self

    @model_validator(mode="after")
    def check_slabs(self) -> Self:
        """Refuse slabs that share slices, and slabs of two splits that are too close."""
        slabs = sorted((slab, split) for split, own in self.slabs for slab in own)
        for (first, split), (second, other) in combinations(slabs, 2):
            between = second[0] - first[1] - 1
            if between < (0 if split == other else self.gap):
                raise ValueError(
                    f"slabs has {list(first)} of {split} and {list(second)} of {other}, with "
                    f"{max(between, 0)} slices between them: slabs of two splits need {self.gap} (gap), and "
                    "those of one split must not overlap"
                )
        return self
