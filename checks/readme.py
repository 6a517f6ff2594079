"""Write the tables of README.md anew from the committed results: `python -m checks.readme`.

A table stands between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks import markdown
from checks import tables
from studies.anomaly import table as anomaly

README = Path(__file__).parents[1] / "README.md"

TABLES: Mapping[str, Callable[[], str]] = {
    "results": tables.results,
    "linear probe": partial(tables.transfer, "linear"),
    "nearest neighbours": partial(tables.transfer, "knn"),
    "anomaly": lambda: markdown.table(anomaly.HEADER, anomaly.rows()),
    "speed": tables.speed,
    "target": tables.target,
}


def filled(text: str) -> str:
    """Return README's text with every table made anew; ValueError where a table's place is missing."""
    for name, made in TABLES.items():
        before, opening, rest = text.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        if not (opening and closing):
            raise ValueError(f"README.md has no place for the table {name}")
        text = f"{before}{opening}{made()}\n{closing}{after}"
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
