"""Further experiments, each a DVC project on the same stages and library."""
