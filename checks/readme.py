"""Write the tables of README.md and of the other pages from the committed results: `python -m checks.readme`.

A table stands between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from benchmarks import memory, report, scores
from checks import tables
from studies import detection
from studies.anomaly import table as anomaly
from studies.denoising import table as denoising
from studies.medical import table as medical
from studies.rate import table as rate
from studies.recipe import table as recipe
from studies.score import table as score
from studies.seeds import table as seeds
from studies.self_supervised import table as self_supervised
from studies.variational import table as variational

ROOT = Path(__file__).parents[1]


def tabulate_memory() -> pd.DataFrame:
    """Compare what the stages take of few images and of many."""
    return memory.compare(pd.read_csv(ROOT / memory.RESULTS))


def tabulate_scores() -> pd.DataFrame:
    """Compare the memory and the speed of scores."""
    return scores.tabulate(pd.read_csv(ROOT / scores.RESULTS))


PAGES: Mapping[str, Mapping[str, Callable[[], pd.DataFrame]]] = {
    "README.md": {
        "results": tables.tabulate_results,
        "linear probe": partial(tables.tabulate_probe, "linear"),
    },
    "MODEL_CARD.md": {
        "facts": tables.tabulate_facts,
        "results": tables.tabulate_results,
        "nearest neighbours": partial(tables.tabulate_probe, "knn"),
    },
    "benchmarks/README.md": {
        "speed": tables.tabulate_speed,
        "target": tables.tabulate_target,
        "residual": tables.tabulate_residual_speed,
        "growth": tabulate_memory,
        "scores": tabulate_scores,
    },
    "studies/anomaly/README.md": {"anomaly": anomaly.tabulate_methods},
    "studies/denoising/README.md": {
        "psnr": partial(denoising.tabulate_metric, "psnr"),
        "ssim": partial(denoising.tabulate_metric, "ssim"),
        "differences": denoising.tabulate_differences,
        "psnr of mean mse": partial(denoising.tabulate_metric, "psnr_of_mean_mse"),
        "strengths": denoising.tabulate_strengths,
    },
    "studies/industrial/README.md": {
        "methods": partial(detection.tabulate_methods, ROOT / "studies/industrial"),
        "classes": partial(detection.tabulate_classes, ROOT / "studies/industrial"),
        "reconstruction": partial(detection.tabulate_reconstruction, ROOT / "studies/industrial"),
    },
    "studies/medical/README.md": {
        "methods": partial(detection.tabulate_methods, ROOT / "studies/medical"),
        "repeats": medical.tabulate_repeats,
        "sizes": medical.tabulate_sizes,
        "reconstruction": partial(detection.tabulate_reconstruction, ROOT / "studies/medical"),
    },
    "studies/rate/README.md": {"numbers": rate.tabulate_by_size, "bits": rate.tabulate_by_bits},
    "studies/recipe/README.md": {"recipe": recipe.tabulate_losses},
    "studies/score/README.md": {"scores": score.tabulate_scores, "kinds": score.tabulate_kinds},
    "studies/seeds/README.md": {"noise": seeds.tabulate_noise, "failed": seeds.tabulate_failed},
    "studies/self_supervised/README.md": {
        "codes": self_supervised.tabulate_codes,
        "transfer": self_supervised.tabulate_transfer,
    },
    "studies/variational/README.md": {
        "likelihood": variational.tabulate_likelihoods,
        "betas": variational.tabulate_betas,
    },
}


def fill(page: str, text: str) -> str:
    """Return a page's text with its tables; ValueError if it has no place for one of them."""
    for name, tabulate in PAGES[page].items():
        before, opening, rest = text.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        if not (opening and closing):
            raise ValueError(
                f"{page} has no place for the table {name}: add <!-- {name} --> <!-- /{name} -->"
            )
        text = f"{before}{opening}{report.write_table(tabulate())}\n{closing}{after}"
    return text


if __name__ == "__main__":
    for page in PAGES:
        path = ROOT / page
        path.write_text(fill(page, path.read_text()))
