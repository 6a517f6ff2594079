"""Long computations in blocks that are stored: a killed run resumes after its last finished block."""

from collections.abc import Callable, Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cae.core import environment, files

BLOCK = 250


def compute_in_blocks(
    work: Callable[[int], Sequence[float]], count: int, folder: Path, block: int = BLOCK
) -> npt.NDArray[np.float64]:
    """Return work(0) … work(count − 1) as the rows of one array; `folder` stores finished blocks of them.

    Items are computed in parallel, one per core, and independently: neither the number of cores nor a kill
    changes a bit.
    """
    paths = {start: folder / f"{start}.npy" for start in range(0, count, block)}
    # Unlike an executor, this pool does not wait for its threads when the stage is stopped.
    with ThreadPool(int(environment.VARIABLES["TF_NUM_INTEROP_THREADS"])) as pool:
        for start, path in paths.items():
            end = min(start + block, count)
            if not path.exists():
                rows = pool.map(work, range(start, end), chunksize=1)
                files.write_array(path, np.array(rows, np.float64))
            print(f"{end:,} of {count:,}", flush=True)
    return np.concatenate([np.load(path) for path in paths.values()])
