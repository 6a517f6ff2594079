"""Write the tables of README.md and other pages anew from committed results: `python -m checks.readme`.

A table stands between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

# A study pins the environment, before pandas loads NumPy.
from studies import detection
from studies.anomaly import table as anomaly
from studies.denoising import table as denoising
from studies.medical import table as medical
from studies.rate import table as rate
from studies.recipe import table as recipe
from studies.seeds import table as seeds
from studies.variational import table as variational

# isort: split
import pandas as pd

from benchmarks import markdown, memory
from checks import tables

ROOT = Path(__file__).parents[1]


def growth() -> str:
    """Compare what few pictures and many take."""
    return memory.compared(pd.read_csv(ROOT / memory.RESULTS))


PAGES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "README.md": {
        "results": tables.results,
        "linear probe": partial(tables.transfer, "linear"),
        "speed": tables.speed,
    },
    "MODEL_CARD.md": {
        "facts": tables.facts,
        "results": tables.results,
        "nearest neighbours": partial(tables.transfer, "knn"),
    },
    "docs/machines.md": {},
    "docs/pictures.md": {},
    "own/README.md": {},
    "benchmarks/README.md": {"target": tables.target, "residual": tables.residual, "growth": growth},
    "studies/anomaly/README.md": {"anomaly": lambda: markdown.table(anomaly.HEADER, anomaly.rows())},
    "studies/denoising/README.md": {
        "psnr": lambda: markdown.table(*denoising.psnr()),
        "ssim": lambda: markdown.table(*denoising.ssim()),
        "differences": lambda: markdown.table(*denoising.differences()),
        "psnr of mean mse": lambda: markdown.table(*denoising.psnr_of_mean_mse()),
        "strengths": lambda: markdown.table(*denoising.strengths()),
    },
    "studies/industrial/README.md": {
        "methods": lambda: markdown.table(*detection.by_method(ROOT / "studies/industrial")),
        "classes": lambda: markdown.table(*detection.by_class(ROOT / "studies/industrial")),
        "reconstruction": lambda: markdown.table(*detection.reconstruction(ROOT / "studies/industrial")),
    },
    "studies/medical/README.md": {
        "methods": lambda: markdown.table(*detection.by_method(ROOT / "studies/medical")),
        "sizes": lambda: markdown.table(*medical.by_size()),
        "reconstruction": lambda: markdown.table(*detection.reconstruction(ROOT / "studies/medical")),
    },
    "studies/rate/README.md": {
        "numbers": lambda: markdown.table(*rate.by_numbers()),
        "bits": lambda: markdown.table(*rate.by_bits()),
    },
    "studies/seeds/README.md": {
        "noise": lambda: markdown.table(*seeds.noise()),
        "deaths": lambda: markdown.table(*seeds.deaths()),
    },
    "studies/variational/README.md": {
        "likelihood": lambda: markdown.table(*variational.by_likelihood()),
        "betas": lambda: markdown.table(*variational.by_beta()),
    },
    "studies/recipe/README.md": {"recipe": lambda: markdown.table(*recipe.by_recipe())},
}


def filled(page: str, text: str) -> str:
    """Return a page's text with every table made anew; ValueError where a table's place is missing."""
    for name, made in PAGES[page].items():
        before, opening, rest = text.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        if not (opening and closing):
            raise ValueError(f"{page} has no place for the table {name}")
        text = f"{before}{opening}{made()}\n{closing}{after}"
    return text


if __name__ == "__main__":
    for page in PAGES:
        path = ROOT / page
        path.write_text(filled(page, path.read_text()))
