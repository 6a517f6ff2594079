"""Lesions in the brain found by a network that has seen none: a worked example on one head CT."""

from pathlib import Path

STUDY = Path("studies/medical")
DATA = STUDY / "data"
VOLUME = DATA / "volume.npy"
SPACING = DATA / "spacing.json"
