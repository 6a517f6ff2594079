"""The committed digests are those of the code as it is."""

import json
from importlib import import_module

import pytest
import yaml

import behaviour
from behaviour import digests
from tests import ROOT

NAMES = yaml.safe_load((ROOT / "behaviour/dvc.yaml").read_text())["stages"]["digests"]["matrix"]["of"]
COMMAND = "in the top folder type: cd behaviour && dvc repro"


def read_committed(name: str) -> dict[str, object]:
    """Read a file of digests."""
    content: dict[str, object] = json.loads((ROOT / f"behaviour/{name}.json").read_text())
    return content


@pytest.mark.parametrize("name", NAMES)
def test_every_digest_is_what_the_code_computes(name: str) -> None:
    expected = read_committed(name)
    del expected["sources"]
    found = digests.compute_digests(import_module(f"behaviour.{name}").CASES)
    other = [key for key in sorted(found.keys() | expected) if found.get(key) != expected.get(key)]
    assert not other, f"{name}.json: {', '.join(other)} changed; {COMMAND}"


@pytest.mark.parametrize("name", NAMES)
def test_every_file_was_computed_from_the_sources_as_they_are(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert read_committed(name)["sources"] == behaviour.hash_sources(), f"{name}.json is old; {COMMAND}"


def test_every_file_of_digests_belongs_to_a_stage() -> None:
    assert {path.stem for path in (ROOT / "behaviour").glob("*.json")} == {"sources", *NAMES}
