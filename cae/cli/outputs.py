"""Checks that a command does not overwrite what it reads."""

from collections.abc import Sequence
from pathlib import Path

from cae.core.errors import UserError
from cae.datasets import formats


def check_apart(files: Sequence[Path], folders: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Raise UserError where a command would write over what it reads, or next time read what it writes.

    Args:
        files: to be written.
        folders: to be filled with pictures.
        inputs: files and folders to be read.
    """
    for read in inputs:
        for out in (*files, *folders):
            if out.resolve() == read.resolve():
                raise UserError(f"{out} would be written over what is read: name another place")
        for out in folders:
            if read.is_dir() and out.resolve().is_relative_to(read.resolve()):
                raise UserError(f"{out} lies in {read}, which is read: name another place")
    for out in files:
        file_format = formats.detect_format(out) if out.is_file() else None
        if file_format and file_format.kind != "npz":
            raise UserError(f"{out} is a picture, and would be written over: name another file")
