"""What is timed: our training, stock Keras, PyTorch and a large matrix product, each in its own process.

Nothing but the standard library is imported here: a process loads only the libraries of its contender, in the
environment that this contender needs.
"""

import importlib.util
import math
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    import torch
    from torch import nn

FAMILIES = BOUND, OURS, KERAS, PYTORCH = ("bound", "ours", "Keras", "PyTorch")
# As params.yaml names them.
NETWORKS = CONVOLUTIONAL, RESIDUAL = ("convolutional", "residual")
# The stock recipe; the epsilon is that of Keras.
LEARNING_RATE, EPSILON = 1e-3, 1e-7
SIDE = 4096
PRODUCT_OPERATIONS = 2 * SIDE**3
Curve = list[dict[str, float]]
"""The epochs of a training: epoch, val_loss, and seconds since the start, validation included."""


class Job(NamedTuple):
    """What to train on: the first `images` training images of the folder `data`, in batches.

    With a target, train until the validation loss is as low, or `epochs` or `seconds` are over.
    """

    network: str
    data: str
    images: int
    batch: int
    target: float | None = None
    epochs: int = 50
    seconds: float = math.inf


class Contender(NamedTuple):
    """One way to train, or the matrix product, and the networks that it is timed on."""

    name: str
    label: str
    family: str
    # Loads and compiles; returns a function that trains an epoch or, with a target, all epochs: their curve.
    prepare: Callable[[Job], Callable[[], Any]]
    networks: tuple[str, ...] = NETWORKS


def multiply_matrices(job: Job) -> Callable[[], Any]:
    """Multiply two large float32 matrices on all cores: the best speed that the processor reaches."""
    import numpy as np

    a, b = np.random.default_rng(1).random((2, SIDE, SIDE), dtype=np.float32)
    np.dot(a, b)
    return lambda: np.dot(a, b)


def record_epochs(model: "keras.Model", job: Job, curve: Curve) -> "keras.callbacks.Callback":
    """Return a callback that adds every epoch to the curve and stops at the target; its clock starts now."""
    import keras

    start = time.perf_counter()

    def record(epoch: int, logs: Mapping[str, float]) -> None:
        loss, seconds = float(logs["val_loss"]), time.perf_counter() - start
        curve.append({"epoch": epoch + 1, "seconds": seconds, "val_loss": loss})
        if loss <= (job.target or 0) or seconds > job.seconds:
            model.stop_training = True

    return keras.callbacks.LambdaCallback(on_epoch_end=record)


