"""A weight of the divergence that rises while training begins."""

from typing import Any

import keras
import tensorflow as tf


class Rising(keras.callbacks.Callback):
    """A weight that rises in equal steps over the first epochs; what validation sees is always all of it.

    Numbers of a code that do not pay for themselves at once are then not given up before the decoder has
    learned to use them: Sønderby et al., Ladder Variational Autoencoders (2016),
    https://arxiv.org/abs/1602.02282, section 2.3.
    """

    def __init__(self, full: float, epochs: int) -> None:
        super().__init__()
        self.full, self.epochs = full, epochs
        # What the steps compute with: they are compiled once, and read it anew each time.
        self.weight = tf.Variable(full, trainable=False, dtype=tf.float32)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the next step."""
        self.weight.assign(self.full * min(1.0, (epoch + 1) / self.epochs))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Weigh in full once all images were trained on."""
        assert logs is not None
        if logs["epoch_share"] >= 1:
            self.weight.assign(self.full)
