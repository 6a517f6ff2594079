"""How a stage starts and ends at the terminal."""

import sys
import time
from collections.abc import Callable

from cae.errors import UserError


def run(stage: Callable[[], None]) -> None:
    """Run a stage; a user's mistake is told in plain words on stderr and ends with exit code 1.

    The time taken goes to the terminal, never into a tracked file.
    """
    start = time.monotonic()
    try:
        stage()
    except UserError as error:
        sys.exit(f"error: {error}")
    print(f"done in {time.monotonic() - start:.0f} s")
