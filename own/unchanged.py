"""A source that must not change while it is read: DVC would take what was read for what lies there."""

from pathlib import Path

from cae.core.errors import UserError
from cae.datasets.safety import quote


class Unchanged:
    """When every file of a source was last changed, and how long each is."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.states = states(source)

    def check(self) -> None:
        """Raise UserError where the source is no longer as it was."""
        if states(self.source) != self.states:
            raise UserError(f"{quote(self.source)} changed while it was read: run again")


def states(source: Path) -> list[tuple[str, int, int]]:
    """Say of a file, or of all in a folder, when it was last changed, in nanoseconds, and how long it is."""
    files = [source] if source.is_file() else sorted(source.rglob("*"))
    found = ((str(file), file.lstat()) for file in files)
    return [(name, state.st_size, state.st_mtime_ns) for name, state in found]
