"""Test images with the largest and the smallest errors, of each class and method."""

from typing import NamedTuple

import numpy as np
from bokeh.layouts import row
from bokeh.models import Select

from cae.core.arrays import Images, Indices, Scores
from cae.datasets import prepared
from cae.metrics import baselines, quality
from cae.networks.autoencoder import predict
from report.charts import connect, write_part
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
    # By "METHOD/CLASS/END" and "METHOD/CLASS", as gallery.js looks them up.
    rankings: dict[str, list[Tile]] = {}
    means: dict[str, float] = {}
    for method, reconstructions in methods.items():
        errors = quality.mse(images, reconstructions)
        for group, members in groups.items():
            means[f"{method}/{group}"] = float(errors[members].mean())
            for end, indices in find_ends(errors, members).items():
                first = len(sheets["original"])
                rankings[f"{method}/{group}/{end}"] = [
                    Tile(first + at, names[labels[index]], float(errors[index]), float(of_mean_image[index]))
                    for at, index in enumerate(indices)
                ]
                sheets["original"] += list(images[indices])
                sheets["reconstruction"] += list(reconstructions[indices])
                sheets["difference"] += list(BRIGHTNESS * np.abs(images[indices] - reconstructions[indices]))
    choices = {"method": list(methods), "class": list(groups), "show": ["worst", "best"]}
    controls = {
        title: Select(title=title, options=options, value=options[0]) for title, options in choices.items()
    }
    layout = connect(
        "gallery",
        dict.fromkeys(controls.values(), "value"),
        {"controls": controls, "rankings": rankings, "means": means},
        [row(*controls.values())],
    )
    return write_part(
        "gallery", [layout], {f"gallery-{name}": np.array(part)[..., 0] for name, part in sheets.items()}
    )


def find_ends(errors: Scores, members: Indices) -> dict[str, Indices]:
    """Return the indices of the members with the largest and with the smallest errors."""
    order = members[np.argsort(errors[members], kind="stable")]
    return {"worst": order[::-1][:SHOWN], "best": order[:SHOWN]}
