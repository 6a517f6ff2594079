"""Get Fashion-MNIST, normalise it and split it into train, validation and test."""

import sys
from pathlib import Path

from cae.core import params
from cae.datasets import fashion_mnist, splits
from stages import PREPARED
from stages.inputs import Inputs

RAW = Path("data/raw")


def main() -> None:
    """Fill data/raw from the first source that answers, and write data/prepared."""
    inputs = Inputs.read("prepare")
    settings = params.load().prepare
    source = fashion_mnist.fetch(RAW)
    for note in source.notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"Fashion-MNIST from {source.origin}: every byte as expected")

    # Validation first, so that a smaller training split never moves it.
    sizes = {"validation": settings.validation, "train": settings.train}
    indices = splits.draw(len(source.train_images), sizes, settings.seed)
    test = splits.draw(len(source.test_images), {"test": settings.test}, settings.seed)
    inputs.check()
    for name in sizes:
        splits.write(PREPARED, name, source.train_images, source.train_labels, indices[name])
    splits.write(PREPARED, "test", source.test_images, source.test_labels, test["test"])
    splits.write_class_names(PREPARED, source.class_names)
