"""Long work in blocks that are kept: killed, it goes on after its last finished block."""

from collections.abc import Callable, Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cae.core import environment, files

BLOCK = 250


def computed(
    work: Callable[[int], Sequence[float]], count: int, folder: Path, block: int = BLOCK
) -> npt.NDArray[np.float64]:
    """Return work(0) … work(count − 1) as rows of one array; `folder` keeps finished blocks of them.

    Items are worked on side by side, one a core, and none knows of another: neither the number of cores nor
    where a run was killed changes a bit.
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
