"""Score test pictures by how wrong their reconstructions are, decide which are anomalies, and show where."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from cae.core import files, words
from cae.core.arrays import Scores
from cae.core.image_folder import ImageFolder
from cae.datasets import intensity, prepared
from cae.datasets.masks import Mask, read_masks
from cae.datasets.prepared import Listed, Prepared
from cae.figures.error_maps import colour_error_map
from cae.networks.autoencoder import Autoencoder, load
from cae.networks.end_to_end import build, make_metadata
from own import pictures, project_folder, reports, settings
from own.detectors import OURS, Found, detectors
from own.judging import Judged, judge, rightness, wrong
from own.pictures import Example
from own.unchanged import Unchanged
from stages import MODELS, PLOTS, PREPARED
from stages.inputs import Inputs

# AUROC below which scores point the other way by more than chance in small tests.
BACKWARDS = 0.4


def main() -> None:
    """Read PROJECT/models and data/prepared; write scores, maps, tables, and one model for elsewhere."""
    project = project_folder()
    inputs = Inputs.read("detect", project)
    whole = settings.load(project)
    source, preprocessing = project / whole.data.source, whole.data.preprocessing
    unchanged = Unchanged(source)
    train = prepared.images(project / PREPARED, "train")
    test, held_out = (Prepared.read(project / PREPARED, side) for side in ("test", "threshold"))
    autoencoder = load(project / MODELS / "autoencoder.keras", train.shape[1:])
    masks = partial(read_masks, source, test.pictures)
    methods = detectors(autoencoder, train, whole.split.seed)
    judged = {
        name: judge(reconstruct, test, held_out, preprocessing, whole.anomaly, masks())
        for name, reconstruct in methods.items()
    }
    ours = judged[OURS]

    unchanged.check()
    inputs.check()
    measured = tabulate(project, judged, test.pictures)
    shown = medians(ours.scores, test.pictures)
    examples = write_maps(
        project, wrong(methods[OURS], test, preprocessing, whole.anomaly), masks(), shown, ours
    )
    draw(project, test.pictures, ours, examples)
    write_detector(project / MODELS / "detector.keras", autoencoder, whole, test, ours.limit)
    tell(measured, held_out)


def tabulate(project: Path, judged: Mapping[str, Judged], listed: Sequence[Listed]) -> dict[str, float]:
    """Write the metrics of ours, which are returned, and every table."""
    scores = {name: one.scores for name, one in judged.items()}
    rows = [
        {"method": name, **rightness(one, listed), **reports.said(one.threshold)}
        for name, one in judged.items()
    ]
    measured = rightness(judged[OURS], listed)
    files.write_json(project / "metrics/detect.json", measured)
    files.write_csv(project / "tables/detection.csv", pd.DataFrame(rows))
    files.write_csv(project / "tables/classes.csv", reports.by_class(scores, judged[OURS], listed))
    files.write_csv(project / "data/scores.csv", reports.every_score(scores, judged[OURS], listed))
    return measured


def write_maps(
    project: Path,
    errors: Iterable[Found],
    masks: Iterable[Mask | None],
    shown: Sequence[int],
    ours: Judged,
) -> list[Example]:
    """Write a heat map of every test picture; return what is shown of some, by their places."""
    folder = ImageFolder(project / "data/maps")
    examples = {}
    for place, (found, mask) in enumerate(zip(errors, masks, strict=True)):
        folder.write(found.picture.name, colour_error_map(found.errors))
        if place in shown:
            alarm = None if ours.alarms is None else bool(ours.alarms[place])
            title = reports.class_of(found.picture)
            examples[place] = Example(title, found.image, found.errors, mask, alarm)
    return [examples[place] for place in shown]


def draw(project: Path, listed: Sequence[Listed], ours: Judged, examples: Sequence[Example]) -> None:
    """Draw all scores, and some pictures beside their maps."""
    by_class, normal = reports.grouped(ours.scores, listed), reports.normal_classes(listed)
    for name, figure in {
        "scores": pictures.scores(by_class, ours.limit, normal),
        "examples": pictures.detections(examples),
    }.items():
        files.write_figure(project / PLOTS / f"detection/{name}.png", figure)


def write_detector(
    path: Path, autoencoder: Autoencoder, chosen: settings.Own, test: Prepared, threshold: float | None
) -> None:
    """Write one model of everything between raw pixels and the decision.

    Of tiles it takes one, and decides nothing: the threshold is that of whole pictures.
    """
    size = test.pictures[0].seen
    if chosen.data.tiles:
        size, threshold = (chosen.data.tiles.size, chosen.data.tiles.size), None
    window = chosen.data.window or intensity.FULL_RANGES.get(
        np.dtype(test.pictures[0].dtype), intensity.Window(0, 1)
    )
    model = build(autoencoder, size, window, chosen.anomaly.spot, threshold)
    files.write_model(path, model, make_metadata(window))


def medians(scores: Scores, listed: Sequence[Listed]) -> list[int]:
    """Find of every class, of at most as many as a picture has columns, the picture of median score."""
    classes = np.array([reports.class_of(picture) for picture in listed])
    places = []
    for name in list(reports.grouped(scores, listed))[: pictures.COLUMNS]:
        members = np.flatnonzero(classes == name)
        order = members[np.argsort(scores[members], kind="stable")]
        places.append(int(order[(len(order) - 1) // 2]))
    return places


def tell(measured: dict[str, float], held_out: Prepared) -> None:
    """Print what was measured, and what the interval of the false alarms takes for granted."""
    groups, count = len({picture.group for picture in held_out.pictures}), len(held_out.pictures)
    if groups < count:
        print(
            f"note: the {words.pluralize(count, 'picture')} that set the threshold belong together in "
            f"{words.pluralize(groups, 'group')} (files, patients or volumes): the interval of its false "
            "alarms holds for pictures that are independent",
            file=sys.stderr,
        )
    if measured.get("auroc", 1) < BACKWARDS:
        print(
            f"note: anomalies score lower than normal pictures (auroc {measured['auroc']:.3g}, and 0.5 is "
            "chance): the network reconstructs them better, as it does where they are smoother than what it "
            "learned. Compare tables/detection.csv: another way may tell them apart. Else try a smaller code "
            "(model in params.yaml), anomaly.spot for small defects, or check that data.normal names the "
            "normal class",
            file=sys.stderr,
        )
    print(", ".join(f"{name} {value:.3g}" for name, value in measured.items()) or "test pictures scored")
