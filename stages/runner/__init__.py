"""Runs a stage: reads what dvc.yaml declares for it, calls it, and writes what it returns."""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, get_type_hints

from cae.core import environment
from cae.core.errors import UserError

# Before anything that a stage imports: NumPy and TensorFlow read the environment when they load.
environment.set_variables()

from stages.runner.inputs import Inputs, is_within
from stages.runner.project import Project, Results


class StopSignal(BaseException):
    """The user or the system asked the process to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def run(module: str, stage: str, folder: Path, arguments: Sequence[str] = ()) -> None:
    """Run a stage of a project.

    Args:
        module: with a function of the stage's name, `stage(project, settings, *arguments)`.
        stage: its name in dvc.yaml.
        folder: of the project.
        arguments: further arguments, converted to the types that the function declares.
    """

    def run_stage() -> None:
        inputs = Inputs.read(stage, folder, arguments)
        call(getattr(environment.import_quietly(module), stage), Project(folder, inputs), arguments)

    execute(run_stage)


def execute(action: Callable[[], None]) -> None:
    """Do something, and end the process as a user of the terminal expects.

    A mistake of the user ends with one message on stderr and exit code 1; SIGINT and SIGTERM end with 128
    plus the signal's number, as in a shell. The time is printed and written nowhere.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, raise_stop)
    start = time.monotonic()
    try:
        action()
    except UserError as error:
        sys.exit(f"error: {error}")
    except StopSignal as stopped:
        stop(stopped)
    print(f"done in {time.monotonic() - start:.0f} s")


def raise_stop(number: int, _: FrameType | None) -> None:
    """Unwind the stack, so that temporary files are removed."""
    raise StopSignal(number)


def stop(stopped: StopSignal) -> NoReturn:
    """End the process after a signal."""
    print(
        f"stopped by {stopped}: no incomplete file was left. Run the same command again to continue: "
        "training resumes after its last finished epoch, any other stage starts again.",
        file=sys.stderr,
        flush=True,
    )
    sys.stdout.flush()
    # Threads in compiled code may go on for long, and crash when Python is finalised under them.
    os._exit(128 + stopped.number)


def call(function: Callable[..., Results], project: Project, arguments: Sequence[str]) -> None:
    """Call a stage with its settings, and write its results unless an input has changed meanwhile."""
    assert project.inputs is not None
    from cae.core import config, words  # after the signal handlers are set

    hints = get_type_hints(function)
    names = [name for name in hints if name not in ("project", "return")]
    values: dict[str, Any] = {}
    if "settings" in names:
        source = project.folder / "params.yaml"
        values["settings"] = config.validate(project.inputs.settings, hints["settings"], source)
        names.remove("settings")
    if len(arguments) != len(names):
        takes = f"{words.pluralize(len(names), 'argument')} ({', '.join(names)})" if names else "no arguments"
        raise UserError(f"the stage {project.inputs.stage} takes {takes}, but got {len(arguments)}")
    values |= {name: hints[name](text) for name, text in zip(names, arguments)}
    results = function(project, **values)
    # Of several workers, only one returns results.
    if results:
        write_results(project, results)


def write_results(project: Project, results: Results) -> None:
    """Write the results that dvc.yaml declares, and remove the stage's checkpoints.

    All are written to a folder beside them first, so an error leaves the old ones. A result that this project
    does not declare is left out.

    Raises:
        UserError: a declared result is missing, the folder cannot be written, or an input has changed.
    """
    assert project.inputs is not None
    for declared in project.inputs.outputs:
        if not any(is_within(path, [declared]) for path in results):
            raise UserError(
                f"the stage {project.inputs.stage} did not return {declared}, which "
                f"{project.folder / 'dvc.yaml'} declares: it returned {', '.join(results)}"
            )
    try:
        temporary = tempfile.TemporaryDirectory(
            dir=project.folder, prefix=f".{project.inputs.stage}-", suffix=".part"
        )
    except OSError as error:
        raise UserError(
            f"{project.folder} cannot be written: {error.strerror}. Make it writable, then run again."
        ) from error
    with temporary as name:
        scratch = Path(name)
        for path, content in results.items():
            if is_within(path, project.inputs.outputs):
                write_result(scratch / path, content)
        project.inputs.check()
        for file in sorted(scratch.rglob("*")):
            if file.is_file():
                move(file, project.folder / file.relative_to(scratch))
    shutil.rmtree(project.checkpoints, ignore_errors=True)


def move(source: Path, target: Path) -> None:
    """Move a file, also to another disk; UserError where the target cannot be written."""
    from cae.core import files

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    except OSError:
        # The target is on another disk, or cannot be written, which becomes a UserError here.
        with files.open_atomically(target) as file, source.open("rb") as content:
            shutil.copyfileobj(content, file)


def write_result(path: Path, content: Any) -> None:
    """Write a table as CSV, an array as .npy, a figure as PNG, a network as .keras, a mapping as JSON.

    A `functools.partial` writes whatever it likes at the path that it is given.
    """
    from cae.core import files

    if isinstance(content, partial):
        content(path)
    elif isinstance(content, Mapping | list):
        files.write_json(path, content)
    else:
        writers: dict[str, Callable[[Path, Any], None]] = {
            ".csv": files.write_csv,
            ".npy": files.write_array,
            ".png": files.write_figure,
            ".keras": files.write_model,
        }
        writers[path.suffix](path, content)
