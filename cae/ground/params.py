"""params.yaml as frozen, validated values; every wrong value is named before work starts."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from cae.ground.sections import Section, read

Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Neighbours = Annotated[int, Field(ge=1, le=100)]
Item = TypeVar("Item", int, float)
MOST_FILTERS = 512
CodeSize = Annotated[int, Field(ge=1, le=784)]
Width = Annotated[int, Field(ge=1, le=8192)]
# Epochs in which the learning rate rises to its height: at once, wide layers start badly.
WARM_UP = {"residual": 1}


def increasing(values: tuple[Item, ...]) -> tuple[Item, ...]:
    """Refuse an empty list and one in which a value does not exceed the one before it: a slip."""
    if not values:
        raise ValueError("[] must hold at least one value")
    if any(later <= earlier for earlier, later in pairwise(values)):
        raise ValueError(
            f"{list(values)} must increase from each value to the next: sort it, without repeats"
        )
    return values


# YAML knows lists alone; a tuple cannot be changed once read.
Increasing = Annotated[tuple[Item, ...], Field(strict=False), AfterValidator(increasing)]


def three_filters(filters: tuple[int, ...]) -> tuple[int, ...]:
    """Refuse another number of convolutions than the network has, and one of no filter or of very many."""
    if len(filters) != 3 or not all(1 <= count <= MOST_FILTERS for count in filters):
        raise ValueError(
            f"{list(filters)} must be three numbers from 1 to {MOST_FILTERS}, "
            "one for each convolution of the encoder, such as [32, 16, 8]"
        )
    return filters


class Prepare(Section):
    """How many images go into each split, and the seed that draws them."""

    # The baselines have PCA with 128 components, each of which needs an image.
    train: Annotated[int, Field(ge=128, le=60_000)]
    validation: Annotated[int, Field(ge=1, le=60_000)]
    test: Annotated[int, Field(ge=1, le=10_000)]
    seed: Seed

    @model_validator(mode="after")
    def training_images_suffice(self) -> "Prepare":
        """Train and validation are drawn from the same 60,000 images."""
        if self.train + self.validation > 60_000:
            raise ValueError(
                f"train + validation is {self.train + self.validation}, "
                "but both are drawn from 60,000 images: lower one of them"
            )
        return self


class Pace(Section):
    """How fast Adam goes, and on what: what suits one network does not suit another."""

    batch_size: Annotated[int, Field(ge=1, le=10_000)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]


class Convolutional(Pace):
    """The mission's network: how many filters each of the encoder's three convolutions has."""

    filters: Annotated[tuple[int, ...], Field(strict=False), AfterValidator(three_filters)]


class Residual(Pace):
    """The strong network: how many numbers its code has, how wide its hidden layers are."""

    code_size: CodeSize
    width: Width
    mirrored: bool


class Variational(Pace):
    """The variational network: as `Residual`, and what a nat of its codes' divergence weighs."""

    code_size: CodeSize
    width: Width
    beta: Annotated[float, Field(ge=0, le=1000)]


class Model(Section):
    """Which network is trained, and the values of each there is."""

    name: Literal["convolutional", "residual", "variational"]
    convolutional: Convolutional
    residual: Residual
    variational: Variational

    @property
    def chosen(self) -> Pace:
        """The values of the network that `name` says."""
        values: Pace = getattr(self, self.name)
        return values


class Noise(Section):
    """What is done to the images that a network sees, while the clean ones are its targets."""

    kind: Literal["none", "gaussian", "salt_and_pepper", "squares", "mixed"]
    strength: Annotated[float, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def strength_suits_kind(self) -> "Noise":
        """Refuse a strength without a kind, or a kind without a strength: a slip."""
        if (self.kind == "none") != (self.strength == 0):
            raise ValueError(
                f"kind {self.kind} with strength {self.strength:g}: none goes with 0, and every other kind "
                "with a strength above 0 and up to 1"
            )
        return self


class Training(Section):
    """What holds for the training of every network."""

    epochs: Annotated[int, Field(ge=1, le=1000)]
    patience: Annotated[int, Field(ge=1, le=1000)]
    shards: Annotated[int, Field(ge=1, le=64)]
    engine: Literal["fast", "stock"]


class Recipe(Training, Pace):
    """How a network learns: Adam with a cosine decay of the learning rate, and early stopping."""


class Run(Recipe):
    """One training run by a recipe."""

    seed: Seed
    # Whether half of the images, drawn anew in each epoch, are turned left to right.
    mirrored: bool = False
    # Epochs in which the learning rate rises to its height before it falls.
    warm_up: int = 0


class Train(Training):
    """The training of whichever network is chosen."""

    seed: Seed
    noise: Noise


class Probes(Section):
    """How classes are read off codes and off what they are compared with."""

    labels_per_class: Increasing[Annotated[int, Field(ge=1, le=60_000)]]
    seeds: Increasing[Seed]
    regularisation: Increasing[Annotated[float, Field(gt=0, le=1e6)]]
    neighbours: Neighbours


class Maps(Section):
    """How codes are placed in the plane."""

    images: Annotated[int, Field(ge=16, le=10_000)]
    neighbours: Neighbours
    perplexity: Annotated[float, Field(ge=2, le=1000)]
    seed: Seed


class Params(Section):
    """All of params.yaml."""

    prepare: Prepare
    model: Model
    train: Train
    probes: Probes
    maps: Maps


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and validate params.yaml; raises as `read`."""
    return read(path, Params)


def run(settings: Params) -> Run:
    """Return how the chosen network is trained: what all have in common, and its own pace."""
    common, own = settings.train.model_dump(exclude={"noise"}), settings.model.chosen.model_dump()
    pace = {name: value for name, value in own.items() if name in Run.model_fields}
    return Run(**common, **pace, warm_up=WARM_UP.get(settings.model.name, 0))
