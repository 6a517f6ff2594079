"""What differs between processors is named, and training on another maker's gives the same bytes."""

import platform
import shutil
import sys
from pathlib import Path

import pytest

from cae.core.errors import UserError
from checks import portable
from checks.portable import Processor

NATIVE = {
    "dense": {"weights": "1", "losses": "2", "optimizer": "3", "model": "4"},
    "deep": {"weights": "5", "losses": "6", "optimizer": "7", "model": "8"},
}
REQUIREMENTS = """# made by uv
apple==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
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


def test_the_same_digests_differ_in_nothing() -> None:
    assert portable.compare(NATIVE, {"one": NATIVE, "other": NATIVE}) == []


def test_a_difference_names_processor_network_and_parts() -> None:
    other = {**NATIVE, "deep": {**NATIVE["deep"], "weights": "0", "model": "0"}}
    assert portable.compare(NATIVE, {"one": NATIVE, "other": other}) == ["other: deep: model, weights"]


@pytest.mark.parametrize("short", ["native", "other"])
def test_a_network_that_only_one_has_is_a_difference(short: str) -> None:
    results = [NATIVE, {"dense": NATIVE["dense"]}]
    native, other = results if short == "other" else reversed(results)
    assert portable.compare(native, {"other": other}) == ["other: deep: losses, model, optimizer, weights"]


def test_a_processor_without_results_is_a_difference(capsys: pytest.CaptureFixture[str]) -> None:
    broken = Processor("broken", ("false",))
    assert portable.compare(NATIVE, {"broken": portable.try_to_train(broken)}) == [
        "broken: nothing was trained"
    ]
    assert "training on broken failed with exit code 1" in capsys.readouterr().err


def test_pins_are_those_of_some_packages_and_all_they_need() -> None:
    chosen = portable.select_pins(REQUIREMENTS, ["apple>=1"])
    assert [line for line in chosen.splitlines() if "==" in line or "hash" in line] == [
        "apple==1.0 \\",
        "    --hash=sha256:aa \\",
        "    --hash=sha256:ab",
        "cherry==2.0 ; python_full_version < '3.14' \\",
        "    --hash=sha256:ba",
        "cherry==2.1 ; python_full_version >= '3.14' \\",
        "    --hash=sha256:bb",
        "plum==4.0 \\",
        "    --hash=sha256:da",
    ]


def test_the_pins_for_arm_hold_what_trains_and_not_dvc() -> None:
    chosen = portable.select_pins((portable.ROOT / "requirements.txt").read_text(), ["tensorflow>=2.21"])
    names = {line.partition("==")[0] for line in chosen.splitlines() if "==" in line}
    assert {"tensorflow", "keras", "numpy", "h5py"} <= names
    assert "dvc" not in names


def test_missing_programs_are_named_with_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"no qemu-aarch64, no aarch64-linux-gnu-gcc .*apt-get install qemu"):
        portable.check_programs()


def test_another_kind_of_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(UserError, match=r"aarch64, but .* on x86-64 only"):
        portable.check_programs()


def test_what_a_processor_could_not_train_is_told() -> None:
    script = "import sys; print('no such instruction'); sys.exit(3)"
    # Python reads none of what follows -c and its script as options.
    broken = Processor("some processor", (sys.executable, "-c", script))
    with pytest.raises(UserError, match=r"some processor failed with exit code 3:\nno such instruction"):
        portable.train(broken)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-x86_64") is None, reason="this machine has no qemu-user")
def test_another_makers_processor_trains_the_same_bytes() -> None:
    maker = Path("/proc/cpuinfo").read_text()
    other = portable.INTEL if "AuthenticAMD" in maker else portable.AMD
    native = portable.train(portable.NATIVE, "convolutional")
    assert list(native) == ["convolutional"]
    assert portable.compare(native, {other.name: portable.train(other, "convolutional")}) == []
