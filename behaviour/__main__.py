"""Write one file of digests, or sources.json: python -m behaviour NAME, from the top folder."""

import json
import sys
from functools import partial

import behaviour
from cae.core import environment
from cae.core.errors import UserError


def main(name: str) -> None:
    """Write behaviour/NAME.json; `sources` alone loads no heavy package, since DVC runs it every time."""
    if name == "sources":
        record = json.dumps(behaviour.hash_sources(), indent=2, sort_keys=True)
        (behaviour.FOLDER / "sources.json").write_text(record + "\n")
        return
    from stages import runner

    runner.execute(partial(write, name))


def write(name: str) -> None:
    """Compute the digests of a module's CASES; UserError where a source changes meanwhile."""
    from behaviour import digests
    from cae.core import files

    before = behaviour.hash_sources()
    computed = digests.compute_digests(environment.import_quietly(f"behaviour.{name}").CASES)
    if behaviour.hash_sources() != before:
        raise UserError("the sources changed while their digests were computed: run again")
    files.write_json(behaviour.FOLDER / f"{name}.json", {"sources": before, **computed})


if __name__ == "__main__":
    main(sys.argv[1])
