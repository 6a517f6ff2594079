"""A page that shows what the networks learned: charts, sliders and images in one HTML file.

Each part is a stage of its own, so that a part whose inputs are missing leaves the others as they are.
"""

from typing import NamedTuple


class Part(NamedTuple):
    """A part of the page: a stage of dvc.yaml, which writes parts/NAME.html."""

    name: str
    title: str
    introduction: str
    # Where more is said about it, and what that page is called.
    page: str
    page_title: str


MAIN = ("../README.md", "the README")
PARTS = (
    Part(
        "training",
        "Training",
        "The loss that the default network minimises, by epoch: lower is better. The dashed lines are values "
        "for test images. Pixels are grey, so that even a perfect reconstruction has a loss, the floor. PCA "
        "minimises the squared error instead, and is better at that (see below).",
        *MAIN,
    ),
    Part(
        "gallery",
        "The worst and the best reconstructions",
        "Each group is a test image, its reconstruction, and their absolute difference, twice as bright. "
        "Below it stand its mean squared error (MSE), and that of the mean of all training images, the "
        "simplest baseline.",
        *MAIN,
    ),
    Part(
        "rate",
        "Error by code size",
        "Mean squared error of test images, pixels from 0 to 1, by how many numbers a code has. Both axes "
        "are logarithmic. The default network is small and minimises another loss: PCA is better here.",
        "../studies/rate/README.md",
        "the study of rate and distortion",
    ),
    Part(
        "directions",
        "Walks through the codes",
        "Codes of the default network are moved along their principal components, or from one image to "
        "another, and decoded. A code between those of two images need not be one of a garment.",
        *MAIN,
    ),
    Part(
        "embedding",
        "4,000 test images by their codes",
        "t-SNE puts images with similar codes side by side. No network saw labels: colours and markers are "
        "added afterwards. Sizes of groups, and distances between them, mean nothing.",
        "../studies/self_supervised/README.md",
        "the self-supervised study",
    ),
    Part(
        "probes",
        "How well codes predict the class",
        "Accuracy of a linear classifier on codes of 128 numbers, by the labelled images that it is trained "
        "with. Guessing is right for 10 %. The networks learned their codes without labels, but for the "
        "reference, whose codes were learned from all labels.",
        "../studies/self_supervised/README.md",
        "the self-supervised study",
    ),
    Part(
        "noise",
        "Removing noise",
        "Gaussian noise of standard deviation σ, for pixels from 0 to 1, is added to a test image. Filters "
        "have the strength that was best on validation images with this σ; each network was trained once, "
        "for noise of all strengths. PSNR compares with the image without noise: more is better.",
        "../studies/denoising/README.md",
        "the study of denoising",
    ),
    Part(
        "anomalies",
        "Finding defects on bricks",
        "Normal images show bricks. Anomalous ones show defects drawn on bricks, or gravel or grass. A "
        "score above the threshold raises an alarm. It starts where 108 other normal images put it, for 1 % "
        "of false alarms; move it to see which anomalies it misses and which alarms are false.",
        "../studies/industrial/README.md",
        "the industrial study",
    ),
)
