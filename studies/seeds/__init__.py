"""What another seed changes: the spread of every number, and networks that end dead."""

from pathlib import Path

STUDY = Path("studies/seeds")
