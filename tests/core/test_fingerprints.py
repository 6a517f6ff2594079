"""A fingerprint is of content alone."""

from pathlib import Path

from cae.core import fingerprints


def test_files_of_the_same_content_have_the_same_name_wherever_they_lie(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.write_text("content")
    there.write_text("content")
    assert fingerprints.hash_file(here) == fingerprints.hash_file(there)
    there.write_text("changed")
    assert fingerprints.hash_file(here) != fingerprints.hash_file(there)


def test_values_decide_and_the_order_of_keys_does_not() -> None:
    first = fingerprints.hash_values({"epochs": 1, "seed": 2})
    assert fingerprints.hash_values({"seed": 2, "epochs": 1}) == first
    assert fingerprints.hash_values({"seed": 2, "epochs": 3}) != first
