"""A page that shows what the networks learned: charts, sliders and images in one HTML file.

Each part is a stage of its own, so that a part whose inputs are missing leaves the others as they are.
"""

from typing import NamedTuple


class Part(NamedTuple):
    """A part of the page: a stage of dvc.yaml, which writes parts/NAME.html."""

    name: str
    title: str
    # Where its study, or the main pipeline, is explained.
    page: str
    introduction: str


PARTS = (
    Part(
        "training",
        "Training",
        "../README.md",
        "Loss by epoch of the default network, beside PCA; no method can reach a loss below the floor.",
    ),
    Part(
        "gallery",
        "Reconstructions: the worst and the best",
        "../README.md",
        "Test images, what comes back from codes of 128 numbers, and twice the difference.",
    ),
    Part(
        "rate",
        "How much is lost by codes of which size",
        "../studies/rate/README.md",
        "Mean squared error of the test images by the numbers in a code. Lower is better; 0 is the floor.",
    ),
    Part(
        "directions",
        "Walks through the codes",
        "../README.md",
        "Codes of the default network are moved along their principal components, or from one image to "
        "another, and decoded. Between two images lie codes that no image has.",
    ),
    Part(
        "embedding",
        "4,000 test images by their codes",
        "../studies/self_supervised/README.md",
        "t-SNE puts images with similar codes side by side. The networks saw no labels: colours and markers "
        "are added afterwards. Distances between groups mean nothing.",
    ),
    Part(
        "probes",
        "What codes know of the classes",
        "../studies/self_supervised/README.md",
        "Accuracy of a linear classifier on codes, by the labelled images that it learns from. Codes have "
        "128 numbers unless the legend says otherwise.",
    ),
    Part(
        "noise",
        "Removing noise",
        "../studies/denoising/README.md",
        "Gaussian noise is added to a test image, and each method gets the noisy image alone. PSNR compares "
        "the result with the image without noise: more is better.",
    ),
    Part(
        "anomalies",
        "Finding defects",
        "../studies/industrial/README.md",
        "Scores of images of bricks, and of anomalous ones: drawn defects, gravel and grass. A score above "
        "the threshold raises an alarm. At the start it is the threshold that other normal images chose; "
        "move it to see what it misses, and which alarms are false.",
    ),
)
