"""Stock Keras `fit` as a contender, in the environment that TensorFlow itself chooses: nothing of cae.

The images lie in memory as one array, which is what suits `fit` best.
"""

import keras
import numpy as np
from keras import layers

from benchmarks import worker

LEARNING_RATE = 1e-3


def autoencoder() -> keras.Sequential:
    """Build the model of cae/models.py with Keras's own initial weights."""
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for filters in (32, 16, 8):
        model.add(layers.Conv2D(filters, 3, activation="relu", padding="same"))
        model.add(layers.MaxPooling2D(2, padding="same"))
    for filters, padding in ((8, "same"), (16, "same"), (32, "valid")):
        model.add(layers.Conv2D(filters, 3, activation="relu", padding=padding))
        model.add(layers.UpSampling2D(2))
    model.add(layers.Conv2D(1, 3, activation="sigmoid", padding="same"))
    return model


def main() -> None:
    """Do the job that the command line asks for."""
    asked = worker.arguments()
    channel = worker.Channel()
    keras.utils.set_random_seed(1)
    train = np.load(asked.data / "train_images.npy", mmap_mode="r")[: asked.images].copy()
    model = autoencoder()
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        loss="binary_crossentropy",
        jit_compile="jit" in asked.mode,
    )
    if asked.job == "rounds":
        warm_up = train[: 8 * asked.batch]
        model.fit(warm_up, warm_up, batch_size=asked.batch, verbose=0)
        channel.serve(lambda: model.fit(train, train, batch_size=asked.batch, verbose=0))
        return
    validation = np.load(asked.data / "validation_images.npy")
    report = keras.callbacks.LambdaCallback(on_epoch_end=channel.reporter(model, asked.target))
    model.fit(
        train,
        train,
        batch_size=asked.batch,
        epochs=asked.epochs,
        validation_data=(validation, validation),
        callbacks=[report],
        verbose=0,
    )


if __name__ == "__main__":
    main()
