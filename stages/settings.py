"""Sections of params.yaml that several stages read."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from cae.core.config import Section, Seed
from cae.datasets.preprocessing import Preprocessing
from cae.datasets.resizing import next_valid_side
from cae.datasets.tiles import Tiling
from cae.metrics.score_settings import ScoreSettings

FASHION_MNIST = "fashion-mnist"
# The smallest side 8·n + 4, which every network gives back unchanged, that has the 11 pixels of the window of
# structural similarity.
LEAST_SIDE = 12
Side = Annotated[int, Field(ge=LEAST_SIDE, le=4096)]


def check_text(name: object) -> object:
    """Refuse what YAML does not read as text: folders may be called 1, 007 or no."""
    if isinstance(name, bool | int | float):
        raise ValueError(f"YAML reads {name!r}, which is not text: write the name of the folder in quotes")
    return name


class Tiles(Section):
    """Square tiles that large images are cut into."""

    size: Side
    stride: Annotated[int, Field(ge=1, le=4096)]

    @model_validator(mode="after")
    def check_size(self) -> Self:
        """Refuse tiles that leave gaps, or that would have to be padded."""
        if self.stride > self.size:
            raise ValueError(f"a stride of {self.stride} leaves gaps between tiles of {self.size}: lower it")
        if next_valid_side(self.size) != self.size:
            raise ValueError(
                f"size {self.size} must be 4 more than a multiple of 8, which every network gives back "
                f"unchanged: the next is {next_valid_side(self.size)}"
            )
        return self


class Data(Section):
    """Which images, and how they are preprocessed."""

    source: Annotated[str, Field(min_length=1)]
    size: Annotated[tuple[Side, Side] | None, Field(strict=False)] = None
    channels: Literal[1, 3] | None = None
    window: Annotated[tuple[float, float] | None, Field(strict=False)] = None
    tiles: Tiles | None = None
    normal: Annotated[str, BeforeValidator(check_text)] | None = None
    skip_bad: bool = False

    @model_validator(mode="after")
    def check_fashion_mnist(self) -> Self:
        """Refuse to change the images of Fashion-MNIST."""
        if self.source == FASHION_MNIST and self != Data.model_construct(source=FASHION_MNIST):
            raise ValueError(f"images of {FASHION_MNIST} are used as they are: remove every key but source")
        return self

    @property
    def preprocessing(self) -> Preprocessing:
        """What is done to every image."""
        tiling = None if self.tiles is None else Tiling(self.tiles.size, self.tiles.stride)
        return Preprocessing(self.window, self.channels, self.size, tiling)


Share = Annotated[float, Field(gt=0, lt=1)]


def check_amount(value: object) -> object:
    """Refuse what is neither a number of images nor a share of all."""
    is_count = type(value) is int and value > 0
    if not is_count and not (isinstance(value, float) and 0 < value < 1):
        raise ValueError(f"{value!r} is neither a number of images nor a share of all, such as 0.6")
    return value


Amount = Annotated[int | float, BeforeValidator(check_amount)]


class Split(Section):
    """How many images each split gets, of Fashion-MNIST; of other images which share of all."""

    train: Amount
    validation: Amount
    test: Amount
    # Held-out normal images that set the threshold of an alarm.
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.0
    seed: Seed = 1


class Anomaly(ScoreSettings):
    """How an image's anomaly score is computed, and how many false alarms are allowed."""

    # Standard deviation in pixels of the Gaussian that smooths error maps before their maximum is the score;
    # None: the score is the mean error.
    smoothing: Annotated[float, Field(gt=0, le=64)] | None = None
    # Expected share of further normal images above the threshold.
    false_alarms: Share = 0.05
