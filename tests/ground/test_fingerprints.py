"""A fingerprint is of content alone."""

from pathlib import Path

from cae.ground.fingerprints import fingerprint


def test_the_fingerprint_changes_with_content_and_settings_only(tmp_path: Path) -> None:
    one, same = tmp_path / "one", tmp_path / "elsewhere"
    one.write_text("content")
    same.write_text("content")
    assert fingerprint([one], {"epochs": 1}) == fingerprint([same], {"epochs": 1})
    assert fingerprint([one], {"epochs": 1}) != fingerprint([one], {"epochs": 2})
    same.write_text("changed")
    assert fingerprint([one], {"epochs": 1}) != fingerprint([same], {"epochs": 1})
