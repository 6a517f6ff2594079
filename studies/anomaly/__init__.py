"""How well the nine other classes are told from the one that a network was trained on."""

from pathlib import Path

STUDY = Path("studies/anomaly")
# What a legend calls the scores that pictures show.
TITLES = {
    "combined": "sum of distances",
    "code_nearest": "nearest neighbours by code",
    "nearest": "nearest neighbours",
    "reconstruction_error": "reconstruction error",
}