def train_ours(job: Job, instructions: str | None = None) -> Callable[[], Any]:
    """Train with cae.engine and the network's default settings, without augmentations."""
    if instructions:
        os.environ["CAE_INSTRUCTIONS"] = instructions
    from cae.core import environment

    environment.set_variables()
    environment.import_quietly("tensorflow")
    import keras

    from cae.core.arrays import Images
    from cae.datasets import prepared
    from cae.engine import training
    from cae.engine.checkpoints import Checkpoint
    from cae.engine.engine import choose_engine
    from cae.engine.steps import Steps
    from cae.networks.model import NETWORKS as MODULES
    from cae.networks.settings import Train, combine

    module = MODULES[job.network]
    settings = module.Settings(batch_size=job.batch, augmentations=())
    recipe = combine(Train(), settings)
    train = prepared.read_images(Path(job.data), "train")[: job.images]
    autoencoder = module.build(settings, train.shape[1:], recipe.seed)
    task = module.task(settings, autoencoder, choose_engine(recipe.engine))

    def train_to_target() -> Curve:
        validation, curve = prepared.read_images(Path(job.data), "validation"), Curve()
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Checkpoint(Path(folder), "benchmark")
            callbacks = [record_epochs(task.network, job, curve)]
            training.fit(task, train, validation, recipe, checkpoint, callbacks)
        return curve

    if job.target is not None:
        return train_to_target
    steps = Steps(task, keras.optimizers.Adam(recipe.learning_rate), recipe.shards)
    callbacks = keras.callbacks.CallbackList(model=task.network)

    def train_epoch(images: Images) -> None:
        rates = training.compute_learning_rates(recipe, 0, -(-len(images) // recipe.batch_size))
        training.train_epoch(steps, images, recipe, 0, rates, callbacks)

    # Compiles the graphs: of a whole batch, and of the smaller last one.
    train_epoch(train[: 8 * job.batch + job.images % job.batch])
    return lambda: train_epoch(train)


def train_keras(job: Job, jit: bool = False, array: bool = False) -> Callable[[], Any]:
    """Train with Keras's `fit`, in the environment that TensorFlow itself chooses."""
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    train = np.load(Path(job.data, "train_images.npy"), mmap_mode="r")[: job.images].copy()
    model, loss = build_keras(job.network)
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss=loss, jit_compile=jit)

    def feed(images: np.ndarray) -> dict[str, Any]:
        if array:
            return {"x": images, "y": images, "batch_size": job.batch}
        return {"x": make_dataset(images, job.batch)}

    data = feed(train)

    def train_to_target() -> Curve:
        validation = make_dataset(np.load(Path(job.data, "validation_images.npy")), job.batch)
        curve = Curve()
        callbacks = [record_epochs(model, job, curve)]
        model.fit(**data, epochs=job.epochs, validation_data=validation, callbacks=callbacks, verbose=0)
        return curve

    if job.target is not None:
        return train_to_target
    model.fit(**feed(train[: 8 * job.batch + job.images % job.batch]), verbose=0)
    return lambda: model.fit(**data, verbose=0)


def build_keras(network: str) -> "tuple[keras.Model, str]":
    """Build a network of cae/networks with Keras's own initial weights; return it and its loss."""
    import keras
    from keras import layers

    image = x = keras.Input((28, 28, 1))
    if network == CONVOLUTIONAL:
        for filters in (32, 16, 8):
            x = layers.Conv2D(filters, 3, activation="relu", padding="same")(x)
            x = layers.MaxPooling2D(2, padding="same")(x)
        for filters, padding in ((8, "same"), (16, "same"), (32, "valid")):
            x = layers.Conv2D(filters, 3, activation="relu", padding=padding)(x)
            x = layers.UpSampling2D(2)(x)
        x = layers.Conv2D(1, 3, activation="sigmoid", padding="same")(x)
        return keras.Model(image, x), "binary_crossentropy"
    x = layers.Reshape((784,))(x)
    for size in (128, 784):
        hidden = layers.Dense(2048, activation="gelu")(x)
        x = layers.Add()([layers.Dense(size, use_bias=False)(x), layers.Dense(size)(hidden)])
    x = layers.Activation("sigmoid")(layers.Reshape((28, 28, 1))(x))
    return keras.Model(image, x), "mean_squared_error"


def make_dataset(images: Any, batch: int) -> "tf.data.Dataset":
    """Shuffle the images and batch them (images, images) as `fit` does with an array, without the autotuner.

    With an array, `fit` often ends an epoch by waiting for the autotuner of tf.data, 5, 10 or 20 s after the
    start.
    """
    import tensorflow as tf

    tensor = tf.constant(images)
    options = tf.data.Options()
    options.autotune.enabled = False
    indices = tf.data.Dataset.range(len(images)).shuffle(len(images)).batch(batch)
    pairs = indices.map(lambda chosen: (tf.gather(tensor, chosen),) * 2)
    return pairs.prefetch(1).with_options(options)


def train_pytorch(job: Job, channels_last: bool = False, compiled: bool = False) -> Callable[[], Any]:
    """Train with PyTorch; the images are one tensor in memory, so there is no loader to wait for."""
    import numpy as np
    import torch
    from torch import nn

    torch.manual_seed(1)
    torch.set_num_threads(count_cores())
    layout = torch.channels_last if channels_last else torch.contiguous_format
    images = np.load(Path(job.data, "train_images.npy"), mmap_mode="r")[: job.images].copy()
    train = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    network, loss = build_pytorch(job.network)
    model = network.to(memory_format=layout)
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            # As Keras does.
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, eps=EPSILON, fused=True)

    def compute_loss(batch: torch.Tensor) -> torch.Tensor:
        return loss(model(batch), batch)

    forward = torch.compile(compute_loss) if compiled else compute_loss

    def train_epoch(images: torch.Tensor) -> None:
        for indices in torch.randperm(len(images)).split(job.batch):
            optimizer.zero_grad()
            forward(images[indices].contiguous(memory_format=layout)).backward()
            optimizer.step()

    train_epoch(train[: 8 * job.batch])
    return lambda: train_epoch(train)


