"""PyTorch as a contender, eager or compiled, NCHW or channels_last: the same network, loss and optimiser.

The images lie in memory as one tensor and are picked by index: there is no loader to wait for.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks import worker
from benchmarks.contenders import CONVOLUTIONAL, RESIDUAL

LEARNING_RATE, EPSILON = 1e-3, 1e-7  # Keras's epsilon


def convolutional() -> nn.Sequential:
    """Build the network of cae/networks/convolutional.py up to its logits."""
    parts: list[nn.Module] = []
    channels = 1
    for filters in (32, 16, 8):
        # 28 → 14 → 7 → 4: Keras's "same" pooling rounds up.
        parts += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
        channels = filters
    for filters, padding in ((8, 1), (16, 1), (32, 0)):
        parts += [nn.Conv2d(channels, filters, 3, padding=padding), nn.ReLU(), nn.Upsample(scale_factor=2)]
        channels = filters
    return nn.Sequential(*parts, nn.Conv2d(channels, 1, 3, padding=1))


class TwoPaths(nn.Module):
    """Maps rows (N, D) to (N, size) straight, and adds what a hidden layer makes of them."""

    def __init__(self, inputs: int, size: int) -> None:
        super().__init__()
        self.straight = nn.Linear(inputs, size, bias=False)
        self.deep = nn.Sequential(nn.Linear(inputs, 2048), nn.GELU(), nn.Linear(2048, size))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Add both paths."""
        return self.straight(rows) + self.deep(rows)


def residual() -> nn.Sequential:
    """Build the network of cae/networks/residual.py up to its logits."""
    return nn.Sequential(nn.Flatten(), TwoPaths(784, 128), TwoPaths(128, 784), nn.Unflatten(1, (1, 28, 28)))


def squared_error(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Average the squared error of the sigmoid."""
    return functional.mse_loss(torch.sigmoid(logits), targets)


# Each network with what it is trained on.
NETWORKS: dict[str, tuple[Callable[[], nn.Sequential], Callable[..., torch.Tensor]]] = {
    CONVOLUTIONAL: (convolutional, functional.binary_cross_entropy_with_logits),
    RESIDUAL: (residual, squared_error),
}


def initialise(model: nn.Module) -> None:
    """Draw the weights as Keras does."""
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def trainer(network: str, mode: list[str], batch: int) -> Callable[[torch.Tensor], None]:
    """Return a function that trains one epoch on images (N, 1, 28, 28)."""
    layout = torch.channels_last if "channels_last" in mode else torch.contiguous_format
    build, objective = NETWORKS[network]
    model = build().to(memory_format=layout)
    initialise(model)
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, eps=EPSILON, fused=True)

    def loss(images: torch.Tensor) -> torch.Tensor:
        return objective(model(images), images)

    forward = torch.compile(loss) if "compiled" in mode else loss

    def epoch(images: torch.Tensor) -> None:
        for indices in torch.randperm(len(images)).split(batch):
            optimizer.zero_grad()
            forward(images[indices].contiguous(memory_format=layout)).backward()
            optimizer.step()

    return epoch


def load(folder: Path, count: int) -> torch.Tensor:
    """Load the first `count` training images into memory: float32 (N, 1, 28, 28)."""
    images = np.load(folder / "train_images.npy", mmap_mode="r")[:count].copy()
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def main() -> None:
    """Time epochs; there is no other job for this contender."""
    asked = worker.arguments()
    channel = worker.Channel()
    torch.manual_seed(1)
    torch.set_num_threads(worker.cores())
    train = load(asked.data, asked.images)
    epoch = trainer(asked.network, asked.mode, asked.batch)
    epoch(train[: 8 * asked.batch])
    channel.serve(lambda: epoch(train))


if __name__ == "__main__":
    main()
