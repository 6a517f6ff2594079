"""studies/industrial/params.yaml as frozen, validated values."""

from collections import Counter
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from cae.core import config
from studies.industrial import STUDY
from studies.industrial.textures import SIDE, Texture

PATH = STUDY / "params.yaml"
Item = TypeVar("Item", bound=float)


def ordered(values: tuple[Item, Item]) -> tuple[Item, Item]:
    """Refuse a range that ends below its start."""
    if values[0] > values[1]:
        raise ValueError(f"{list(values)} must be [least, most], and the first is larger: swap them")
    return values


Range = Annotated[tuple[Item, Item], Field(strict=False), AfterValidator(ordered)]
Pixels = Annotated[float, Field(gt=0, le=64)]
Levels = Annotated[float, Field(gt=0, le=255)]
Share = Annotated[float, Field(gt=0, le=1)]
Bands = config.Increasing[Annotated[int, Field(ge=0)]]


class Parts(config.Section):
    """Which bands of the normal texture each part of the split is cut off."""

    train: Bands
    validation: Bands
    threshold: Bands
    test: Bands

    @model_validator(mode="after")
    def bands_are_apart(self) -> "Parts":
        """Refuse a band that two parts share: a network would be judged on pixels that it was trained on."""
        counts = Counter(band for _, bands in self for band in bands)
        if shared := sorted(band for band, count in counts.items() if count > 1):
            raise ValueError(f"two parts have the bands {shared}: leave each in one of them")
        return self


class Scratch(config.Section):
    """A straight line."""

    length: Range[Pixels]
    width: Range[Pixels]
    contrast: Range[Levels]


class Stain(config.Section):
    """A blob with soft edges."""

    radius: Range[Pixels]
    contrast: Range[Levels]


class Hole(config.Section):
    """A dark ellipse."""

    radius: Range[Pixels]
    darkness: Range[Share]


class Drawing(config.Section):
    """How textures are cut, and what is drawn onto pieces of the normal one."""

    normal: Texture
    size: Annotated[int, Field(ge=16, le=64)]
    stride: Annotated[int, Field(ge=1, le=64)]
    bands: Parts
    seed: config.Seed
    marked: Annotated[int, Field(ge=0, le=254)]
    scratch: Scratch
    stain: Stain
    hole: Hole

    @model_validator(mode="after")
    def bands_are_there(self) -> "Drawing":
        """Refuse a band below the last whole one."""
        count = SIDE // self.size
        if beyond := sorted(band for _, bands in self.bands for band in bands if band >= count):
            raise ValueError(
                f"bands has {beyond}, but a texture has bands 0 to {count - 1} of {self.size} rows: "
                "take them out, or lower size"
            )
        return self


class Study(config.Section):
    """What the study's own stage reads of the file; `own.settings` reads the rest."""

    model_config = ConfigDict(extra="ignore")

    drawing: Drawing


def load(path: Path = PATH) -> Study:
    """Read and validate the study's params.yaml; raises as `config.read`."""
    return config.read(path, Study)
