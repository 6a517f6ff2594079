"""What each filter and network makes of a noisy image, by the strength of the noise."""

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
from bokeh.models import Select, Slider

from cae.core import files
from cae.core.arrays import Images
from cae.core.config import Section, Seed
from cae.datasets import prepared
from cae.datasets.noise import Noise
from cae.figures.codes import find_first_of_each_class
from cae.metrics import quality
from report.charts import (
    DEFAULT,
    PCA,
    RESIDUAL,
    add_series,
    build_chart,
    connect,
    place_legend,
    write_part,
)
from report.networks import PREPARED
from stages.runner.project import Project, Results
from studies.denoising import filters
from studies.denoising.measure import load_network
from studies.denoising.methods import AUTOENCODERS, TITLES, WITHOUT_BOTTLENECK
from studies.denoising.noises import Noises, add_noise
from studies.denoising.tune import load_filter

STUDY = "../studies/denoising"
KIND: Final = "gaussian"
NETWORKS = (*AUTOENCODERS, WITHOUT_BOTTLENECK)
STYLES = {
    "noisy": "black",
    "gaussian": "wine",
    "median": "olive",
    "total_variation": "pink",
    "wavelet": "light blue",
    "nonlocal_means": "amber",
    "wiener": PCA,
    "convolutional": DEFAULT,
    "residual": RESIDUAL,
    "residual_cnn": "green",
}


class Settings(Section):
    """What the stage reads of the study's params.yaml."""

    noises: Noises
    seed: Seed


def noise(project: Project, settings: Settings) -> Results:
    """Return the chart of PSNR by noise, denoised images, and the controls that choose among them."""
    folder = project.path(PREPARED)
    images, labels = prepared.read_images(folder, "test"), prepared.read_labels(folder, "test")
    names = list(prepared.read_class_names(folder))
    indices = find_first_of_each_class(labels)
    clean = images[indices]
    table = files.read_csv(project.path(f"{STUDY}/plots/denoising.csv"))
    table = table[table["kind"] == KIND].set_index(["method", "strength"])
    strengths = settings.noises.gaussian
    noisy = [
        add_noise(images, Noise(kind=KIND, strength=strength), settings.seed, "test")[indices]
        for strength in strengths
    ]
    denoised, psnr = [], []
    for method in TITLES:
        denoise = load_method(project, method)
        for strength, part in zip(strengths, noisy, strict=True):
            denoised.append(denoise(part, float(table["chosen"][method, strength])))
            psnr += quality.psnr(clean, denoised[-1]).tolist()
    middle = len(strengths) // 2
    level = Slider(start=1, end=len(strengths), value=middle + 1, step=1, title="strength of the noise")
    image = Select(title="image", options=names, value=names[-1])
    arguments = {"level": level, "image": image, "strengths": list(strengths)}
    arguments |= {"titles": list(TITLES.values()), "psnr": psnr}
    layout = connect("noise", dict.fromkeys((image, level), "value"), arguments, [image, level])
    chart = build_chart("Mean PSNR of all test images", "standard deviation σ", "PSNR, dB")
    for method, style in STYLES.items():
        dash = "solid" if method in NETWORKS else "dashed"
        add_series(chart, style, TITLES[method], strengths, table["psnr"][method].tolist(), "0.0", dash)
    place_legend(chart)
    sheets = {"noise-images": clean[..., 0], "noise-results": np.concatenate(denoised)[..., 0]}
    return write_part("noise", [layout, chart], sheets)


def load_method(project: Project, method: str) -> Callable[[Images, float], Images]:
    """Return a function of noisy images and of the strength that validation images chose for a filter."""
    if method in NETWORKS:
        denoise = load_network(method, project.path(f"{STUDY}/models/{method}.keras"))
        return lambda images, _: denoise(images)
    return partial(
        filters.apply, load_filter(method, project.path(PREPARED), project.path("../data/baselines"))
    )