def build_pytorch(network: str) -> "tuple[nn.Module, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]":
    """Build a network of cae/networks up to its logits; return it and its loss of (logits, targets)."""
    import torch
    from torch import nn
    from torch.nn import functional

    if network == CONVOLUTIONAL:
        parts: list[nn.Module] = []
        channels = 1
        for filters in (32, 16, 8):
            # 28 → 14 → 7 → 4: Keras's "same" pooling rounds up.
            parts += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
            channels = filters
        for filters, padding in ((8, 1), (16, 1), (32, 0)):
            parts += [
                nn.Conv2d(channels, filters, 3, padding=padding),
                nn.ReLU(),
                nn.Upsample(scale_factor=2),
            ]
            channels = filters
        parts.append(nn.Conv2d(channels, 1, 3, padding=1))
        return nn.Sequential(*parts), functional.binary_cross_entropy_with_logits

    class Block(nn.Module):
        def __init__(self, inputs: int, size: int) -> None:
            super().__init__()
            self.linear = nn.Linear(inputs, size, bias=False)
            self.deep = nn.Sequential(nn.Linear(inputs, 2048), nn.GELU(), nn.Linear(2048, size))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x) + self.deep(x)

    def squared_error(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return functional.mse_loss(torch.sigmoid(logits), targets)

    blocks = (Block(784, 128), Block(128, 784))
    return nn.Sequential(nn.Flatten(), *blocks, nn.Unflatten(1, (1, 28, 28))), squared_error


def count_operations(network: str) -> int:
    """Count the floating-point operations that training takes for one image, at their stock cost.

    The forward pass takes for a convolution with kernel h × w, from C to D channels, onto H × W pixels
        2·h·w·C·D·H·W
    and for a dense layer from M to N numbers
        2·M·N;
    the gradient of its kernel takes as much, and so does the gradient of its input, which layers that read
    the image itself do not need. Everything else is small beside it.
    """
    import keras

    from cae.engine import keras_graph

    total = 0
    # Tensors that depend on weights: only their gradients are needed.
    learned: set[int] = set()
    for call in keras_graph.read_graph(build_keras(network)[0]).calls:
        layer, inputs = call.operation, set(call.inputs.values())
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            forward = 2 * math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
            total += forward * (3 if inputs & learned else 2)
        if inputs & learned or getattr(layer, "weights", None):
            learned.update(call.outputs)
    return total


def count_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_installed(contender: Contender) -> bool:
    """Say whether the library that a contender needs is there: PyTorch is not among the requirements."""
    return contender.family != PYTORCH or importlib.util.find_spec("torch") is not None


# The residual network has one code path and no colour channels, so some modes make no difference there.
_eager, _compiled = train_pytorch, partial(train_pytorch, compiled=True)
CONTENDERS = (
    Contender("product", "matrix product", BOUND, multiply_matrices),
    Contender("ours", "ours", OURS, train_ours),
    Contender(
        "ours-avx2", "ours, AVX2 only", OURS, partial(train_ours, instructions="avx2"), (CONVOLUTIONAL,)
    ),
    Contender("keras", "Keras fit", KERAS, train_keras),
    Contender("keras-jit", "Keras fit, jit_compile", KERAS, partial(train_keras, jit=True)),
    Contender("keras-array", "Keras fit on an array", KERAS, partial(train_keras, array=True)),
    *(
        Contender(f"pytorch{name}-{layout}", f"PyTorch {mode}, {label}", PYTORCH, run, (CONVOLUTIONAL,))
        for name, mode, train in (("", "eager", _eager), ("-compiled", "compiled", _compiled))
        for layout, label, run in (
            ("nchw", "NCHW", train),
            ("nhwc", "channels_last", partial(train, channels_last=True)),
        )
    ),
    Contender("pytorch", "PyTorch eager", PYTORCH, _eager, (RESIDUAL,)),
    Contender("pytorch-compiled", "PyTorch compiled", PYTORCH, _compiled, (RESIDUAL,)),
)

_run: Callable[[], Any]


def prepare(name: str, job: Job) -> None:
    """Load and compile what a contender needs, in this process."""
    global _run
    (contender,) = (contender for contender in CONTENDERS if contender.name == name)
    _run = contender.prepare(job)


def run() -> Any:
    """Train with the contender that this process has prepared; return the curve, if it has a target."""
    return _run()


def time_run() -> float:
    """Train with the contender that this process has prepared; return the seconds."""
    start = time.perf_counter()
    _run()
    return time.perf_counter() - start
