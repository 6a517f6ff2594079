"""params.yaml as frozen, validated values; every wrong value is named before work starts."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from cae.ground.errors import UserError

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


class Section(BaseModel):
    """A part of params.yaml: unknown keys, text for numbers and NaN are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


SectionKind = TypeVar("SectionKind", bound=Section)


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
    mirrored: bool


class Convolutional(Pace):
    """The mission's network: how many filters each of the encoder's three convolutions has."""

    filters: Annotated[tuple[int, ...], Field(strict=False), AfterValidator(three_filters)]


class Residual(Pace):
    """The strong network: how many numbers its code has, how wide its hidden layers are."""

    code_size: CodeSize
    width: Width


class Model(Section):
    """Which network is trained, and the values of each there is."""

    name: Literal["convolutional", "residual"]
    convolutional: Convolutional
    residual: Residual

    @property
    def chosen(self) -> Convolutional | Residual:
        """The values of the network that `name` says."""
        values: Convolutional | Residual = getattr(self, self.name)
        return values


class Noise(Section):
    """What is done to the images that a network sees, while the clean ones are its targets."""

    kind: Literal["none", "gaussian", "salt_and_pepper", "squares"]
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
    return Run(**common, **{name: own[name] for name in Pace.model_fields})


def read(path: Path, kind: type[SectionKind]) -> SectionKind:
    """Read a YAML file and validate it as a section.

    Raises:
        UserError: no such file, not YAML in UTF-8, or one line for every wrong key or value.
    """
    try:
        content = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"{path} could not be read: {error.strerror}. Run from the project's folder."
        ) from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML in UTF-8: {error}") from error
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        lines = "\n".join(f"  {explain(kind, dict(problem))}" for problem in error.errors())
        raise UserError(f"{path} has wrong values:\n{lines}") from error


def explain(kind: type[Section], problem: dict[str, Any]) -> str:
    """Say in one line which key is wrong, what was found, what is allowed and how to fix it."""
    key = ".".join(map(str, problem["loc"])) or "the file"
    value = problem["input"]
    if problem["type"] == "missing":
        return f"{key} is missing: add it"
    if problem["type"] == "extra_forbidden":
        return f"{key} is not a known key: remove it or write one of {known(kind, problem['loc'])}"
    if problem["type"] == "value_error":
        return f"{key}: {problem['ctx']['error']}"
    if isinstance(value, str) and (number := as_number(value, problem["type"])) is not None:
        # YAML 1.1 reads a number with an exponent only where it has a dot as well: its own writer knows.
        written = yaml.safe_dump(number).partition("\n")[0]
        return f"{key} is the text '{value}', which YAML does not read as a number: write {written}"
    return f"{key} is {value!r}: {problem['msg'].removeprefix('Input ').replace('tuple', 'list')}"


def known(kind: type[Section], place: Sequence[str]) -> str:
    """List the keys that there are where an unknown one was found."""
    for name in place[:-1]:
        kind = cast(type[Section], kind.model_fields[name].annotation)
    return ", ".join(kind.model_fields)


def as_number(text: str, problem: str) -> float | None:
    """Return the number that a text such as 1e-3 means, if it is one that its key can take, else None.

    `problem` is what pydantic calls it when the key wants a number: "int_type" or "float_type".
    """
    try:
        number = float(text)
    except ValueError:
        return None
    if problem == "int_type":
        return int(number) if number.is_integer() else None
    return number if problem == "float_type" and math.isfinite(number) else None
