"""Accuracy of linear classifiers by the number of labels, for the codes of several networks."""

from cae.core import files
from report.charts import DEFAULT, PCA, SELF_SUPERVISED, add_series, build_chart, place_legend, write_part
from stages.runner.project import Project, Results

LABELS = ("10", "100", "1000", "all")
LEARNED_WITHOUT_LABELS = ("prototypes", "contrastive", "default")
SERIES = {
    "prototypes": ("self-supervised: prototypes", SELF_SUPERVISED),
    "contrastive": ("self-supervised: SimCLR", "light blue"),
    "default": ("default network", DEFAULT),
    "hog": ("baseline: HOG, 1,296 numbers", "amber"),
    "PCA": ("baseline: PCA", PCA),
    "pixels": ("baseline: pixels, 784 numbers", "black"),
    "supervised": ("reference: codes from all labels", "wine"),
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
    for name, (title, style) in SERIES.items():
        accuracies = [100 * float(table[f"linear_{labels}"][name]) for labels in LABELS]
        dash = "solid" if name in LEARNED_WITHOUT_LABELS else "dashed"
        add_series(chart, style, title, LABELS, accuracies, "0.0", dash)
    place_legend(chart)
    return write_part("probes", [chart])
