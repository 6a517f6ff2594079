"""Run the whole pipeline in a fresh clone and compare with what is committed: python -m checks.reproduce.

The exit code is 0 if dvc.lock, metrics and plots are the committed ones, byte for byte. dvc.lock holds the
checksums of data and models, so these are compared as well. The clone gets a copy of data/raw, whose content
is checked: it may hold files that cannot be downloaded.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

OUTPUTS = ("metrics", "plots")


def main() -> int:
    """Clone HEAD, remove metrics and plots, run every stage, compare."""
    root = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory(prefix="reproduce-") as folder:
        clone = Path(folder) / "clone"
        make_clone(root, clone)
        committed = yaml.safe_load((clone / "dvc.lock").read_text())
        subprocess.run(["git", "rm", "-r", "--quiet", *OUTPUTS], cwd=clone, check=True)
        # dvc.lock stays: DVC would write a new one in the order in which stages ran. The run cache is off:
        # it would restore the outputs of an earlier run.
        command = ["dvc", "repro", "--force", "--no-run-cache"]
        if subprocess.run(command, cwd=clone, check=False).returncode:
            print("the pipeline failed in the fresh clone", file=sys.stderr)
            return 1
        subprocess.run(["git", "add", "dvc.lock", *OUTPUTS], cwd=clone, check=True)
        command = ["git", "diff", "--cached", "--name-status", "HEAD"]
        changed = subprocess.run(command, cwd=clone, check=True, capture_output=True, text=True).stdout
        if not changed:
            print("reproduced: dvc.lock, metrics and plots are the committed ones, byte for byte")
            return 0
        print("not reproduced; these files differ from the committed ones:", changed, sep="\n")
        for path in list_differences(committed, yaml.safe_load((clone / "dvc.lock").read_text())):
            print(f"  another checksum in dvc.lock: {path}")
        return 1


def make_clone(root: Path, clone: Path) -> None:
    """Clone HEAD of `root`, and copy every data/raw that it has."""
    subprocess.run(["git", "clone", "--quiet", "-c", "advice.detachedHead=false", root, clone], check=True)
    for raw in (root / "data/raw", *root.glob("studies/*/data/raw")):
        if raw.exists():
            shutil.copytree(raw, clone / raw.relative_to(root))


def list_differences(committed: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """List the outputs whose checksums in two dvc.lock differ."""
    before, after = (
        {
            (name, output["path"]): output["md5"]
            for name, stage in lock["stages"].items()
            for output in stage["outs"]
        }
        for lock in (committed, new)
    )
    return [
        f"{path} of {name}"
        for name, path in sorted(before.keys() | after.keys())
        if before.get((name, path)) != after.get((name, path))
    ]


if __name__ == "__main__":
    sys.exit(main())
