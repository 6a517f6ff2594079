"""Draw where the codes of a project's test pictures lie, and read their classes off, where there are any."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cae.core import files
from cae.core.arrays import Labels, Rows
from cae.core.blocks import split_blocks
from cae.datasets.prepared import Prepared
from cae.datasets.splits import Splits
from cae.metrics import probes
from cae.metrics.baselines import PrincipalComponents
from cae.metrics.embeddings import embed_by_pca
from cae.metrics.principal_components import sample_for_components
from cae.metrics.probes import KnnProbe, LinearProbe, Probe
from cae.networks.autoencoder import load, predict
from own import pictures, project_folder, settings
from own.reports import class_of
from stages import MODELS, PLOTS, PREPARED
from stages.inputs import Inputs

KINDS = ("linear", "nearest")
# Labels are bytes, and one more is for what is of no known class; more folders are days or patients.
MOST_CLASSES = 255


def main() -> None:
    """Read PROJECT/models and data/prepared, write metrics/probe.json and plots/codes."""
    project = project_folder()
    inputs = Inputs.read("probe", project)
    whole = settings.load(project)
    sides = Splits(*(Prepared.read(project / PREPARED, side) for side in Splits._fields))
    autoencoder = load(project / MODELS / "autoencoder.keras", sides.train.images.shape[1:])
    codes = Splits(*(flat(predict(autoencoder.encoder, side.images)) for side in sides))
    pca = PrincipalComponents.fit_sample(sides.train.images, autoencoder.code_size, whole.split.seed)
    by_pca = Splits(
        *(np.concatenate([pca.encode(block) for block in split_blocks(side.images)]) for side in sides)
    )

    known = sorted({label for label in sides.train.labels() if label is not None})
    measured: dict[str, float] = {"classes": len(known)}
    rows: list[dict[str, float | str]] = []
    if 1 < len(known) <= MOST_CLASSES:
        places = Splits(*(numbered(side.labels(), known) for side in sides))
        for name, features in (("autoencoder", codes), ("PCA", by_pca)):
            rows.append({"features": name, **accuracies(features, places, whole.probes)})
        measured |= {kind: float(rows[0][kind]) for kind in KINDS}
        rows.append({"features": "largest class", **dict.fromkeys(KINDS, share_of_largest(places))})

    inputs.check()
    files.write_json(project / "metrics/probe.json", measured)
    files.write_csv(project / "tables/probe.csv", pd.DataFrame(rows, columns=["features", *KINDS]))
    points = embed_by_pca(sample_for_components(codes.train, whole.split.seed), codes.test)
    names = [class_of(picture) for picture in sides.test.pictures for _ in range(picture.pieces)]
    files.write_figure(project / PLOTS / "codes/map.png", pictures.code_map(points, names))
    print(", ".join(f"{name} {value:.3g}" for name, value in measured.items()))


def flat(codes: Rows) -> Rows:
    """Make one row of every code: (N, …) → (N, D)."""
    return codes.reshape(len(codes), -1)


def numbered(labels: Sequence[str | None], known: Sequence[str]) -> Labels:
    """Give each label its place among the known; one past them where it is none of them."""
    places = {label: place for place, label in enumerate(known)}
    return np.array([places.get(label or "", len(known)) for label in labels], np.uint8)


def share_of_largest(places: Splits[Labels]) -> float:
    """Return the floor of every accuracy: the share of the class that most training pictures have."""
    return float((places.test == np.bincount(places.train).argmax()).mean())


def accuracies(features: Splits[Rows], places: Splits[Labels], chosen: settings.Probes) -> dict[str, float]:
    """Return how often each probe names a test picture right, learned from all training pictures."""
    standardised = probes.standardise(features)
    neighbours = min(chosen.neighbours, len(places.train))
    answers = {}
    probed: tuple[tuple[Probe, Splits[Rows]], ...] = (
        (LinearProbe(chosen.regularisation), standardised),
        (KnnProbe(neighbours), features),
    )
    for kind, (probe, rows) in zip(KINDS, probed, strict=True):
        probe.fit(rows.train, places.train, rows.validation, places.validation)
        answers[kind] = float((probe.predict(rows.test) == places.test).mean())
    return answers
