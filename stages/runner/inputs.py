"""What a stage depends on, as dvc.yaml declares it.

DVC hashes dependencies after a command has ended: a file that was edited meanwhile would be recorded as what
ran. So inputs are read before a stage runs, and compared again before its results are written.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Self

import yaml
from pathspec import GitIgnoreSpec

from cae.core import fingerprints
from cae.core.errors import UserError

Read = Callable[[Path], Mapping[str, Any]]
PARAMS = "params.yaml"
MISSING = "missing"
# The folder with digests of what the code computes; studies depend on some of them as parameters.
BEHAVIOUR = "behaviour"
# Keys of version 1 → where their values are now.
RENAMED = {
    "prepare": "split, with data.source: fashion-mnist",
    "maps": "embedding",
    "anomaly.spot": "anomaly.smoothing",
}


@dataclass(frozen=True)
class Inputs:
    """The content of everything that one stage of a DVC project depends on, at one moment."""

    stage: str
    folder: Path
    arguments: Sequence[str]
    # Dependencies as dvc.yaml writes them, with `${…}` replaced.
    dependencies: Sequence[str]
    # Outputs, metrics and plots, likewise.
    outputs: Sequence[str]
    # Path from the top folder → SHA-256 of the file.
    files: Mapping[str, str]
    # FILE:KEY → value of the parameter.
    parameters: Mapping[str, Any]
    # The parameters but for digests, nested as in the files.
    settings: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, stage: str, folder: Path = Path(), arguments: Sequence[str] = ()) -> Self:
        """Read them now.

        Args:
            stage: its name in dvc.yaml, without `@`.
            folder: of the project, from the top folder.
            arguments: values of the stage's matrix, in the order in which its command names them.

        Raises:
            UserError: dvc.yaml has no such stage, params.yaml has what no stage uses, or digests were
                computed from other sources than those that are there now.
        """
        pipeline = read_mapping(folder / "dvc.yaml")
        declared = pipeline.get("stages", {}).get(stage)
        if declared is None:
            raise UserError(f"{folder / 'dvc.yaml'} has no stage {stage}: restore the committed file")
        # Every file is read, and its digests are checked, once.
        read = cache(read_parameters)
        check_sections(folder, pipeline, read)
        keys = re.findall(r"\$\{item(?:\.(\w+))?\}", declared["cmd"])
        item = {f"item.{key}" if key else "item": value for key, value in zip(keys, arguments)}
        replace = partial(replace_variables, folder=folder, item=item, read=read)

        parameters: dict[str, Any] = {}
        settings: dict[str, Any] = {}
        for path, declared_key in list_parameters(folder, declared.get("params", [])):
            key = replace(declared_key)
            value = parameters[f"{path}:{key}"] = find_value(read(path), key)
            if not has_digests(path):
                insert(settings, key, value)
        dependencies = [replace(entry) for entry in declared.get("deps", [])]
        paths = sorted(path for entry in dependencies for path in list_files(resolve(folder, entry)))
        return cls(
            stage,
            folder,
            arguments,
            dependencies,
            [replace(entry) for entry in list_outputs(declared)],
            {str(path): fingerprints.hash_file(path) if path.exists() else MISSING for path in paths},
            parameters,
            settings,
        )

    def check(self) -> None:
        """Raise UserError, naming what differs, unless everything is still as it was read."""
        now = Inputs.read(self.stage, self.folder, self.arguments)
        before, after = ({**inputs.files, **inputs.parameters} for inputs in (self, now))
        changed = [name for name in sorted(before.keys() | after) if before.get(name) != after.get(name)]
        if changed:
            raise UserError(
                f"{', '.join(changed)} changed while the stage {self.stage} ran, so its results were not "
                "written: DVC would have recorded the new content as what ran. Run again; if training had "
                "finished, restore the old content first to get its results at once."
            )

    @property
    def parts(self) -> dict[str, str]:
        """What a run depends on, described for the user → its fingerprint, the same on every machine."""
        kinds = {name: "images" if "data" in Path(name).parts else "other files" for name in self.files}
        for name in self.parameters:
            digests = has_digests(Path(name.partition(":")[0]))
            kinds[name] = "digests of the code" if digests else "values in params.yaml"
        contents = {**self.files, **self.parameters}
        return {
            kind: fingerprints.hash_values({name: contents[name] for name in kinds if kinds[name] == kind})
            for kind in sorted(set(kinds.values()))
        }

    @property
    def fingerprint(self) -> str:
        """One name for all of it."""
        return fingerprints.hash_values(self.parts)


def replace_variables(text: str, folder: Path, item: Mapping[str, str], read: Read) -> str:
    """Replace every `${KEY}` of a text in dvc.yaml: by a value of the matrix, or of params.yaml."""

    def find(match: re.Match[str]) -> str:
        key = match[1]
        return item[key] if key in item else str(find_value(read(folder / PARAMS), key))

    return re.sub(r"\$\{([\w.]+)\}", find, text)


def check_sections(folder: Path, pipeline: Mapping[str, Any], read: Read) -> None:
    """Raise UserError where params.yaml has a section that no stage uses: a slip, or an old name."""
    path = folder / PARAMS
    if not path.exists():
        return
    used = {
        key.partition(".")[0]
        for stage in pipeline["stages"].values()
        for file, key in list_parameters(folder, stage.get("params", []))
        if file == path
    }
    used |= set(re.findall(r"\$\{(\w+)", (folder / "dvc.yaml").read_text()))
    for old, new in RENAMED.items():
        if find_value(read(path), old) != MISSING:
            kind = "key" if "." in old else "section"
            raise UserError(f"{path} has the {kind} {old}, which is now {new}: see CHANGELOG.md")
    for name in read(path):
        if name not in used:
            raise UserError(
                f"{path} has the section {name}, which no stage of {folder / 'dvc.yaml'} uses: remove it, or "
                f"write one of {', '.join(sorted(used))}"
            )


def list_parameters(
    folder: Path, entries: Sequence[str | Mapping[str, list[str]]]
) -> Iterator[tuple[Path, str]]:
    """Yield the file and the key of every parameter that a stage declares."""
    for entry in entries:
        for name, keys in ({PARAMS: [entry]} if isinstance(entry, str) else entry).items():
            yield from ((resolve(folder, name), key) for key in keys)


def has_digests(path: Path) -> bool:
    """Tell whether a file of parameters holds digests of what the code computes."""
    return path.parent.name == BEHAVIOUR


def read_parameters(path: Path) -> dict[str, Any]:
    """Read a file of parameters; UserError where it is damaged, or its digests are out of date."""
    if has_digests(path):
        check_digests(path)
    return read_mapping(path)


def find_value(parameters: Mapping[str, Any], key: str) -> Any:
    """Return the value of a key, which may have dots, or MISSING."""
    value: Any = parameters
    for part in key.split("."):
        value = value.get(part, MISSING) if isinstance(value, dict) else MISSING
    return value


def insert(settings: dict[str, Any], key: str, value: Any) -> None:
    """Put a value into nested settings; a parameter that is missing is left out."""
    if value == MISSING:
        return
    *sections, name = key.split(".")
    for section in sections:
        settings = settings.setdefault(section, {})
    settings[name] = value


def list_outputs(declared: Mapping[str, Any]) -> list[str]:
    """List the paths of all results that a stage declares."""
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in declared.get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def resolve(folder: Path, path: str) -> Path:
    """Turn a path of a project's dvc.yaml, which may begin with `..`, into one from the top folder."""
    return Path(os.path.normpath(folder / path))


