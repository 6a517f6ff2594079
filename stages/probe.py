"""Probe the codes on the classes beside what the baselines know, and draw where they lie."""

from collections.abc import Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from cae.core import files, params, words
from cae.core.arrays import Images, Labels, Rows
from cae.datasets import splits
from cae.datasets.splits import Splits
from cae.figures import codes as pictures
from cae.figures import embeddings as map_pictures
from cae.metrics import embeddings, probes
from cae.networks import convolutional
from cae.networks.autoencoder import Autoencoder, load, predict
from stages import BASELINES, MODELS, PLOTS, PREPARED
from stages.inputs import Inputs

PICTURES = PLOTS / "codes"
STEPS = 9
PAIRS = 3


def main() -> None:
    """Read the model, data/prepared and data/baselines; write metrics/probe.json and plots/."""
    inputs = Inputs.read("probe")
    settings = params.load()
    images, labels = splits.all_images(PREPARED), splits.all_labels(PREPARED)
    class_names = splits.class_names(PREPARED)
    probes.check(labels, settings.probes, class_names)
    embeddings.check(len(images.test), settings.maps)
    autoencoder = load(MODELS / "autoencoder.keras", images.test.shape[1:])
    # Of what no network changes: baselines, which were probed in the same way.
    of_baselines = files.read_csv(BASELINES / "accuracies.csv")

    codes = Splits(*(predict(autoencoder.encoder, part).reshape(len(part), -1) for part in images))
    on_map = min(settings.maps.images, len(codes.test))
    mapped = splits.draw(len(codes.test), {"map": on_map}, settings.maps.seed)["map"]
    mapped_codes, mapped_labels = codes.test[mapped], labels.test[mapped]
    neighbours = settings.maps.neighbours
    linear = embeddings.embed_by_pca(codes.train, mapped_codes)
    # t-SNE is one long thread; all that does not need it fills the other cores meanwhile. Unlike an executor,
    # this pool does not wait for its thread when the stage is stopped.
    with ThreadPool(1) as pool:
        drawing = pool.apply_async(embeddings.embed_by_tsne, (mapped_codes, linear, settings.maps))
        outcomes = probes.run_probes({"code": codes}, labels, settings.probes, cores_left=1)
        accuracies = pd.concat(
            [probes.tabulate_accuracies(outcomes, labels.test), of_baselines], ignore_index=True
        )
        code_accuracy = embeddings.compute_knn_accuracy(mapped_codes, mapped_labels, neighbours)
        by_components = embeddings.measure(linear, mapped_codes, mapped_labels, neighbours)
        figures = {
            "transfer": pictures.plot_probe_accuracy(accuracies, names(autoencoder, images.test)),
            **examples(autoencoder, codes, images, labels, class_names, neighbours),
        }
        by_tsne = embeddings.measure(drawing.get(), mapped_codes, mapped_labels, neighbours)
    drawn = {"pca": by_components, "tsne": by_tsne}
    figures |= {
        "maps": map_pictures.plot_embeddings(drawn, mapped_labels, class_names, code_accuracy, neighbours),
        "map_of_images": map_pictures.plot_images_by_embedding(
            by_tsne.points, images.test[mapped], mapped_labels, class_names
        ),
    }
    headline = probes.select_metrics(accuracies, "code", settings.probes.labels_per_class[0])
    (with_all_labels,) = (
        outcome for outcome in outcomes if (outcome.probe, outcome.labels_per_class) == ("linear", probes.ALL)
    )

    inputs.check()
    files.write_json(Path("metrics/probe.json"), headline | {"trustworthiness": by_tsne.trustworthiness})
    files.write_csv(PLOTS / "probes.csv", probes.tabulate_by_labels(accuracies, labels.train))
    files.write_csv(PLOTS / "maps.csv", embeddings.tabulate(drawn, code_accuracy))
    confusion = probes.tabulate_predictions(labels.test, with_all_labels.predictions, class_names)
    files.write_csv(PLOTS / "confusion.csv", confusion)
    for name, figure in figures.items():
        files.write_figure(PICTURES / f"{name}.png", figure)
    print("accuracy:", ", ".join(f"{name} {value:.1%}" for name, value in headline.items()))


def examples(
    autoencoder: Autoencoder,
    codes: Splits[Rows],
    images: Splits[Images],
    labels: Splits[Labels],
    class_names: Sequence[str],
    neighbours: int,
) -> dict[str, Figure]:
    """Show what lies near the codes of some test images, and between them."""
    # No one chose these images by eye.
    first = pictures.find_first_of_each_class(labels.test)
    nearest = embeddings.find_nearest(codes.train, codes.test[first], neighbours)
    ends = pictures.pair_up(first, PAIRS)
    return {
        "retrieval": pictures.plot_nearest(
            images.test[first], labels.test[first], images.train, labels.train, nearest, class_names
        ),
        "interpolation": pictures.plot_interpolation(
            images.test[ends], between(autoencoder, codes.test, ends), labels.test[ends], class_names
        ),
    }


def names(autoencoder: Autoencoder, images: Images) -> dict[str, str]:
    """Say what each kind of features is, for the legend."""
    default = convolutional.code_size(convolutional.FILTERS, images.shape[1:])
    return {
        "code": f"autoencoder's code, {words.pluralize(autoencoder.code_size, 'number')}",
        "PCA": f"PCA, {words.pluralize(default, 'number')}",
        "pixels": f"raw pixels, {words.pluralize(images[0].size, 'number')}",
        "untrained": f"untrained default encoder's code, {words.pluralize(default, 'number')}",
    }


def between(autoencoder: Autoencoder, codes: Rows, ends: npt.NDArray[np.intp]) -> Images:
    """Decode codes on straight lines between those of images: pairs (P, 2) → (P, STEPS, H, W, 1)."""
    paths = [embeddings.interpolate(codes[start], codes[end], STEPS) for start, end in ends]
    shape = (-1, *autoencoder.code_shape)
    return np.stack([predict(autoencoder.decoder, path.reshape(shape)) for path in paths])
