"""How the batch size and the learning rate of the default network were chosen."""

from pathlib import Path

STUDY = Path("studies/recipe")
