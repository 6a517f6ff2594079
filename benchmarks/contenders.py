"""What is timed: our training, stock Keras, PyTorch and a large matrix product, each in its own process.

benchmarks.run starts `python -m benchmarks.contenders NAME JOB` and reads one JSON message a line from it. Only
the standard library is imported here: each contender loads its libraries in the environment that it needs.
"""

import importlib.util
import json
import os
import sys
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


class Job(NamedTuple):
    """What to train on: the first `images` training images of the folder `data`, in batches.

    With a target, train until the validation loss is as low or `epochs` are over; without one, train an epoch
    for every line on the standard input.
    """

    network: str
    data: str
    images: int
    batch: int
    epochs: int = 1
    target: float | None = None


class Contender(NamedTuple):
    """One way to train, or the matrix product, and the networks that it is timed on."""

    name: str
    label: str
    family: str
    run: Callable[[Job, "Channel"], None]
    networks: tuple[str, ...] = NETWORKS


class Channel:
    """The line to benchmarks.run."""

    def __init__(self) -> None:
        # What a library prints goes to the standard error: it must not mix with the messages.
        self.out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def send(self, **message: Any) -> None:
        """Send one message."""
        print(json.dumps(message), file=self.out, flush=True)

    def serve(self, train_epoch: Callable[[], object]) -> None:
        """Train an epoch for every line on the standard input; answer with its seconds."""
        self.send(ready=True)
        for _ in sys.stdin:
            start = time.perf_counter()
            train_epoch()
            self.send(seconds=time.perf_counter() - start)

    def report_epochs(self, model: "keras.Model", target: float) -> "keras.callbacks.Callback":
        """Return a callback that reports every epoch and stops at the target; its clock starts now."""
        import keras

        def report(epoch: int, logs: Mapping[str, float]) -> None:
            loss = float(logs["val_loss"])
            self.send(epoch=epoch + 1, seconds=time.perf_counter() - start, val_loss=loss)
            model.stop_training = model.stop_training or loss <= target

        self.send(ready=True)
        start = time.perf_counter()
        return keras.callbacks.LambdaCallback(on_epoch_end=report)


def multiply_matrices(job: Job, channel: Channel) -> None:
    """Multiply two large float32 matrices on all cores: the best speed that the processor reaches."""
    import numpy as np

    a, b = np.random.default_rng(1).random((2, SIDE, SIDE), dtype=np.float32)
    np.dot(a, b)
    channel.serve(lambda: np.dot(a, b))


def train_ours(job: Job, channel: Channel, instructions: str | None = None) -> None:
    """Train with cae.engine: the network's settings in params.yaml, without augmentations."""
    if instructions:
        os.environ["CAE_INSTRUCTIONS"] = instructions
    from cae.core import environment

    environment.set_variables()
    environment.import_quietly("tensorflow")
    import keras

    from cae.core import params
    from cae.core.arrays import Images
    from cae.datasets import splits
    from cae.engine import family, training
    from cae.engine.checkpoints import Checkpoint
    from cae.engine.steps import Steps

    settings = params.load()
    pace = getattr(settings.model, job.network).model_copy(update={"augmentations": ()})
    model = settings.model.model_copy(update={"name": job.network, job.network: pace})
    recipe = params.run(settings.train, pace).model_copy(update={"batch_size": job.batch})
    train = splits.images(Path(job.data), "train")[: job.images]
    task = family.task(model, family.build(model, train.shape[1:], recipe.seed), recipe.engine)
    if job.target is not None:
        validation = splits.images(Path(job.data), "validation")
        report = channel.report_epochs(task.network, job.target)
        with tempfile.TemporaryDirectory() as folder:
            training.fit(task, train, validation, recipe, Checkpoint(Path(folder), "benchmark"), [report])
        return
    steps = Steps(task, keras.optimizers.Adam(recipe.learning_rate), recipe.shards)
    callbacks = keras.callbacks.CallbackList(model=task.network)

    def train_epoch(images: Images) -> None:
        rates = training.compute_learning_rates(recipe, 0, -(-len(images) // recipe.batch_size))
        training.train_epoch(steps, images, recipe, 0, rates, callbacks)

    # Compiles the graphs: of a whole batch, and of the smaller last one.
    train_epoch(train[: 8 * job.batch + job.images % job.batch])
    channel.serve(lambda: train_epoch(train))


def train_keras(job: Job, channel: Channel, jit: bool = False, array: bool = False) -> None:
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
    if job.target is not None:
        validation = make_dataset(np.load(Path(job.data, "validation_images.npy")), job.batch)
        report = channel.report_epochs(model, job.target)
        model.fit(**data, epochs=job.epochs, validation_data=validation, callbacks=[report], verbose=0)
        return
    model.fit(**feed(train[: 8 * job.batch + job.images % job.batch]), verbose=0)
    channel.serve(lambda: model.fit(**data, verbose=0))


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


def train_pytorch(job: Job, channel: Channel, channels_last: bool = False, compiled: bool = False) -> None:
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
    channel.serve(lambda: train_epoch(train))


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
            parts += [nn.Conv2d(channels, filters, 3, padding=padding), nn.ReLU(), nn.Upsample(scale_factor=2)]
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
    Contender("ours-avx2", "ours, AVX2 only", OURS, partial(train_ours, instructions="avx2"), (CONVOLUTIONAL,)),
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


if __name__ == "__main__":
    name, job = sys.argv[1:]
    (chosen,) = (contender for contender in CONTENDERS if contender.name == name)
    chosen.run(Job(**json.loads(job)), Channel())
