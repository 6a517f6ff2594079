"""Functions that return matplotlib figures."""
