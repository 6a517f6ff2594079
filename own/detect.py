"""Score test pictures by how wrong their reconstructions are, decide which are anomalies, and show where."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from cae.commands.outputs import Folder, coloured, printable
from cae.ground import artifacts
from cae.ground.arrays import Scores
from cae.measures.decision import Threshold
from cae.measures.localisation import Mask
from cae.networks import whole
from cae.networks.autoencoder import load
from cae.sources import greys, prepared
from cae.sources.prepared import Listed, Prepared
from cae.sources.sight import Sight
from own import chosen, pictures, settings
from own.detectors import OURS, detectors
from own.judging import Judged, judge, mask_of, rightness
from own.pictures import Example
from stages import MODELS, PLOTS, PREPARED, command
from stages.inputs import Inputs

NORMAL = "normal"


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

    measured: dict[str, dict[str, float]] = {}
    scores: dict[str, Scores] = {}
    thresholds: dict[str, Threshold | None] = {}
    for name, reconstruct in detectors(autoencoder, train, own.split.seed).items():
        judged = judge(reconstruct, test, held_out, sight, own.anomaly)
        measured[name] = rightness(judged, test.pictures, masks)
        scores[name], thresholds[name] = judged.scores, judged.threshold
        if name == OURS:
            ours = judged

    inputs.check()
    artifacts.write_json(project / "metrics/detect.json", measured[OURS])
    table = pd.DataFrame(
        {"method": name, **values, **said(thresholds[name])} for name, values in measured.items()
    )
    artifacts.write_csv(project / "tables/detection.csv", table)
    artifacts.write_csv(project / "tables/classes.csv", by_class(scores, ours, test.pictures))
    artifacts.write_csv(project / "data/scores.csv", every_score(scores, ours, test.pictures))
    folder = Folder(project / "data/maps")
    for picture, found in zip(test.pictures, ours.maps):
        folder.add(picture.name, coloured(found))
    limit = None if ours.threshold is None else ours.threshold.value
    figures = {
        "scores": pictures.scores(grouped(ours.scores, test.pictures), limit, NORMAL),
        "examples": pictures.detections(examples(test, sight, ours, masks)),
    }
    for name, figure in figures.items():
        artifacts.write_figure(project / PLOTS / f"detection/{name}.png", figure)
    size = (own.data.tiles.size,) * 2 if own.data.tiles else test.pictures[0].seen
    window = own.data.window or greys.FULL.get(np.dtype(test.pictures[0].dtype), greys.Window(0, 1))
    model = whole.build(autoencoder, size, window, own.anomaly.spot, limit)
    artifacts.write_model(project / MODELS / "detector.keras", model)
    print(", ".join(f"{name} {value:.3g}" for name, value in measured[OURS].items()) or "scored")


def said(threshold: Threshold | None) -> dict[str, float]:
    """Name the threshold and what rate of false alarms it promises, with its interval."""
    if threshold is None:
        return {}
    return {
        "threshold": threshold.value,
        "expected": threshold.false_alarms,
        "expected_low": threshold.low,
        "expected_high": threshold.high,
    }


def class_of(picture: Listed) -> str:
    """Name the class of a picture: all normal ones are one."""
    return NORMAL if picture.normal else printable(picture.label or "other")


def grouped(scores: Scores, listed: Sequence[Listed]) -> dict[str, Scores]:
    """Sort scores by the classes of their pictures, normal ones first."""
    classes = np.array([class_of(picture) for picture in listed])
    names = sorted(set(classes), key=lambda name: (name != NORMAL, name))
    return {str(name): scores[classes == name] for name in names}


def by_class(scores: Mapping[str, Scores], ours: Judged, listed: Sequence[Listed]) -> pd.DataFrame:
    """Tabulate each class: how many pictures, the AUROC of every method, the share above our threshold."""
    alarms = None if ours.alarms is None else grouped(ours.alarms.astype(np.float64), listed)
    by_method = {name: grouped(values, listed) for name, values in scores.items()}
    rows = []
    for name, own in by_method[OURS].items():
        row: dict[str, float | str] = {"class": name, "pictures": len(own)}
        for method, classes in by_method.items():
            if name != NORMAL and NORMAL in classes:
                both = np.concatenate([classes[NORMAL], classes[name]])
                odd = np.arange(len(both)) >= len(classes[NORMAL])
                row[f"auroc {method}"] = float(roc_auc_score(odd, both))
        if alarms is not None:
            row["alarms"] = float(alarms[name].mean())
        rows.append(row)
    return pd.DataFrame(rows)


def every_score(scores: Mapping[str, Scores], ours: Judged, listed: Sequence[Listed]) -> pd.DataFrame:
    """Tabulate every test picture: its name, class, the score of every method, and our decision."""
    table = pd.DataFrame(
        {
            "name": [printable(picture.name) for picture in listed],
            "class": [class_of(picture) for picture in listed],
            **scores,
        }
    )
    return table if ours.alarms is None else table.assign(anomaly=ours.alarms.astype(int))


def examples(test: Prepared, sight: Sight, ours: Judged, masks: Sequence[Mask | None]) -> list[Example]:
    """Take of every class, of at most as many as a picture has columns, the picture of median score."""
    classes = np.array([class_of(picture) for picture in test.pictures])
    taken = []
    for name in list(grouped(ours.scores, test.pictures))[: pictures.COLUMNS]:
        members = np.flatnonzero(classes == name)
        order = members[np.argsort(ours.scores[members], kind="stable")]
        taken.append((name, int(order[(len(order) - 1) // 2])))
    wanted = {place for _, place in taken}
    seen = {
        place: sight.whole(iter(pieces), *picture.seen)
        for place, (picture, pieces) in enumerate(test.of_each())
        if place in wanted
    }
    return [
        Example(
            name,
            seen[place],
            ours.maps[place],
            masks[place],
            None if ours.alarms is None else bool(ours.alarms[place]),
        )
        for name, place in taken
    ]


if __name__ == "__main__":
    command.run(main)
