"""What a stage depends on, as dvc.yaml declares it: one list for DVC, for resuming and for a guard.

DVC hashes dependencies after a command has ended: a file that was edited meanwhile would be recorded as what
ran. So a stage reads its inputs when it begins and checks them before it writes.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml
from pathspec import GitIgnoreSpec

from cae.ground import fingerprints
from cae.ground.errors import UserError

MISSING = "missing"


@dataclass(frozen=True)
class Inputs:
    """The content of everything that one stage of a DVC project depends on, at one moment."""

    stage: str
    project: Path
    files: Mapping[str, str]  # path from here → SHA-256
    params: Mapping[str, Any]  # FILE:SECTION → its values

    @classmethod
    def of(cls, stage: str, project: Path = Path()) -> Self:
        """Read them now, from the project's dvc.yaml on; UserError where there is none with this stage."""
        try:
            declared = yaml.safe_load((project / "dvc.yaml").read_bytes())["stages"][stage]
        except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
            raise UserError(f"{project / 'dvc.yaml'} has no readable stage {stage} ({error})") from error
        paths = sorted(path for entry in declared["deps"] for path in files(within(project, entry)))
        return cls(
            stage,
            project,
            {str(path): fingerprints.of_file(path) if path.exists() else MISSING for path in paths},
            {key: values for entry in declared.get("params", []) for key, values in sections(project, entry)},
        )

    def check(self) -> None:
        """Raise UserError, naming what differs, unless everything is still as it was read."""
        now = Inputs.of(self.stage, self.project)
        before, after = ({**inputs.files, **inputs.params} for inputs in (self, now))
        changed = [name for name in sorted(before.keys() | after) if before.get(name) != after.get(name)]
        if changed:
            raise UserError(
                f"{', '.join(changed)} changed while the stage {self.stage} ran, so nothing was written: DVC "
                "would have recorded the new content as what ran. Run again; where training had finished, "
                "putting the old content back writes its result at once."
            )

    @property
    def parts(self) -> dict[str, str]:
        """What this is made of, in words → its fingerprint: the same on every machine at the same work."""
        data, code = (
            {name: digest for name, digest in self.files.items() if name.startswith("data/") is in_data}
            for in_data in (True, False)
        )
        contents = {"images in data/prepared": data, "values in params.yaml": self.params}
        contents["code (cae/, stages/, requirements.txt)"] = code
        return {words: fingerprints.fingerprint([], content) for words, content in contents.items()}

    @property
    def fingerprint(self) -> str:
        """One name for all of it."""
        return fingerprints.fingerprint([], self.parts)


def within(project: Path, path: str) -> Path:
    """Turn a path of a project's dvc.yaml into one from here: `..` is taken back."""
    return Path(os.path.normpath(project / path))


def files(path: Path) -> list[Path]:
    """Return a file, or the files of a folder that DVC does not ignore either."""
    if not path.is_dir():
        return [path]
    ignored = GitIgnoreSpec.from_lines(Path(".dvcignore").read_text().splitlines())
    return [file for file in path.rglob("*") if file.is_file() and not ignored.match_file(file)]


def sections(project: Path, entry: str | Mapping[str, list[str]]) -> Iterator[tuple[str, Any]]:
    """Read the sections of parameters that one entry of dvc.yaml names, as (FILE:SECTION, values)."""
    named = {"params.yaml": [entry]} if isinstance(entry, str) else entry
    for name, keys in named.items():
        path = within(project, name)
        content = yaml.safe_load(path.read_bytes())
        yield from ((f"{path}:{key}", content.get(key, MISSING)) for key in keys)
