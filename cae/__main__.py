"""The command line: what a trained network makes of your own pictures. `cae --help` has the commands."""

import sys

from cae.commands import line
from cae.ground.errors import UserError


def main() -> None:
    """Run a command and end the process as its user expects: a mistake in plain words, and exit code 1."""
    try:
        line.run(sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("stopped: nothing half-written was left", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
