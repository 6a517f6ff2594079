"""The section `model` of params.yaml: which network is trained, and the settings of every network there is.

A network is a module of this package that has

    class Settings(NetworkSettings)                         its settings, with defaults
    build(settings, image_shape, seed) -> Autoencoder       the untrained network
    task(settings, autoencoder, engine) -> Task             what it is trained on
"""

import pkgutil
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from pydantic import create_model

from cae.core.config import Section
from cae.networks.autoencoder import Autoencoder
from cae.networks.settings import NetworkSettings
from cae.networks.tasks import Engine, Task


def find_networks() -> dict[str, ModuleType]:
    """Import every module of this package that is a network, by its name."""
    names = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    modules = {name: import_module(f"cae.networks.{name}") for name in names if name != "model"}
    return {name: module for name, module in modules.items() if hasattr(module, "Settings")}


NETWORKS = find_networks()


class NetworkChoice(Section):
    """The network that is trained."""

    name: str = "convolutional"

    @property
    def settings(self) -> NetworkSettings:
        """The settings of the chosen network."""
        settings: NetworkSettings = getattr(self, self.name)
        return settings

    def build(self, image_shape: tuple[int, ...], seed: int) -> Autoencoder:
        """Build the chosen network, untrained, for images (H, W, C); raises as its module does."""
        autoencoder: Autoencoder = NETWORKS[self.name].build(self.settings, image_shape, seed)
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
