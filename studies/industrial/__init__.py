"""Defects found on a texture by a network that was trained on good pieces of it alone."""

from pathlib import Path

STUDY = Path("studies/industrial")
