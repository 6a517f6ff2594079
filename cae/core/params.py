"""params.yaml as frozen, validated values; every wrong value is named before work starts."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from cae.core.config import Section, read

Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Neighbours = Annotated[int, Field(ge=1, le=100)]
Item = TypeVar("Item", int, float)
MOST_FILTERS = 512
CodeSize = Annotated[int, Field(ge=1, le=784)]
Width = Annotated[int, Field(ge=1, le=8192)]


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


class Mirror(Section):
    """Half of the training images, drawn anew each epoch, are turned left to right."""

    kind: Literal["mirror"]


class Shift(Section):
    """Half of the training images, drawn anew each epoch, are moved by up to so many pixels."""

    kind: Literal["shift"]
    pixels: Annotated[int, Field(ge=1, le=64)]


class Noise(Section):
    """Noise on what a network is given, in training and in validation; what it should answer stays clean."""

    # mixed: for each image one of the other kinds, and a strength up to the one given
    kind: Literal["gaussian", "salt_and_pepper", "squares", "mixed"]
    # standard deviation, share of the pixels, side of the square as a share of the image's
    strength: Annotated[float, Field(gt=0, le=1)]


Augmentation = Annotated[Mirror | Shift | Noise, Field(discriminator="kind")]


def check_noise_is_last(augmentations: tuple[Augmentation, ...]) -> tuple[Augmentation, ...]:
    """Refuse to mirror or shift what is noisy already: the clean target would not follow."""
    kinds = [isinstance(one, Noise) for one in augmentations]
    if kinds != sorted(kinds):
        raise ValueError("noise must come last in the list: put mirror and shift before it")
    return augmentations


class Pace(Section):
    """How fast Adam goes, and on what: what suits one network does not suit another."""

    batch_size: Annotated[int, Field(ge=1, le=10_000)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    # Epochs in which the learning rate rises to that: at once, wide layers start badly.
    warm_up: Annotated[int, Field(ge=0, le=1000)] = 0
    augmentations: Annotated[
        tuple[Augmentation, ...], Field(strict=False), AfterValidator(check_noise_is_last)
    ] = ()


class Convolutional(Pace):
    """The mission's network: how many filters each of the encoder's three convolutions has."""

    filters: Annotated[tuple[int, ...], Field(strict=False), AfterValidator(three_filters)]


class Residual(Pace):
    """The strong network: how many numbers its code has, how wide its hidden layers are."""

    code_size: CodeSize
    width: Width


class Variational(Pace):
    """The variational network: its size, and the bound that it is trained on."""

    code_size: CodeSize
    width: Width
    layers: Literal["gelu", "gated"]
    # Codes drawn of each image in training.
    codes: Annotated[int, Field(ge=1, le=100)]
    # What a nat of the divergence weighs, and the epochs in which it comes to that.
    beta: Annotated[float, Field(ge=0, le=1000)]
    rise: Annotated[int, Field(ge=1, le=1000)]

    @model_validator(mode="after")
    def check_bound(self) -> "Variational":
        """Refuse to weigh the divergence more where the spread of several codes' weights is rewarded."""
        if self.codes > 1 and self.beta > 1:
            raise ValueError(
                f"beta is {self.beta:g}, but with {self.codes} codes an image a weight above 1 rewards codes "
                "far from N(0, 1): lower beta, or set codes to 1"
            )
        return self


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


class Train(Training):
    """The training of whichever network is chosen."""

    seed: Seed


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


def run(train: Train, pace: Pace) -> Run:
    """Return how one network is trained: what all have in common, and its own pace."""
    own = {name: getattr(pace, name) for name in Pace.model_fields}
    return Run(**{name: getattr(train, name) for name in Train.model_fields}, **own)
