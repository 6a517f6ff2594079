"""Pins the environment before anything loads NumPy or TensorFlow."""

import shutil

import pytest

from cae.core import environment

environment.set_variables()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: "pipeline" not in item.path.parts)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a browser; without one, the test is skipped."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium on this machine")
