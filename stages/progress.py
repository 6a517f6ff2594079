"""What the terminal shows while a network trains."""

from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Bar(keras.callbacks.Callback):
    """A bar over all epochs with loss, validation loss and the time left if training does not stop early."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs
        console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            TextColumn("{task.fields[losses]}"),
            TimeElapsedColumn(),
            TextColumn("elapsed,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            # A log file gets one line an epoch instead of a bar.
            disable=not console.is_terminal,
        )
        self.task = self.progress.add_task("", total=epochs, epoch=0, epochs=epochs, losses="")

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start drawing."""
        self.progress.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show where a resumed run stands."""
        self.progress.update(self.task, completed=epoch, epoch=epoch + 1)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Advance by the share of the epoch that is done, `logs["epoch_share"]`."""
        assert logs is not None
        epoch = self.progress.tasks[0].fields["epoch"]
        self.progress.update(self.task, completed=epoch - 1 + logs["epoch_share"])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the losses of the finished epoch."""
        assert logs is not None
        losses = f"loss {logs['loss']:.5f}, validation {logs['val_loss']:.5f}"
        self.progress.update(self.task, completed=epoch + 1, losses=losses)
        if self.progress.disable:
            self.progress.console.print(f"epoch {epoch + 1}/{self.epochs}: {losses}", highlight=False)

    def close(self) -> None:
        """Leave the terminal as it was, also after an error."""
        self.progress.stop()
