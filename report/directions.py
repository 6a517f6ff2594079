"""Codes of the default network, moved along their principal components or from one image to another."""

import numpy as np
from bokeh.layouts import row
from bokeh.models import Div, Select, Slider, UIElement

from cae.datasets import prepared
from cae.figures.codes import find_first_of_each_class
from cae.metrics import embeddings
from cae.metrics.principal_components import fit_principal_components
from report.charts import connect, write_part
from report.networks import DEFAULT, PREPARED, load_network
from stages.runner.project import Project, Results

COMPONENTS = 8
# Steps from -FARTHEST to FARTHEST standard deviations of the training codes.
STEPS, FARTHEST = 13, 3.0
# From one image to another, both included.
BETWEEN = 9


def directions(project: Project) -> Results:
    """Return decoded images, and the controls that choose among them."""
    folder = project.path(PREPARED)
    images, labels = prepared.read_all_images(folder), prepared.read_labels(folder, "test")
    names = list(prepared.read_class_names(folder))
    network = load_network(project, DEFAULT, images.test)
    shown = images.test[find_first_of_each_class(labels)]
    codes = network.encode(shown)
    train = network.encode(images.train)
    fitted = fit_principal_components(train, COMPONENTS)
    deviations = fitted.project(train).std(axis=0)
    distances = np.linspace(-FARTHEST, FARTHEST, STEPS)
    # (images, components, steps, numbers of a code)
    moves = distances[:, np.newaxis] * (deviations[:, np.newaxis] * fitted.directions)[:, np.newaxis]
    moved = (codes[:, np.newaxis, np.newaxis] + moves).astype(np.float32)
    between = np.array([[embeddings.interpolate(one, other, BETWEEN) for other in codes] for one in codes])
    pixels = shown[..., 0]
    mixed = np.array([[embeddings.interpolate(one, other, BETWEEN) for other in pixels] for one in pixels])
    sheets = {
        "directions-images": pixels,
        "directions-mixed": mixed.reshape(-1, *pixels.shape[1:]),
        "directions-moved": network.decode(moved)[..., 0],
        "directions-between": network.decode(between)[..., 0],
    }
    return write_part("directions", [show_directions(names), show_interpolation(names)], sheets)


def show_directions(names: list[str]) -> UIElement:
    """Return the controls that choose an image, a component and a distance, and what they show."""
    component = Slider(start=1, end=COMPONENTS, value=1, step=1, title="principal component")
    step = 2 * FARTHEST / (STEPS - 1)
    title = "distance, standard deviations"
    distance = Slider(start=-FARTHEST, end=FARTHEST, value=0, step=step, title=title)
    image = Select(title="image", options=names, value=names[-1])
    arguments = {"image": image, "component": component, "distance": distance}
    numbers = {"components": COMPONENTS, "steps": STEPS, "farthest": FARTHEST}
    controls = dict.fromkeys((image, component, distance), "value")
    heading = Div(text="<h3>Along a principal component</h3>")
    return connect("directions", controls, arguments | numbers, [heading, *controls])


def show_interpolation(names: list[str]) -> UIElement:
    """Return the controls that choose two images and a place between them, and what they show."""
    start, end = (
        Select(title=title, options=names, value=value)
        for title, value in (("from", names[-1]), ("to", names[0]))
    )
    share = Slider(start=0, end=100, value=50, step=100 / (BETWEEN - 1), title="share of the way, %")
    arguments = {"start": start, "end": end, "share": share, "between": BETWEEN}
    controls = dict.fromkeys((start, end, share), "value")
    heading = Div(text="<h3>From one image to another</h3>")
    return connect("interpolation", controls, arguments, [heading, row(start, end), share])
