"""The bits of training depend neither on threads nor on cores, instruction sets or compilers."""

import hashlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import keras
import numpy as np
import pytest
from keras import layers

from cae.engine import forward, operations
from cae.engine.engine import choose_engine
from cae.engine.steps import Steps
from cae.networks import tasks
from tests import default
from tests.engine.test_forward import compute_outputs_and_gradients

pytestmark = pytest.mark.slow

COMPUTE = "from tests.engine.test_same_bits import compute_digest, operations; "
COMPUTE += "print(compute_digest(), operations.get_instruction_set())"
SET_VARIABLES = "import os; from cae.core import environment; environment.set_variables(); "
CONFIGURATIONS = {
    "one thread": "os.environ['TF_NUM_INTEROP_THREADS'] = '1'; ",
    "eight threads": "os.environ['TF_NUM_INTEROP_THREADS'] = '8'; ",
    "one core": "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); ",
}


def build_convolutions() -> Iterator[keras.Sequential]:
    """Build networks with every way to compute a convolution, with widths that fill vectors or do not."""
    numbers = np.random.default_rng(0)
    for channels, filters in itertools.product([1, 3, 16, 17], [1, 5, 8, 33]):
        for chain in (
            [layers.Conv2D(filters, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)],
            [layers.Conv2D(filters, (2, 3)), layers.MaxPooling2D(3, strides=2, padding="same")],
            [layers.UpSampling2D(2), layers.Conv2D(filters, 3, padding="same")],
            [layers.UpSampling2D(3), layers.Conv2D(filters, 2, activation="relu")],
        ):
            model = keras.Sequential([keras.Input((7, 6, channels)), *chain])
            model.set_weights([numbers.normal(size=weight.shape) for weight in model.get_weights()])
            yield model


def compute_digest() -> str:
    """Hash what all convolutions compute, gradients included, and a short training of the default network."""
    result = hashlib.sha256()
    for model in build_convolutions():
        for values in compute_outputs_and_gradients(model, forward.build(model, fast=True).run):
            result.update(values.tobytes())
    images = np.random.default_rng(0).random((12, 22, 28, 28, 1), dtype=np.float32)
    task = tasks.reconstruct(default.autoencoder(seed=1).network, choose_engine("fast"), "cross_entropy")
    steps = Steps(task, keras.optimizers.Adam(), 4)
    losses = [*steps.train(images, images, np.full(12, 2e-3, np.float32)), *steps.evaluate(images, images)]
    for values in (*task.network.get_weights(), *losses):
        result.update(np.asarray(values).tobytes())
    return result.hexdigest()


def compute_digest_in_new_process(configure: str = "", **variables: str) -> tuple[str, str]:
    """Return the digest of a new process, and the instruction set that it used."""
    command = [sys.executable, "-c", SET_VARIABLES + configure + COMPUTE]
    environment = {name: value for name, value in os.environ.items() if name != "CAE_INSTRUCTIONS"}
    done = subprocess.run(command, env=environment | variables, stdout=subprocess.PIPE, text=True, check=True)
    digest, instructions = done.stdout.split()
    return digest, instructions


@pytest.fixture(scope="module")
def digest() -> str:
    return compute_digest()


@pytest.mark.parametrize("configure", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_threads_and_cores_do_not_matter(configure: str, digest: str) -> None:
    assert compute_digest_in_new_process(configure)[0] == digest


@pytest.mark.parametrize("instructions", ["avx2", "portable"])
def test_instruction_sets_do_not_matter(instructions: str, digest: str) -> None:
    if instructions not in operations.INSTRUCTIONS or operations.get_instruction_set() == instructions:
        pytest.skip(f"this processor has nothing wider than {operations.get_instruction_set()}")
    assert compute_digest_in_new_process(CAE_INSTRUCTIONS=instructions) == (digest, instructions)


@pytest.mark.skipif(not shutil.which("clang"), reason="clang is not installed")
def test_compilers_do_not_matter(digest: str) -> None:
    assert compute_digest_in_new_process(CC="clang")[0] == digest
