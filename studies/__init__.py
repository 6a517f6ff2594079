"""Further experiments on the same library."""
