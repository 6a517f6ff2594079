"""Tests, in folders as the code that they test."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
