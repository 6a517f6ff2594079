"""Stock Keras `fit` as a contender, in the environment that TensorFlow itself chooses: nothing of cae.

The images lie in memory as one array. Given that array, `fit` makes a tf.data pipeline of it whose tuner
sleeps for 10 ms, then for twice as long each time, and where an epoch ends `fit` often waits until it wakes
up: 5, 10 or 20 s after the beginning. The same batches from a pipeline without the tuner are what suits
`fit` best.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks import worker
from benchmarks.contenders import CONVOLUTIONAL, RESIDUAL

LEARNING_RATE = 1e-3


def convolutional() -> keras.Model:
    """Build the network of cae/networks/convolutional.py with Keras's own initial weights."""
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for filters in (32, 16, 8):
        model.add(layers.Conv2D(filters, 3, activation="relu", padding="same"))
        model.add(layers.MaxPooling2D(2, padding="same"))
    for filters, padding in ((8, "same"), (16, "same"), (32, "valid")):
        model.add(layers.Conv2D(filters, 3, activation="relu", padding=padding))
        model.add(layers.UpSampling2D(2))
    model.add(layers.Conv2D(1, 3, activation="sigmoid", padding="same"))
    return model


def residual() -> keras.Model:
    """Build the network of cae/networks/residual.py with Keras's own initial weights."""
    image = keras.Input((28, 28, 1))
    code = two_paths(layers.Reshape((784,))(image), 128)
    logits = layers.Reshape((28, 28, 1))(two_paths(code, 784))
    return keras.Model(image, layers.Activation("sigmoid")(logits))


def two_paths(rows: keras.KerasTensor, size: int) -> keras.KerasTensor:
    """Map rows (N, D) to (N, size) straight, and add what a hidden layer makes of them."""
    straight = layers.Dense(size, use_bias=False)(rows)
    hidden = layers.Dense(2048, activation="gelu")(rows)
    return layers.Add()([straight, layers.Dense(size)(hidden)])


# Each network with what it is trained on.
NETWORKS = {
    CONVOLUTIONAL: (convolutional, "binary_crossentropy"),
    RESIDUAL: (residual, "mean_squared_error"),
}


def batches(images: np.ndarray, batch: int) -> tf.data.Dataset:
    """Shuffle and pick batches (images, images) as `fit` does, without tf.data's tuner."""
    tensor = tf.constant(images)
    options = tf.data.Options()
    options.autotune.enabled = False
    indices = tf.data.Dataset.range(len(images)).shuffle(len(images)).batch(batch)
    pairs = indices.map(lambda picked: (tf.gather(tensor, picked),) * 2)
    return pairs.prefetch(1).with_options(options)


def main() -> None:
    """Do the job that the command line asks for."""
    asked = worker.arguments()
    channel = worker.Channel()
    keras.utils.set_random_seed(1)
    train = np.load(asked.data / "train_images.npy", mmap_mode="r")[: asked.images].copy()
    build, loss = NETWORKS[asked.network]
    model = build()
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        loss=loss,
        jit_compile="jit" in asked.mode,
    )

    def data(images: np.ndarray) -> dict[str, Any]:
        if "array" in asked.mode:
            return {"x": images, "y": images, "batch_size": asked.batch}
        return {"x": batches(images, asked.batch)}

    pairs = data(train)
    if asked.job == "rounds":
        model.fit(**data(train[: 8 * asked.batch + len(train) % asked.batch]), verbose=0)
        channel.serve(lambda: model.fit(**pairs, verbose=0))
        return
    validation = np.load(asked.data / "validation_images.npy")
    report = keras.callbacks.LambdaCallback(on_epoch_end=channel.reporter(model, asked.target))
    model.fit(
        **pairs,
        epochs=asked.epochs,
        validation_data=batches(validation, asked.batch),
        callbacks=[report],
        verbose=0,
    )


if __name__ == "__main__":
    main()
