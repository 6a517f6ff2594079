"""Show that an old commit and HEAD compute the same bytes: python -m checks.same_results OLD [STUDY …].

Clones both into a temporary folder, makes their params.yaml small, runs the main pipeline and the studies
(such as studies/rate; by default all), and compares every output, byte for byte. Prints a line for each old
stage; the exit code is 0 if only figures differ. Files and keys with other names in HEAD are listed below.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from checks.reproduce import make_clone

ROOT = Path(__file__).parents[1]
MAIN = "."
SPLIT = {"train": 2000, "validation": 300, "test": 300}
EMBEDDING = {"images": 100, "perplexity": 10.0}
# Values of params.yaml, by project; a key that a clone does not have is left out there.
SMALL: Mapping[str, Mapping[str, Any]] = {
    MAIN: {
        "prepare": SPLIT,
        "split": SPLIT,
        "train": {"epochs": 2},
        "probes": {"labels_per_class": [2, 10]},
        "maps": EMBEDDING,
        "embedding": EMBEDDING,
    },
    "studies/anomaly": {
        "anomaly": {"held_out": 20, "seeds": [1]},
        "training": {"epochs": 1},
        "held_out": 20,
        "seeds": [1],
        "train": {"epochs": 1},
        "pretext": {"transformations": {"epochs": 1}, "positions": {"epochs": 1}},
    },
    "studies/denoising": {
        "tuning_images": 20,
        "epochs": {"convolutional": 1, "residual": 1},
        "residual_cnn": {"epochs": 1},
    },
    "studies/industrial": {"train": {"epochs": 2}},
    "studies/medical": {"train": {"epochs": 2}},
    "studies/rate": {"code_sizes": [8, 128], "epochs": [1, 2]},
    "studies/recipe": {"batch_sizes": [16, 64], "learning_rates": [0.002, 0.008], "epochs": 1},
    "studies/seeds": {"seeds": [2, 3], "learning_rates": [0.002, 0.032], "deaths": {"seeds": 2, "epochs": 1}},
    "studies/variational": {"epochs": 2, "samples": 50, "images": 100},
}
FIGURE, SHORTER = "another figure", "fewer keys, with the same values"
# Old path of a file or folder → path in HEAD.
FILES: Mapping[str, str] = {
    "plots/maps.csv": "plots/embeddings.csv",
    "plots/codes/maps.png": "plots/codes/embeddings.png",
    "plots/codes/map_of_images.png": "plots/codes/embedding_of_images.png",
    "studies/anomaly/plots/strangers/out_of_distribution.png": "studies/anomaly/plots/digits/scores.png",
    **{
        f"studies/{study}/plots/pictures": f"studies/{study}/plots/figures"
        for study in ("denoising", "variational")
    },
    **{
        f"studies/{study}/{old}": f"studies/{study}/{new}"
        for study in ("industrial", "medical")
        for old, new in {
            "data/pictures": "data/images",
            "data/prepared/pictures.json": "data/prepared/samples.json",
            "plots/codes/map.png": "plots/codes/embeddings.png",
        }.items()
    },
}
# Old name → name in HEAD, of keys, columns and words in JSON and CSV files.
NAMES: Mapping[str, str] = {
    "knn_all": "knn_accuracy",
    "linear_all": "linear_accuracy",
    "map": "embedding",
    "mean picture": "mean image",
    "neighbours_accuracy": "knn_accuracy",
    "pca": "PCA",
    "pictures": "images",
    "tsne": "t-SNE",
}


def main() -> int:
    """Run the projects in both clones, one after another, and compare."""
    parser = argparse.ArgumentParser(prog="python -m checks.same_results", description=__doc__)
    parser.add_argument("old", help="a commit, such as before-2.0")
    parser.add_argument("studies", nargs="*", help="such as studies/rate, or . for none")
    arguments = parser.parse_args()
    projects = dict.fromkeys([MAIN, *(arguments.studies or sorted(SMALL))])
    same = True
    with tempfile.TemporaryDirectory(prefix="same-results-") as folder, ThreadPoolExecutor(2) as pool:
        old, new = (Path(folder) / name for name in ("old", "new"))
        for clone, commit in ((old, arguments.old), (new, "HEAD")):
            make_clone(ROOT, clone)
            subprocess.run(["git", "checkout", "--quiet", commit], cwd=clone, check=True)
        for project in projects:
            # Both always run to the end, also if one fails.
            succeeded = list(pool.map(run, (old / project, new / project), [SMALL[project]] * 2))
            same &= all(succeeded) and compare(old, new, project)
    return int(not same)


def run(project: Path, small: Mapping[str, Any]) -> bool:
    """Run all stages of a project with small parameters; print why if that fails."""
    params = project / "params.yaml"
    params.write_text(yaml.safe_dump(shrink(yaml.safe_load(params.read_text()), small), sort_keys=False))
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    # It also lists stages that do not run with these parameters.
    (project / "dvc.lock").unlink()
    # The run cache would restore the outputs of an earlier run.
    command = ["dvc", "repro", "--force", "--no-run-cache"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{project} failed:", *(done.stdout + done.stderr).splitlines()[-20:], sep="\n", flush=True)
    return done.returncode == 0


def shrink(params: dict[str, Any], small: Mapping[str, Any]) -> dict[str, Any]:
    """Replace the values of the keys that there are."""
    return params | {
        key: shrink(params[key], value) if isinstance(value, Mapping) else value
        for key, value in small.items()
        if key in params
    }


def compare(old: Path, new: Path, project: str) -> bool:
    """Compare all outputs of a project, and print what differs; return whether only figures do.

    Figures are drawn with other words, so they may differ.
    """
    same, known = True, set()
    for stage, paths in list_outputs(old, project).items():
        names = [rename(path) for path in paths]
        known |= set(names)
        notes = [describe_difference(old / path, new / name) for path, name in zip(paths, names, strict=True)]
        different = [f"  {path}: {note}" for path, note in zip(paths, notes, strict=True) if note]
        print(f"{project} {stage}: {len(paths)} files, {len(different) or 'none'} different")
        print(*different, sep="\n", end="\n" if different else "", flush=True)
        same &= set(notes) <= {"", FIGURE, SHORTER}
    outputs = {path for paths in list_outputs(new, project).values() for path in paths}
    if more := sorted(outputs - known):
        print(f"{project}: only in HEAD: {', '.join(more)}", flush=True)
    return same


def rename(path: str) -> str:
    """Return the path in HEAD of an old file."""
    for old, new in FILES.items():
        if path == old or path.startswith(f"{old}/"):
            return new + path.removeprefix(old)
    return path


def list_outputs(clone: Path, project: str) -> dict[str, list[str]]:
    """List the files that every stage of a project wrote, relative to the clone, by the name of the stage."""
    folder = (clone / project).resolve()
    stages = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    return {
        name: [
            str(file.relative_to(clone.resolve()))
            for output in stage["outs"]
            for file in list_files(folder / output["path"])
        ]
        for name, stage in stages.items()
    }


def list_files(path: Path) -> list[Path]:
    """List a file, or all files in a folder."""
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def describe_difference(old: Path, new: Path) -> str:
    """Compare two files byte for byte, JSON and CSV after renaming; return "" if they are the same."""
    if not new.is_file():
        return "missing"
    before, after = old.read_bytes(), new.read_bytes()
    if before == after:
        return ""
    if old.suffix not in (".csv", ".json"):
        return FIGURE if old.suffix == ".png" else "other bytes"
    text = before.decode()
    for name, new_name in NAMES.items():
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", new_name, text)
    if old.suffix == ".csv":
        return "" if text == after.decode() else "other values"
    # Keys are sorted, so a new name may have another place.
    expected, content = json.loads(text), json.loads(after)
    if expected == content:
        return ""
    if not isinstance(expected, dict):
        return "other values"
    # Standard deviations have names of their own.
    if content == {f"{name}_sd": value for name, value in json.loads(before).items()}:
        return ""
    return SHORTER if content.items() <= expected.items() else "other values"


if __name__ == "__main__":
    sys.exit(main())
