"""The params.yaml of a project of own pictures as frozen, validated values."""

from pathlib import Path
from typing import Annotated, Literal

from cae.core.params import Run
from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from cae.core import config, params
from cae.datasets.group_splits import Shares
from cae.datasets.preprocessing import Preprocessing
from cae.datasets.resizing import next_valid_side
from cae.datasets.tiles import Tiling

# Structural similarity looks at so many pixels a side; the next side on which networks close.
WINDOW = 11
LEAST = 12
Side = Annotated[int, Field(ge=LEAST, le=4096)]


def text(name: object) -> object:
    """Refuse what YAML takes for something else: folders may be called 1, 007 or no."""
    if isinstance(name, bool | int | float):
        raise ValueError(f"YAML reads {name!r}, no text: write the name of the folder in quotes")
    return name


Name = Annotated[str, BeforeValidator(text)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Tiles(config.Section):
    """Square pieces that large pictures are cut into."""

    size: Side
    stride: Annotated[int, Field(ge=1, le=4096)]

    @model_validator(mode="after")
    def networks_close_on_them(self) -> "Tiles":
        """Refuse tiles that leave gaps, or that would have to be mirrored at their edges."""
        if self.stride > self.size:
            raise ValueError(f"a stride of {self.stride} leaves gaps between tiles of {self.size}: lower it")
        if next_valid_side(self.size) != self.size:
            raise ValueError(
                f"size {self.size} must be 4 more than a multiple of 8, on which every network closes: "
                f"{next_valid_side(self.size)} is the next"
            )
        return self


class Data(config.Section):
    """Which pictures, and what is done to them before a network sees them."""

    source: Annotated[str, Field(min_length=1)]
    size: Annotated[tuple[Side, Side] | None, Field(strict=False)]
    channels: Literal[1, 3] | None
    window: Annotated[tuple[float, float] | None, Field(strict=False)]
    tiles: Tiles | None
    normal: Name | None
    skip_bad: bool

    @property
    def preprocessing(self) -> Preprocessing:
        """All of that but the source."""
        tiling = None if self.tiles is None else Tiling(self.tiles.size, self.tiles.stride)
        return Preprocessing(self.window, self.channels, self.size, tiling)


class Split(config.Section):
    """What share of the pictures each side gets, where the source does not say it itself."""

    train: Share
    validation: Share
    threshold: Annotated[float, Field(ge=0, lt=1)]
    test: Share
    seed: params.Seed

    @property
    def shares(self) -> Shares:
        """The shares alone."""
        return Shares(self.train, self.validation, self.test, self.threshold)


class Train(params.Train):
    """As of the main pipeline, and a saved network to begin with."""

    start_from: str | None


class Probes(config.Section):
    """How classes are read off codes, where there are any."""

    regularisation: params.Increasing[Annotated[float, Field(gt=0, le=1e6)]]
    neighbours: params.Neighbours


class Anomaly(config.Section):
    """How a picture's score comes about, and how high a normal one may be."""

    spot: Annotated[float, Field(gt=0, le=64)] | None
    false_alarms: Annotated[float, Field(gt=0, lt=1)]


class Own(config.Section):
    """All of the file but what else a project keeps there; each section must be there, so a slip is found."""

    model_config = ConfigDict(extra="ignore")

    data: Data
    split: Split
    model: params.Model
    train: Train
    probes: Probes
    anomaly: Anomaly

    @property
    def run(self) -> Run:
        """How the chosen network is trained: what all have in common, and its own pace."""
        return params.run(self.train, self.model.chosen)


def load(project: Path) -> Own:
    """Read and validate a project's params.yaml; raises as `config.read`."""
    return config.read(project / "params.yaml", Own)
