"""Types of the arrays that modules exchange."""

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.float32]
"""(N, H, W, C) in [0, 1]; 0 is black."""
Labels = npt.NDArray[np.uint8]
"""(N,), each image's index into the class names."""
Rows = npt.NDArray[np.float32]
"""(N, D), one row per image: its code, its principal components or its pixels."""
Scores = npt.NDArray[np.float64]
"""(N,), one number per image."""
Indices = npt.NDArray[np.int64]
"""Indices of images in another array."""
