"""Hashes depend on content alone."""

from pathlib import Path

import pytest

from cae.core import fingerprints


def test_the_hash_of_a_file_depends_on_its_content_alone(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("content")
    other.write_text("content")
    assert fingerprints.hash_file(one) == fingerprints.hash_file(other)
    other.write_text("changed")
    assert fingerprints.hash_file(one) != fingerprints.hash_file(other)


def test_the_hash_of_values_does_not_depend_on_the_order_of_keys() -> None:
    first = fingerprints.hash_values({"epochs": 1, "seed": 2})
    assert fingerprints.hash_values({"seed": 2, "epochs": 1}) == first
    assert fingerprints.hash_values({"seed": 2, "epochs": 3}) != first


def test_the_hash_of_files_depends_on_paths_and_contents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hashes = set()
    for name, content in (("a.py", "1"), ("b.py", "1"), ("b.py", "2")):
        (tmp_path / name).write_text(content)
        hashes.add(fingerprints.hash_files("*.py"))
    assert len(hashes) == 3
