"""Settings that every network has, and those of training."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from cae.core.config import Section, Seed
from cae.datasets.augmentations import Augmentation, check_noise_is_last

CodeSize = Annotated[int, Field(ge=1, le=784)]
Width = Annotated[int, Field(ge=1, le=8192)]
Epochs = Annotated[int, Field(ge=1, le=1000)]
Rate = Annotated[float, Field(gt=0, le=1)]
BatchSize = Annotated[int, Field(ge=1, le=10_000)]
WarmUp = Annotated[int, Field(ge=0, le=1000)]
Augmentations = Annotated[tuple[Augmentation, ...], Field(strict=False), AfterValidator(check_noise_is_last)]


class NetworkSettings(Section):
    """What every network has: what suits one does not suit another."""

    # Images per step.
    batch_size: BatchSize = 128
    # Adam's, in the first epoch after the warm-up.
    learning_rate: Rate = 0.002
    # Epochs in which the learning rate rises to that: without them wide layers start badly.
    warm_up: WarmUp = 0
    augmentations: Augmentations = ()


class DenseSettings(NetworkSettings):
    """What networks with dense layers have, whose matrices grow with the image."""

    # Numbers in a hidden layer.
    width: Width


class Train(Section):
    """How whichever network is chosen is trained."""

    epochs: Epochs = 50
    # Epochs without a better validation loss before training stops.
    patience: Epochs = 5
    # Parts of a batch that are computed side by side.
    shards: Annotated[int, Field(ge=1, le=64)] = 4
    seed: Seed = 1
    engine: Literal["fast", "stock"] = "fast"


class Recipe(Train, NetworkSettings):
    """All settings of one training run: those of training and of the network together."""


def combine(train: Train, network: NetworkSettings) -> Recipe:
    """Return the recipe by which a network with these settings is trained."""
    values: list[tuple[Section, type[Section]]] = [(train, Train), (network, NetworkSettings)]
    fields: dict[str, Any] = {
        name: getattr(settings, name) for settings, kind in values for name in kind.model_fields
    }
    return Recipe(**fields)
