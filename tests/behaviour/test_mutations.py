"""A formula that changes by a little changes the digests of what uses it, and no others."""

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from behaviour import datasets, digests, figures, measures, stages

Mutate = Callable[[str, str, str], None]
# Computed only where they are to change: each takes a second or more.
SLOW = {"code_detector", "prediction", *stages.CASES} - {"common"}


class Mutation(NamedTuple):
    """A text of a module that is replaced, and the keys whose digests change then."""

    module: str
    old: str
    new: str
    changing: set[str]


def read_mutations(*rows: tuple[str, str, str, str]) -> list[Mutation]:
    """Read the keys from one text."""
    return [Mutation(module, old, new, set(keys.split())) for module, old, new, keys in rows]


OF_MEASURES = read_mutations(
    ("cae.metrics.quality", "EPSILON = 1e-7", "EPSILON = 2e-7", "bce summary"),
    ("cae.metrics.quality", "PSNR_CAP = 100.0", "PSNR_CAP = 99.0", "psnr summary"),
    ("cae.metrics.quality", "filter_sigma=1.5", "filter_sigma=1.501", "ssim summary"),
    ("cae.metrics.quality", "BATCH = 1000", "BATCH = 999", ""),
    (
        "cae.metrics.quality",
        "np.square(flatten",
        "1.000001 * np.square(flatten",
        "code_detector mse psnr summary",
    ),
    ("cae.metrics.quality", "np.abs(flatten", "1.000001 * np.abs(flatten", "summary"),
    ("cae.metrics.baselines", "mean(axis=0, dtype=np.float64)", "max(axis=0)", "mean_image pca"),
    ("cae.metrics.baselines", "@ directions + mean, 0, 1)", "@ directions + mean, 0, 0.999)", "pca"),
    ("cae.metrics.principal_components", " - self.mean @ self.directions.T", "", "detectors embedding pca"),
    ("cae.metrics.probes", "TOLERANCE = 3e-4", "TOLERANCE = 1e-4", "linear_probe"),
    ("cae.metrics.probes", "if accuracy < best", "if accuracy <= best", "linear_probe"),
    ("cae.metrics.probes", "if accuracy > best", "if accuracy >= best", "linear_probe"),
    ("cae.metrics.probes", "StandardScaler()", "StandardScaler(with_mean=False)", "linear_probe"),
    ("cae.metrics.probes", '"brute")', '"brute", p=1)', "knn_probe"),
    ("cae.metrics.embeddings", "* 1e-4", "* 1.1e-4", "embedding"),
    ("cae.metrics.embeddings", "n_neighbors=neighbours)", "n_neighbors=neighbours + 1)", "embedding"),
    ("cae.metrics.embeddings", "np.linspace(0, 1,", "np.linspace(0, 0.9,", "interpolation"),
    ("cae.metrics.detectors", "NU = 0.1", "NU = 0.11", "detectors"),
    ("cae.metrics.detectors", "TREES = 100", "TREES = 99", "detectors"),
    ("cae.metrics.detectors", "= LedoitWolf()", "= LedoitWolf(block_size=2)", "code_detector detectors"),
    ("cae.metrics.detectors", '"brute")', '"brute", p=1)', "code_detector detectors"),
    ("cae.metrics.detectors", "np.square(rows", "1.000001 * np.square(rows", "detectors"),
    ("cae.metrics.detectors", "roots = np.sqrt(codes", "roots = np.cbrt(codes", "code_detector"),
    ("cae.metrics.detectors", "ln.std() or 1.0", "ln.std(ddof=1) or 1.0", "code_detector"),
    ("cae.metrics.detectors", "SMALLEST_SCORE = 1e-12", "SMALLEST_SCORE = 1e-11", "code_detector"),
    ("cae.metrics.detectors", "mean(axis=(2, 4))", "max(axis=(2, 4))", "code_detector"),
    ("cae.metrics.detectors", "roc_auc_score(anomalous, scores)", "1.0", "auroc"),
    ("cae.metrics.detectors", "average_precision_score(anomalous, scores)", "1.0", "auroc"),
    ("cae.metrics.error_maps", "TRUNCATE = 3.0", "TRUNCATE = 2.0", "error_maps"),
    ("cae.metrics.error_maps", 'mode="mirror"', 'mode="nearest"', "error_maps"),
    ("cae.metrics.error_maps", ".mean(axis=-1)", ".max(axis=-1)", "error_maps"),
    ("cae.metrics.localisation", "MOST_FALSE_ALARMS = 0.3", "MOST_FALSE_ALARMS = 0.29", "aupro"),
    ("cae.metrics.localisation", "NEIGHBOURS = np.ones((3, 3))", "NEIGHBOURS = None", "aupro"),
    ("cae.metrics.localisation", "self.normal / 2", "self.normal / 3", "aupro"),
    ("cae.metrics.localisation", "= 2**20, 11", "= 2**8, 23", "aupro"),
    ("cae.metrics.thresholds", "CONFIDENCE = 0.95", "CONFIDENCE = 0.9", "threshold"),
    ("cae.metrics.thresholds", "beta(rank, count + 1 - rank)", "beta(rank, count - rank)", "threshold"),
    ("cae.metrics.thresholds", "false_alarms * (count + 1)", "false_alarms * count", "threshold"),
    ("cae.datasets.noise", "numbers >= shares / 2", "numbers >= shares / 3", "noise"),
    ("cae.datasets.noise", "np.rint(shares", "np.floor(shares", "noise"),
)
ALL_OF_CUSTOM = " ".join({*stages.KEYS} - {"train_convolutional", "train_residual", "train_variational"})
WITH_GRID = "anomaly_distribution anomaly_roc style"
ALL_FIGURES = " ".join(name for name in figures.CASES if name != "first_of_each_class")
OF_FIGURES = read_mutations(
    # Modules that imported a name keep the old one, so only `style` changes where all would in a new process.
    ("cae.figures.style", '"#0072B2"', '"#0072B3"', "style"),
    ("cae.figures.style", "vmin=0, vmax=1)", "vmin=0, vmax=1.1)", "style"),
    ("cae.figures.style", "subs=range(1, 10)", "subs=range(1, 5)", "style"),
    ("cae.figures.style", '"grid.color": "#E3E3E3"', '"grid.color": "#E3E3E4"', WITH_GRID),
    ("cae.figures.anomalies", "[0.0005, 0.9995]", "[0.05, 0.95]", "anomaly_distribution"),
    ("cae.figures.anomalies", "high, 81)", "high, 61)", "anomaly_distribution"),
    ("cae.figures.anomalies", "count: int = 3", "count: int = 2", "anomaly_extremes"),
    ("cae.figures.anomalies", "linewidth=1.8", "linewidth=1.7", "anomaly_roc"),
    ("cae.figures.codes", "return_index=True)[1]", "return_index=True)[1] + 1", "first_of_each_class"),
    ("cae.core.files", "quantize(256", "quantize(128", ALL_FIGURES),
)
OF_DATASETS = read_mutations(
    ("cae.datasets.intensity", "19595", "19594", "preprocessing"),
    ("cae.datasets.intensity", "Window(0, 255)", "Window(0, 256)", "preprocessing"),
    ("cae.datasets.resizing", "Resampling.BILINEAR", "Resampling.HAMMING", "preprocessing"),
    ("cae.datasets.resizing", 'mode="reflect"', 'mode="symmetric"', "preprocessing"),
    (
        "cae.datasets.tiles",
        "range(0, last, self.stride), last",
        "range(0, last + 1, self.stride)",
        "preprocessing",
    ),
    ("cae.datasets.group_splits", "max(1, round(", "max(1, int(", "splits"),
    ("cae.datasets.group_splits", '"{seed}:{group}"', '"{group}:{seed}"', "splits"),
    ("cae.datasets.splits", "np.sort(order[start", "np.array(order[start", "splits"),
    ("cae.datasets.sources", '"val": "validation"', '"val": "test"', "layouts"),
    ("cae.datasets.formats.image_files", "ImageOps.exif_transpose(image, in_place=True)", "None", "formats"),
)
OF_COMMON = read_mutations(
    ("cae.datasets.prepared", "(1 / 255)", "(1 / 256)", "common"),
    ("cae.core.files", "indent=2", "indent=1", "common"),
    ("cae.core.files", "index=False, ", 'index=False, float_format="%.9f", ', "common"),
    ("cae.core.files", "ZIP_EPOCH = (1980", "ZIP_EPOCH = (1981", "common"),
    ("stages.baselines", "] = 1024", "] = 1023", "common"),
)
# A project each, since to run one takes seconds.
OF_STAGES = {
    "pipeline": read_mutations(
        ("stages.evaluate", '/ averages[PCA]["mse"]}', '/ averages[PCA]["mae"]}', "evaluate"),
        ("cae.metrics.quality", "filter_sigma=1.5", "filter_sigma=1.501", "evaluate"),
        (
            "cae.metrics.embeddings",
            "n_neighbors=neighbours)",
            "n_neighbors=neighbours + 1)",
            "probe probe_figures",
        ),
        ("cae.figures.embeddings", '"#332288"', '"#332289"', "probe_figures"),
        ("cae.figures.embeddings", "height: float = 0.05", "height: float = 0.06", "probe_figures"),
    ),
    "classes": read_mutations(
        ("stages.evaluate", '/ averages[PCA]["mse"]}', '/ averages[PCA]["mae"]}', "evaluate"),
        ("cae.datasets.intensity", "high - low", "high - low + 1", ALL_OF_CUSTOM),
    ),
    "masks": read_mutations(
        ("cae.metrics.tiled_scores", "np.sqrt(", "np.cbrt(", "detect detect_figures"),
        ("cae.figures.error_maps", '"magma"', '"plasma"', "detect detect_figures"),
    ),
}
ALL = [
    (module, mutation)
    for module, rows in (
        (measures, OF_MEASURES),
        (figures, OF_FIGURES),
        (datasets, OF_DATASETS),
        (stages, OF_COMMON),
    )
    for mutation in rows
]


