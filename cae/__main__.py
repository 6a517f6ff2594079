"""python -m cae: the same as the command `cae`."""

from cae.cli.app import app

if __name__ == "__main__":
    app(prog_name="cae")
