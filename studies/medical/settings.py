"""studies/medical/params.yaml as frozen, validated values, as far as pictures are drawn."""

from itertools import combinations
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from cae.core import config
from studies.medical import STUDY

PATH = STUDY / "params.yaml"


def in_order(ends: tuple[float, float]) -> tuple[float, float]:
    """Refuse a range whose end lies before its start."""
    if ends[1] < ends[0]:
        raise ValueError(f"{list(ends)} must not fall: the lower end comes first")
    return ends


Range = Annotated[tuple[float, float], Field(strict=False), AfterValidator(in_order)]
Place = Annotated[int, Field(ge=0, le=4095)]
Places = Annotated[tuple[Place, Place], Field(strict=False), AfterValidator(in_order)]
"""The first and the last of some slices, rows or columns."""
Slabs = Annotated[tuple[Places, ...], Field(strict=False, min_length=1)]


class Brain(config.Section):
    """What counts as brain."""

    tissue: Range
    smoothing: Annotated[float, Field(ge=0, le=10)]
    margin: Annotated[float, Field(ge=0, le=50)]


class Parts(config.Section):
    """The slices that each part of the split has."""

    train: Slabs
    validation: Slabs
    threshold: Slabs
    test: Slabs


class Box(config.Section):
    """Where no piece is cut out."""

    slices: Places
    rows: Places
    columns: Places


class Lesions(config.Section):
    """How lesions look."""

    changes: Annotated[tuple[Range, ...], Field(strict=False, min_length=1)]
    radii: Range
    softness: Annotated[float, Field(gt=0, le=1)]
    visible: Annotated[float, Field(ge=1, le=1000)]

    @model_validator(mode="after")
    def each_is_visible(self) -> "Lesions":
        """Refuse a change that no mask would show, and a radius without a pixel."""
        # Changes are rounded to whole HU.
        least = min(min(map(abs, ends)) if ends[0] * ends[1] > 0 else 0 for ends in self.changes)
        if least < self.visible + 1:
            raise ValueError(
                f"changes may be as small as {least:g} HU, and a mask has what changed by more than "
                f"{self.visible:g} HU (visible), so that one would be empty: let both ends of each range be "
                f"at least {self.visible + 1:g}, or both at most {-self.visible - 1:g}"
            )
        if self.radii[0] <= 0:
            raise ValueError(f"radii begins at {self.radii[0]:g} mm, and must begin above 0")
        return self


class Drawing(config.Section):
    """All that says which pictures are made."""

    seed: config.Seed
    brain: Brain
    slabs: Parts
    gap: Annotated[int, Field(ge=1, le=100)]
    side: Annotated[int, Field(ge=12, le=252)]
    # What lies outside the brain is then less than the middle of a piece, where lesions have their centres.
    share: Annotated[float, Field(ge=0.8, le=1)]
    stride: Annotated[int, Field(ge=1, le=252)]
    excluded: Box
    lesions: Lesions

    @model_validator(mode="after")
    def side_suits_networks(self) -> "Drawing":
        """Refuse a side that the convolutional network cannot give back: it halves three times."""
        if self.side % 8 != 4:
            lower = self.side - (self.side - 4) % 8
            raise ValueError(
                f"side {self.side} must be 4 more than a multiple of 8, such as {lower} or {lower + 8}"
            )
        return self

    @model_validator(mode="after")
    def slabs_lie_apart(self) -> "Drawing":
        """Refuse slabs that share slices, or that are of two parts and too near each other."""
        slabs = sorted((slab, part) for part, own in self.slabs for slab in own)
        for (first, part), (second, other) in combinations(slabs, 2):
            between = second[0] - first[1] - 1
            if between < (0 if part == other else self.gap):
                raise ValueError(
                    f"slabs has {list(first)} of {part} and {list(second)} of {other}, with "
                    f"{max(between, 0)} slices between them: slabs of two parts need {self.gap} (gap), and "
                    "those of one part must not overlap"
                )
        return self


class Study(config.Section):
    """The section that is read here; the others are those of the stages that follow."""

    model_config = ConfigDict(extra="ignore")

    drawing: Drawing


def load(path: Path = PATH) -> Study:
    """Read and validate the study's params.yaml; raises as `config.read`."""
    return config.read(path, Study)
