"""The section `model` of params.yaml: which network is trained, and the settings of every network there is.

A network is a module of this package that has

    class Settings(NetworkSettings)                         its settings, with defaults
    build(settings, image_shape, seed) -> Autoencoder       the untrained network
    task(settings, autoencoder, engine) -> Task             what it is trained on
"""

import math
import pkgutil
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from pydantic import create_model

from cae.core import words
from cae.core.config import Section
from cae.core.errors import UserError
from cae.networks.autoencoder import Autoencoder, find_largest_output
from cae.networks.settings import DenseSettings, NetworkSettings
from cae.networks.tasks import Engine, Task


def find_networks() -> dict[str, ModuleType]:
    """Import every module of this package that is a network, by its name."""
    names = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    modules = {name: import_module(f"cae.networks.{name}") for name in names if name != "model"}
    return {name: module for name, module in modules.items() if hasattr(module, "Settings")}


NETWORKS = find_networks()
# Numbers of a network's matrices, and of its largest layer for one batch, at most: a gigabyte of float32.
MOST_NUMBERS = 2**28


class NetworkChoice(Section):
    """The network that is trained."""

    name: str = "convolutional"

    @property
    def settings(self) -> NetworkSettings:
        """The settings of the chosen network."""
        settings: NetworkSettings = getattr(self, self.name)
        return settings

    def build(self, image_shape: tuple[int, ...], seed: int) -> Autoencoder:
        """Build the chosen network, untrained, for images (H, W, C).

        Raises:
            UserError: its matrices, or one batch, which cannot be divided, would take many gigabytes.
            ValueError: as its module.
        """
        numbers = math.prod(image_shape)
        width = self.settings.width if isinstance(self.settings, DenseSettings) else 0
        if 2 * numbers * width > MOST_NUMBERS:
            raise UserError(
                f"images have {numbers:,} numbers, too many for the matrices of model.{self.name} with a "
                f"width of {width:,}: choose model.name convolutional in params.yaml, lower the width, cut "
                "the images (data.tiles), or make them smaller (data.size)"
            )
        autoencoder: Autoencoder = NETWORKS[self.name].build(self.settings, image_shape, seed)
        largest, batch_size = find_largest_output(autoencoder.network), self.settings.batch_size
        if batch_size * largest > MOST_NUMBERS:
            raise UserError(
                f"a layer of the network gives {largest:,} numbers per image, and a batch has "
                f"{words.pluralize(batch_size, 'image')}, but at most {MOST_NUMBERS:,} numbers are possible: "
                f"lower model.{self.name}.batch_size in params.yaml, cut the images (data.tiles), or make "
                "them smaller (data.size)"
            )
        return autoencoder

    def task(self, autoencoder: Autoencoder, engine: Engine) -> Task:
        """Return what the chosen network, built, is trained on."""
        task: Task = NETWORKS[self.name].task(self.settings, autoencoder, engine)
        return task


if TYPE_CHECKING:
    Model = NetworkChoice
else:
    # One field per network, made here so that a new network needs no line outside of its own file.
    FIELDS: dict[str, Any] = {name: (module.Settings, module.Settings()) for name, module in NETWORKS.items()}
    Model = create_model(
        "Model",
        __base__=NetworkChoice,
        __doc__="Which network is trained, and the settings of each.",
        name=(Literal[tuple(NETWORKS)], "convolutional"),
        **FIELDS,
    )
