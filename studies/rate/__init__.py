"""Rate and distortion: what a picture costs in numbers or bits, and what is lost."""

from pathlib import Path

STUDY = Path("studies/rate")
