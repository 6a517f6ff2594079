"""What another seed changes."""

from pathlib import Path

STUDY = Path("studies/seeds")
