"""Test images with the largest and the smallest errors, of each class and method."""

from typing import NamedTuple

import numpy as np
from bokeh.layouts import row
from bokeh.models import Select

from cae.core.arrays import Images, Indices, Scores
from cae.datasets import prepared
from cae.metrics import baselines, quality
from cae.networks.autoencoder import predict
from report.charts import build_view, read_script, show, write_part
from report.networks import DEFAULT, PREPARED, RESIDUAL, load_network
from stages.runner.project import Project, Results

ALL = "all classes"
# Images of each end of a ranking.
SHOWN = 10
# A difference of 0.5 and more is white.
BRIGHTNESS = 2.0


class Tile(NamedTuple):
    """One image of a ranking."""

    place: int  # in the sheets
    label: str
    error: float
    error_of_mean_image: float


def gallery(project: Project) -> Results:
    """Return the images with the largest and smallest errors, and what controls choose among them."""
    folder = project.path(PREPARED)
    images, labels = prepared.read_all_images(folder).test, prepared.read_labels(folder, "test")
    names = prepared.read_class_names(folder)
    mean_image, components = baselines.read(project.path("../data/baselines"))
    default = load_network(project, DEFAULT, images)
    methods = {
        "default network": predict(default.network, images),
        "residual network": predict(load_network(project, RESIDUAL, images).network, images),
        "PCA": baselines.PrincipalComponents(default.code_size, components).reconstruct(images),
    }
    of_mean_image = quality.mse(images, mean_image.reconstruct(images))
    groups = {ALL: np.arange(len(labels))}
    groups |= {name: np.flatnonzero(labels == at) for at, name in enumerate(names)}
    sheets: dict[str, list[Images]] = {"original": [], "reconstruction": [], "difference": []}
    rankings: dict[str, dict[str, dict[str, list[Tile]]]] = {}
    means: dict[str, dict[str, float]] = {}
    for method, reconstructions in methods.items():
        errors = quality.mse(images, reconstructions)
        rankings[method] = {}
        means[method] = {group: float(errors[members].mean()) for group, members in groups.items()}
        for group, members in groups.items():
            rankings[method][group] = {}
            for end, indices in rank(errors, members).items():
                first = len(sheets["original"])
                sheets["original"] += list(images[indices])
                sheets["reconstruction"] += list(reconstructions[indices])
                sheets["difference"] += list(BRIGHTNESS * np.abs(images - reconstructions)[indices])
                rankings[method][group][end] = [
                    Tile(first + at, names[labels[index]], float(errors[index]), float(of_mean_image[index]))
                    for at, index in enumerate(indices)
                ]
    return build_part(rankings, means, {name: np.array(part)[..., 0] for name, part in sheets.items()})


def rank(errors: Scores, members: Indices) -> dict[str, Indices]:
    """Return the indices of the members with the largest and with the smallest errors."""
    order = members[np.argsort(errors[members], kind="stable")]
    return {"worst": order[::-1][:SHOWN], "best": order[:SHOWN]}


def build_part(
    rankings: dict[str, dict[str, dict[str, list[Tile]]]],
    means: dict[str, dict[str, float]],
    sheets: dict[str, Images],
) -> Results:
    """Return the part: controls for method, class and end, and the images that they choose."""
    methods = list(rankings)
    groups = list(rankings[methods[0]])
    method = Select(title="method", options=methods, value=methods[0])
    group = Select(title="class", options=groups, value=groups[0])
    end = Select(title="show", options=["worst", "best"], value="worst")
    view = build_view()
    arguments = {"method": method, "group": group, "end": end, "view": view}
    arguments |= {"rankings": rankings, "means": means}
    controls = dict.fromkeys((method, group, end), "value")
    layout = show([row(method, group, end), view], controls, read_script("gallery", arguments))
    return write_part("gallery", [layout], {f"gallery-{name}": part for name, part in sheets.items()})
