"""Repeat the study with other slabs in each split, and other lesions."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from cae.core.config import Section
from cae.datasets import prepared
from cae.metrics import probes
from cae.networks.model import Model
from stages import baselines, detect, prepare, runner
from stages.baselines import Baselines
from stages.prepared_images import read_training_images
from stages.runner.project import PREPARED, Project, Results
from stages.settings import Anomaly, Data, Split
from stages.train import Train, train_network
from studies.medical.draw import draw_images
from studies.medical.inv3 import Scan
from studies.medical.settings import Drawing, SplitSlabs

# Some splits hold out too few tiles for the study's rate.
FALSE_ALARMS = 0.05


class Settings(Section):
    """What the stage reads of params.yaml."""

    anomaly: Anomaly
    baselines: Baselines
    data: Data
    drawing: Drawing
    model: Model
    probes: probes.Settings
    split: Split
    train: Train


def repeat(project: Project, settings: Settings, places: int) -> Results:
    """Draw, train and detect as the study does, with slabs shifted by so many places; return the table."""
    volume = prepared.map_array(project.path("data/volume.npy"), "dvc repro fetch, in studies/medical")
    spacing = json.loads(project.path("data/spacing.json").read_bytes())
    anomaly = settings.anomaly.model_copy(update={"false_alarms": FALSE_ALARMS})
    data = settings.data
    with TemporaryDirectory() as folder:
        scratch = Project(Path(folder))
        write(scratch, draw_images(Scan(volume, tuple(spacing)), shift_slabs(settings.drawing, places)))
        write(
            scratch,
            prepare.prepare(scratch, prepare.Settings(data=data, split=settings.split, anomaly=anomaly)),
        )
        write(
            scratch,
            baselines.baselines(
                scratch,
                baselines.Settings(baselines=settings.baselines, data=data, probes=settings.probes),
            ),
        )
        images, validation = read_training_images(scratch, PREPARED)
        autoencoder, _ = train_network(project, settings.model, settings.train, images, validation)
        write(scratch, {"models/autoencoder.keras": autoencoder.network})
        found = detect.detect(
            scratch, detect.Settings(anomaly=anomaly, baselines=settings.baselines, data=data)
        )
    return {f"repeats/{places}.csv": found["tables/detection.csv"]}


def shift_slabs(drawing: Drawing, places: int) -> Drawing:
    """Give each slab the split of the one so many places below it, in a circle, and draw other lesions."""
    slabs = sorted((slab, split) for split, own in drawing.slabs for slab in own)
    splits = [split for _, split in slabs]
    shifted = [splits[index - places] for index in range(len(slabs))]
    chosen = {
        name: tuple(slab for (slab, _), split in zip(slabs, shifted) if split == name)
        for name in SplitSlabs.model_fields
    }
    return drawing.model_copy(update={"slabs": SplitSlabs(**chosen), "seed": drawing.seed + places})


def write(project: Project, results: Results) -> None:
    """Write the results of a stage."""
    for path, content in results.items():
        runner.write_result(project.folder / path, content)
