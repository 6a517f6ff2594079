"""What a stage depends on, as dvc.yaml declares it: one list for DVC, for resuming and for a guard.

DVC hashes dependencies after a command has ended: a file that was edited meanwhile would be recorded as what
ran. So a stage reads its inputs first of all, parameters included, and checks them before it writes results.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml
from pathspec import GitIgnoreSpec

from cae.core import fingerprints
from cae.core.errors import UserError

MISSING = "missing"
# Where digests of what the code computes lie; studies name some of them as parameters.
BEHAVIOUR = "behaviour"


@dataclass(frozen=True)
class Inputs:
    """The content of everything that one stage of a DVC project depends on, at one moment."""

    stage: str
    project: Path
    files: Mapping[str, str]  # path from here → SHA-256
    params: Mapping[str, Any]  # FILE:KEY → its values

    @classmethod
    def read(cls, stage: str, project: Path = Path()) -> Self:
        """Read them now.

        Raises:
            UserError: dvc.yaml has no such stage, a file of parameters is no mapping, or digests that the
                stage depends on were computed from other sources than those that are there now.
        """
        declared = mapping(project / "dvc.yaml").get("stages", {}).get(stage)
        if declared is None:
            raise UserError(f"{project / 'dvc.yaml'} has no stage {stage}: bring the committed file back")
        for path in digest_files(project, declared.get("params", [])):
            check_digests(path)
        paths = sorted(path for entry in declared["deps"] for path in files(from_here(project, entry)))
        return cls(
            stage,
            project,
            {str(path): fingerprints.hash_file(path) if path.exists() else MISSING for path in paths},
            {
                key: values
                for entry in declared.get("params", [])
                for key, values in parameters(project, entry)
            },
        )

    def check(self) -> None:
        """Raise UserError, naming what differs, unless everything is still as it was read."""
        now = Inputs.read(self.stage, self.project)
        before, after = ({**inputs.files, **inputs.params} for inputs in (self, now))
        changed = [name for name in sorted(before.keys() | after) if before.get(name) != after.get(name)]
        if changed:
            raise UserError(
                f"{', '.join(changed)} changed while the stage {self.stage} ran, so its results were not "
                "written: DVC would have recorded the new content as what ran. Run again; where training had "
                "finished, putting the old content back first writes its results at once."
            )

    @property
    def parts(self) -> dict[str, str]:
        """What a run is made of, in words → its fingerprint: the same on every machine at the same work."""
        images, sources = (
            {name: digest for name, digest in self.files.items() if name.startswith("data/") is are_images}
            for are_images in (True, False)
        )
        contents = {
            "images in data/prepared": images,
            "values in params.yaml": self.params,
            "sources (cae/, stages/, requirements.txt)": sources,
        }
        return {words: fingerprints.hash_values(content) for words, content in contents.items()}

    @property
    def fingerprint(self) -> str:
        """One name for all of it."""
        return fingerprints.hash_values(self.parts)


def from_here(project: Path, path: str) -> Path:
    """Turn a path of a project's dvc.yaml, which may begin with `..`, into one from the top folder."""
    return Path(os.path.normpath(project / path))


def files(path: Path) -> list[Path]:
    """Return a file, or the files of a folder that DVC does not ignore either."""
    if not path.is_dir():
        return [path]
    ignored = GitIgnoreSpec.from_lines(Path(".dvcignore").read_text().splitlines())
    return [file for file in path.rglob("*") if file.is_file() and not ignored.match_file(file)]


def parameters(project: Path, entry: str | Mapping[str, list[str]]) -> Iterator[tuple[str, Any]]:
    """Read the parameters that one entry of dvc.yaml names, as (FILE:KEY, values); a key may have dots."""
    named = {"params.yaml": [entry]} if isinstance(entry, str) else entry
    for name, keys in named.items():
        path = from_here(project, name)
        for key in keys:
            values: Any = mapping(path)
            for part in key.split("."):
                values = values.get(part, MISSING) if isinstance(values, dict) else MISSING
            yield f"{path}:{key}", values


def digest_files(project: Path, entries: Sequence[str | Mapping[str, list[str]]]) -> list[Path]:
    """Name the files of digests among those that entries of dvc.yaml take parameters from."""
    named = [from_here(project, name) for entry in entries if not isinstance(entry, str) for name in entry]
    return [path for path in named if path.parent.name == BEHAVIOUR]


def check_digests(path: Path) -> None:
    """Raise UserError unless digests were computed from the sources as they are now.

    The file itself says from which: under "sources" a fingerprint for each pattern of files.
    """
    recorded = mapping(path).get("sources", {}) if path.exists() else {}
    changed = [name for name, value in recorded.items() if fingerprints.hash_files(name) != value]
    if changed or not recorded:
        what = f"{' and '.join(changed)} changed" if changed else f"{path} is missing or incomplete"
        raise UserError(
            f"{what}, so {path} may no longer tell what the code computes; nothing was written. Bring the "
            f"digests up to date, in the top folder: cd {BEHAVIOUR} && dvc repro. Then run again"
        )


def mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that has to hold a mapping; UserError where it does not, or cannot be read."""
    try:
        content = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read ({error}). Run from the project's folder.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no mapping: bring the committed file back")
    return content
