"""Which engine computes the training of a network."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from cae.engine import exact, forward, stock
from cae.networks.tasks import Engine


def choose_engine(name: str) -> Engine:
    """Return the engine that `train.engine` names; on a GPU always "stock", since the C code needs a CPU."""
    fast = name == "fast" and not tf.config.list_physical_devices("GPU")

    def build_forward(network: keras.Model) -> Callable[[Any], Any]:
        return forward.build(network, fast).run

    return Engine(exact if fast else stock, partial(build_logits, fast=fast), build_forward)


def build_logits(network: keras.Model, fast: bool) -> Callable[[Any], Any]:
    """Return a network as a function without its final sigmoid; ValueError where it has none."""
    run, gives_logits = forward.build(network, fast)
    if not gives_logits:
        raise ValueError("The loss is computed from logits: the network must end in a sigmoid.")
    return run
