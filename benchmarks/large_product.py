"""A large matrix product as a contender: what the processor can do, for the bound on an epoch.

NumPy's own environment, all cores, float32.
"""

import numpy as np

from benchmarks import worker

SIDE = 4096
OPERATIONS = 2 * SIDE**3


def main() -> None:
    """Multiply two SIDE × SIDE matrices whenever told."""
    worker.arguments()
    channel = worker.Channel()
    a, b = np.random.default_rng(1).random((2, SIDE, SIDE), dtype=np.float32)
    np.dot(a, b)
    channel.serve(lambda: np.dot(a, b))


if __name__ == "__main__":
    main()
