"""The kinds of arrays that go from module to module."""

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.float32]
"""(N, H, W, 1) in [0, 1]; 0 is black."""
Labels = npt.NDArray[np.uint8]
"""(N,), the place of each image's class among the class names."""
Rows = npt.NDArray[np.float32]
"""(N, D), one row of numbers an image: its code, its components or its pixels."""
Scores = npt.NDArray[np.float64]
"""(N,), one number an image."""
Indices = npt.NDArray[np.int64]
"""Places of images in another array."""
