"""The command line: what a trained network makes of your own pictures. `cae --help` has the commands."""

import os
import sys

from cae.core import environment
from cae.core.errors import UserError


def main() -> None:
    """Run a command and end the process as its user expects: a mistake in plain words, and exit code 1."""
    try:
        # Takes seconds, in which it may be stopped as well.
        environment.import_quietly("cae.cli.line").run(sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:
        # Who read along, such as head, has gone; Python would complain of it once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        print("stopped: what was written is whole", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
