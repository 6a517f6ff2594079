"""The colours of error maps."""

import matplotlib
import numpy as np
import numpy.typing as npt

from cae.metrics.error_maps import ErrorMap

# Black where the reconstruction is exact, lighter the larger the error.
COLOURS = matplotlib.colormaps["magma"]


def colour_error_map(error_map: ErrorMap) -> npt.NDArray[np.uint8]:
    """Colour an error map from 0, black, to 1, light yellow: (H, W) → RGB (H, W, 3)."""
    return COLOURS(error_map, bytes=True)[..., :3]
