"""Accuracy of linear classifiers by the number of labels, for the codes of several networks."""

from cae.core import files
from report.charts import add_series, build_chart, place_legend, write_part
from stages.runner.project import Project, Results

LABELS = ("10", "100", "1000", "all")
TITLES = {
    "prototypes": "self-supervised: prototypes and visual words",
    "contrastive": "self-supervised: SimCLR",
    "default": "default network",
    "hog": "baseline: HOG, 1,296 numbers",
    "PCA": "baseline: PCA",
    "pixels": "baseline: pixels",
    "supervised": "upper bound: trained with all labels",
}


def probes(project: Project) -> Results:
    """Return the chart of accuracy by labels per class."""
    table = files.read_csv(project.path("../studies/self_supervised/plots/codes.csv")).set_index("features")
    chart = build_chart(
        "Linear classifiers on codes",
        "labelled images per class (all: about 5,000)",
        "accuracy on test images, %",
        x_range=list(LABELS),
    )
    for at, (name, title) in enumerate(TITLES.items()):
        accuracies = [100 * float(table[f"linear_{labels}"][name]) for labels in LABELS]
        add_series(chart, at, title, LABELS, accuracies, "0.0")
    place_legend(chart)
    return write_part("probes", [chart])
