"""Differences between processors are named, and another maker's processor trains the same bytes."""

import platform
import shutil
import sys
from pathlib import Path

import pytest

from cae.core.errors import UserError
from checks import portable
from checks.portable import Digests, Processor

DENSE = {"weights": "1", "losses": "2", "optimizer": "3", "model": "4"}
NATIVE: Digests = {"dense": DENSE, "deep": DENSE}
REQUIREMENTS = """# made by uv
apple==1.0 \\
    --hash=sha256:aa
    # via
    #   -r requirements.in
    #   pear
cherry==2.0 ; python_full_version < '3.14' \\
    --hash=sha256:ba
    # via apple
cherry==2.1 ; python_full_version >= '3.14' \\
    --hash=sha256:bb
    # via apple
pear==3.0 \\
    --hash=sha256:ca
    # via -r requirements.in
plum==4.0 \\
    --hash=sha256:da
    # via
    #   cherry
    #   pear
"""


@pytest.mark.parametrize(
    ("digests", "differences"),
    [
        (NATIVE, []),
        ({**NATIVE, "deep": {**DENSE, "weights": "0", "model": "0"}}, ["other: deep: model, weights"]),
        ({"dense": DENSE}, ["other: deep: losses, model, optimizer, weights"]),
        ({**NATIVE, "wide": {"model": "5"}}, ["other: wide: model"]),
        ({}, ["other: nothing was trained"]),
    ],
    ids=["same", "other parts", "missing network", "another network", "failed"],
)
def test_a_difference_names_processor_network_and_part(digests: Digests, differences: list[str]) -> None:
    assert portable.compare(NATIVE, {"same": NATIVE, "other": digests}) == differences


def test_pins_are_those_of_some_packages_and_their_dependencies() -> None:
    chosen = portable.select_pins(REQUIREMENTS, ["apple>=1"])
    assert [line.split()[0] for line in chosen.splitlines() if "==" in line] == [
        "apple==1.0",
        "cherry==2.0",
        "cherry==2.1",
        "plum==4.0",
    ]
    assert chosen.count("--hash") == 4


def test_missing_programs_are_named_with_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"no qemu-aarch64, no aarch64-linux-gnu-gcc .*apt-get install qemu"):
        portable.check_programs()
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(UserError, match=r"aarch64, but .* on x86-64 only"):
        portable.check_programs()


def test_a_processor_that_fails_to_train_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    script = "import sys; print('no such instruction'); sys.exit(3)"
    # The rest of the command is an argument of the script.
    assert portable.try_to_train(Processor("some processor", (sys.executable, "-c", script))) == {}
    assert "some processor failed with exit code 3:\nno such instruction" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-x86_64") is None, reason="this machine has no qemu-user")
def test_another_makers_processor_trains_the_same_bytes() -> None:
    other = portable.INTEL if "AuthenticAMD" in Path("/proc/cpuinfo").read_text() else portable.AMD
    native = portable.train(portable.NATIVE, "convolutional")
    assert list(native) == ["convolutional"]
    assert portable.compare(native, {other.name: portable.train(other, "convolutional")}) == []