def is_within(name: str, paths: Iterable[str]) -> bool:
    """Tell whether a path is one of these, or lies in one of them."""
    return any(name == path or name.startswith(f"{path}/") for path in paths)


def list_files(path: Path) -> list[Path]:
    """Return a file, or the files of a folder that DVC does not ignore either."""
    if not path.is_dir():
        return [path]
    ignored = GitIgnoreSpec.from_lines(Path(".dvcignore").read_text().splitlines())
    return [file for file in path.rglob("*") if file.is_file() and not ignored.match_file(file)]


def check_digests(path: Path) -> None:
    """Raise UserError unless digests were computed from the sources as they are now.

    The file itself says from which: under "sources" a fingerprint for each pattern of files.
    """
    recorded = read_mapping(path).get("sources", {}) if path.exists() else {}
    changed = [name for name, value in recorded.items() if fingerprints.hash_files(name) != value]
    if changed or not recorded:
        what = f"{' and '.join(changed)} changed" if changed else f"{path} is missing or incomplete"
        raise UserError(
            f"{what}, so {path} may no longer describe what the code computes; nothing was written. Update "
            f"the digests, in the top folder: cd {BEHAVIOUR} && dvc repro. Then run again"
        )


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that has to hold a mapping; UserError where it does not, or cannot be read."""
    try:
        content = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise UserError(
            f"{path} cannot be read ({error}). Run dvc repro in the project's folder, or python -m stages in "
            "the top folder"
        ) from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is not a mapping: restore the committed file")
    return content
