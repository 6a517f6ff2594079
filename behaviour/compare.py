"""Name the digests that differ from the committed ones, and what uses them: python -m behaviour.compare."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from behaviour import FOLDER
from cae.core.errors import UserError
from stages.runner.inputs import read_parameters


def main() -> None:
    """Print a line for every key that differs; UserError where the digests are those of other sources."""
    users = find_users()
    lines = [
        f"{path.stem} {key}: {what}; used by {', '.join(users.get((path.name, key), ['nothing']))}"
        for path in sorted(FOLDER.glob("*.json"))
        if path.name != "sources.json"
        for key, what in list_differences(read_committed(path), read_parameters(path)).items()
    ]
    print("\n".join(lines) or "every digest is as committed")


def read_committed(path: Path) -> dict[str, Any]:
    """Read a file as it is in the last commit; empty where it is not there."""
    command = ["git", "show", f"HEAD:{path.as_posix()}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    content: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    return content


def list_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """Say of every digest that differs how: new, gone or changed."""
    differences = {}
    for key in sorted((before.keys() | after) - {"sources"}):
        if before.get(key) != after.get(key):
            differences[key] = "new" if key not in before else "gone" if key not in after else "changed"
    return differences


def find_users() -> dict[tuple[str, str], list[str]]:
    """List for each file of digests and key which stages depend on it, as PROJECT:STAGE."""
    users: dict[tuple[str, str], list[str]] = {}
    folders = [Path("custom"), Path("report"), *sorted(Path("studies").iterdir())]
    for path in (folder / "dvc.yaml" for folder in folders if (folder / "dvc.yaml").exists()):
        for name, stage in yaml.safe_load(path.read_text())["stages"].items():
            for entry in stage.get("params", []):
                for file, keys in entry.items() if isinstance(entry, dict) else ():
                    for key in keys:
                        users.setdefault((Path(file).name, key), []).append(f"{path.parent.name}:{name}")
    return users


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
