"""How textures are cut, and how defects are drawn."""

from collections import Counter
from typing import Annotated, Self

from pydantic import Field, model_validator

from cae.core.config import Increasing, Section, Seed
from studies.drawing import Range
from studies.industrial.textures import SIDE, Texture

Pixels = Annotated[float, Field(gt=0, le=64)]
Levels = Annotated[float, Field(gt=0, le=255)]
Share = Annotated[float, Field(gt=0, le=1)]
Bands = Increasing[Annotated[int, Field(ge=0)]]


class SplitBands(Section):
    """The bands of the normal texture that each split is cut from."""

    train: Bands
    validation: Bands
    threshold: Bands
    test: Bands

    @model_validator(mode="after")
    def check_bands(self) -> Self:
        """Refuse a band of two splits: the network would be tested on pixels that it was trained on."""
        counts = Counter(band for _, bands in self for band in bands)
        if shared := sorted(band for band, count in counts.items() if count > 1):
            raise ValueError(f"two splits have the bands {shared}: leave each in one of them")
        return self


class Scratch(Section):
    """A straight line."""

    length: Range[Pixels]
    width: Range[Pixels]
    contrast: Range[Levels]


class Stain(Section):
    """A blob with soft edges."""

    radius: Range[Pixels]
    contrast: Range[Levels]


class Hole(Section):
    """A dark ellipse."""

    radius: Range[Pixels]
    darkness: Range[Share]


class Drawing(Section):
    """How textures are cut, and which defects are drawn onto tiles of the normal one."""

    normal: Texture
    size: Annotated[int, Field(ge=16, le=64)]
    stride: Annotated[int, Field(ge=1, le=64)]
    bands: SplitBands
    seed: Seed
    marked: Annotated[int, Field(ge=0, le=254)]
    scratch: Scratch
    stain: Stain
    hole: Hole

    @model_validator(mode="after")
    def check_bands(self) -> Self:
        """Refuse a band below the last whole one."""
        count = SIDE // self.size
        if beyond := sorted(band for _, bands in self.bands for band in bands if band >= count):
            raise ValueError(
                f"bands has {beyond}, but a texture has bands 0 to {count - 1} of {self.size} rows: "
                "remove them, or lower size"
            )
        return self