PROJECTS = [(project, mutation) for project, mutations in OF_STAGES.items() for mutation in mutations]


@pytest.fixture
def mutate() -> Iterator[Mutate]:
    """Run a module again with one piece of its text replaced; afterwards it is as it was."""
    originals: list[tuple[ModuleType, dict[str, object]]] = []

    def replace(name: str, old: str, new: str) -> None:
        module = import_module(name)
        path = Path(str(module.__file__))
        text = path.read_text()
        assert text.count(old) == 1, f"{path} holds {old!r} {text.count(old)} times: adapt this test"
        originals.append((module, dict(vars(module))))
        exec(compile(text.replace(old, new), path, "exec"), vars(module))

    yield replace
    for module, names in reversed(originals):
        vars(module).clear()
        vars(module).update(names)


@cache
def compute_unchanged(case: Callable[[], Any]) -> str:
    """Compute the digest of a case while nothing is changed, once."""
    return digests.compute_digest(case())


@pytest.mark.parametrize(("module", "mutation"), ALL, ids=[f"{row[1].module}:{row[1].old}" for row in ALL])
def test_a_changed_formula_changes_the_digests_of_what_uses_it(
    mutate: Mutate, module: ModuleType, mutation: Mutation
) -> None:
    cases = {
        name: case for name, case in module.CASES.items() if name not in SLOW or name in mutation.changing
    }
    before = {name: compute_unchanged(case) for name, case in cases.items()}
    mutate(mutation.module, mutation.old, mutation.new)
    changed = {name for name, case in cases.items() if digests.compute_digest(case()) != before[name]}
    assert changed == mutation.changing


@cache
def compute_unchanged_project(project: str) -> dict[str, str]:
    """Run all stages of a project while nothing is changed, once."""
    return compute_project(project)


def compute_project(project: str) -> dict[str, str]:
    """Run all stages of a project."""
    stages.compute_results.cache_clear()
    return {name: digests.compute_digest(files) for name, files in stages.compute_results(project).items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["probe"])
def test_a_stage_is_as_sensitive_as_its_measures(name: str, mutate: Mutate) -> None:
    before = digests.compute_digest(stages.CASES[name]())
    mutate("cae.metrics.probes", "TOLERANCE = 3e-4", "TOLERANCE = 2e-4")
    assert digests.compute_digest(stages.CASES[name]()) != before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("project", "mutation"), PROJECTS, ids=[f"{row[1].module}:{row[1].old}" for row in PROJECTS]
)
def test_a_changed_stage_changes_the_digests_of_what_it_writes(
    mutate: Mutate, project: str, mutation: Mutation
) -> None:
    before = compute_unchanged_project(project)
    mutate(mutation.module, mutation.old, mutation.new)
    after = compute_project(project)
    stages.compute_results.cache_clear()
    assert {name for name in after if after[name] != before[name]} == mutation.changing
