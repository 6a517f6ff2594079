"""Run every study from nothing in a fresh clone and compare with what is committed, byte for byte.

python -m checks.audit [STUDY …], such as studies/rate; without one, the digests and all studies, which takes
hours. The clone gets a copy of what the main pipeline made and of the images that other studies prepared,
which the studies' lock files name by checksum.
Prints a line for each study; the exit code is 0 if lock files, metrics, plots and tables are as committed.
Lock files hold the checksums of models and scores, so these are compared as well.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from checks.reproduce import list_differences, make_clone

NEEDED = ("data/prepared", "data/baselines", "models")


def main() -> int:
    """Clone HEAD and run the projects that the command line names, one after another."""
    root = Path(__file__).parents[1]
    missing = [name for name in NEEDED if not (root / name).is_dir()]
    if missing:
        print(f"{', '.join(missing)}: missing. Run the main pipeline first: dvc repro", file=sys.stderr)
        return 1
    studies = sorted(str(path.parent.relative_to(root)) for path in root.glob("studies/*/.dvc"))
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        clone = Path(folder) / "clone"
        make_clone(root, clone)
        copy_inputs(root, clone)
        results = [audit(clone, project) for project in sys.argv[1:] or ["behaviour", *studies]]
    return 0 if all(results) else 1


def copy_inputs(root: Path, clone: Path) -> None:
    """Copy what studies read that they do not make themselves."""
    for folder in (*(root / name for name in NEEDED), *root.glob("studies/*/data/prepared")):
        shutil.copytree(folder, clone / folder.relative_to(root), dirs_exist_ok=True)


def audit(clone: Path, project: str) -> bool:
    """Run a project; print the result and what differs; return whether all is the same."""
    folder = clone / project
    if not (folder / "dvc.lock").is_file():
        print(f"{project}: has no dvc.lock, so there is nothing to compare with", flush=True)
        return False
    committed = yaml.safe_load((folder / "dvc.lock").read_text())
    start = time.monotonic()
    # The run cache would restore the outputs of an earlier run instead of running the code.
    command = ["dvc", "repro", "--force", "--no-run-cache"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    minutes = (time.monotonic() - start) / 60
    if run.returncode:
        print(f"{project}: failed after {minutes:.1f} minutes", flush=True)
        print(*(run.stdout + run.stderr).splitlines()[-20:], sep="\n", file=sys.stderr, flush=True)
        return False
    command = ["git", "status", "--porcelain", "--", project]
    status = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True).stdout
    print(f"{project}: {'not the same' if status else 'the same'}, {minutes:.1f} minutes")
    for line in status.splitlines():
        print(f"  {line}")
    for path in list_differences(committed, yaml.safe_load((folder / "dvc.lock").read_text())):
        print(f"  another checksum in dvc.lock: {path}")
    sys.stdout.flush()
    return not status


if __name__ == "__main__":
    sys.exit(main())
