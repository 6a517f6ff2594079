"""Score test pictures by how wrong their reconstructions are, decide which are anomalies, and show where."""

import sys
from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd

from cae.commands.outputs import Folder, coloured
from cae.ground import artifacts
from cae.ground.arrays import Scores
from cae.measures.decision import Threshold
from cae.measures.errors import ErrorMap
from cae.measures.localisation import Mask
from cae.networks import whole
from cae.networks.autoencoder import Autoencoder, load
from cae.sources import greys, prepared
from cae.sources.prepared import Listed, Prepared
from cae.sources.sight import Sight
from own import chosen, pictures, reports, settings
from own.detectors import OURS, detectors
from own.judging import Judged, judge, rightness, wrong
from own.masks import mask_of
from own.pictures import Example
from stages import MODELS, PLOTS, PREPARED, command
from stages.inputs import Inputs


def main() -> None:
    """Read PROJECT/models and data/prepared; write scores, maps, tables, and one model for elsewhere."""
    project = chosen()
    inputs = Inputs.read("detect", project)
    own = settings.load(project)
    sight = own.data.sight
    train = prepared.images(project / PREPARED, "train")
    test, held_out = (Prepared.read(project / PREPARED, side) for side in ("test", "threshold"))
    autoencoder = load(project / MODELS / "autoencoder.keras", train.shape[1:])
    masks = [mask_of(project / own.data.source, picture) for picture in test.pictures]
    if any(mask is not None for mask in masks):
        masks = [nowhere(picture) if picture.normal else mask for picture, mask in zip(test.pictures, masks)]
    methods = detectors(autoencoder, train, own.split.seed)

    measured: dict[str, dict[str, float]] = {}
    scores: dict[str, Scores] = {}
    thresholds: dict[str, Threshold | None] = {}
    for name, reconstruct in methods.items():
        judged = judge(reconstruct, test, held_out, sight, own.anomaly, masks)
        measured[name] = rightness(judged, test.pictures, masks)
        scores[name], thresholds[name] = judged.scores, judged.threshold
        if name == OURS:
            ours = judged._replace(maps=())

    inputs.check()
    artifacts.write_json(project / "metrics/detect.json", measured[OURS])
    rows = ({"method": name, **values, **reports.said(thresholds[name])} for name, values in measured.items())
    artifacts.write_csv(project / "tables/detection.csv", pd.DataFrame(rows))
    artifacts.write_csv(project / "tables/classes.csv", reports.by_class(scores, ours, test.pictures))
    artifacts.write_csv(project / "data/scores.csv", reports.every_score(scores, ours, test.pictures))
    shown, folder = medians(ours.scores, test.pictures), Folder(project / "data/maps")
    maps: dict[int, ErrorMap] = {}
    for place, (picture, found) in enumerate(wrong(methods[OURS], test, sight, own.anomaly)):
        folder.add(picture.name, coloured(found))
        if place in shown:
            maps[place] = found
    limit = None if ours.threshold is None else ours.threshold.value
    by_class, normal = reports.grouped(ours.scores, test.pictures), reports.normal_classes(test.pictures)
    for name, figure in {
        "scores": pictures.scores(by_class, limit, normal),
        "examples": pictures.detections(examples(shown, test, sight, ours, maps, masks)),
    }.items():
        artifacts.write_figure(project / PLOTS / f"detection/{name}.png", figure)
    artifacts.write_model(project / MODELS / "detector.keras", detector(autoencoder, own, test, limit))
    tell(measured[OURS], held_out)


def nowhere(picture: Listed) -> Mask:
    """Return the mask of a picture without a defect."""
    return np.zeros(picture.size, bool)


def detector(
    autoencoder: Autoencoder, own: settings.Own, test: Prepared, threshold: float | None
) -> keras.Model:
    """Make one model of everything between raw pixels and the decision.

    Of tiles it takes one, and decides nothing: the threshold is that of whole pictures.
    """
    size = test.pictures[0].seen
    if own.data.tiles:
        size, threshold = (own.data.tiles.size, own.data.tiles.size), None
    window = own.data.window or greys.FULL.get(np.dtype(test.pictures[0].dtype), greys.Window(0, 1))
    return whole.build(autoencoder, size, window, own.anomaly.spot, threshold)


def medians(scores: Scores, listed: Sequence[Listed]) -> list[int]:
    """Find of every class, of at most as many as a picture has columns, the picture of median score."""
    classes = np.array([reports.class_of(picture) for picture in listed])
    places = []
    for name in list(reports.grouped(scores, listed))[: pictures.COLUMNS]:
        members = np.flatnonzero(classes == name)
        order = members[np.argsort(scores[members], kind="stable")]
        places.append(int(order[(len(order) - 1) // 2]))
    return places


def examples(
    shown: Sequence[int],
    test: Prepared,
    sight: Sight,
    ours: Judged,
    maps: dict[int, ErrorMap],
    masks: Sequence[Mask | None],
) -> list[Example]:
    """Put together what is shown of some pictures, by their places."""
    seen = {
        place: sight.whole(iter(pieces), *picture.seen)
        for place, (picture, pieces) in enumerate(test.of_each())
        if place in shown
    }
    return [
        Example(
            reports.class_of(test.pictures[place]),
            seen[place],
            maps[place],
            masks[place],
            None if ours.alarms is None else bool(ours.alarms[place]),
        )
        for place in shown
    ]


def tell(measured: dict[str, float], held_out: Prepared) -> None:
    """Print what was measured, and what the interval of the false alarms takes for granted."""
    groups, count = len({picture.group for picture in held_out.pictures}), len(held_out.pictures)
    if groups < count:
        print(
            f"note: the {count} pictures that set the threshold are of {groups} files, patients or volumes: "
            "the interval of its false alarms holds for pictures that are independent",
            file=sys.stderr,
        )
    print(", ".join(f"{name} {value:.3g}" for name, value in measured.items()) or "test pictures scored")


if __name__ == "__main__":
    command.run(main)
