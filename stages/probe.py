"""Probe the encoder's codes on the classes, beside PCA, raw pixels and an untrained encoder."""

from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np

from cae import artifacts, code_figures, maps, models, params, probes, splits
from cae.arrays import Images
from cae.baselines import PrincipalComponents
from cae.probes import Splits
from stages import command

PREPARED = Path("data/prepared")
PLOTS = Path("plots")
NAMES = {
    "cae": "autoencoder's code, 128 numbers",
    "pca": "PCA, 128 numbers",
    "pixels": "raw pixels, 784 numbers",
    "random": "untrained encoder's code, 128 numbers",
}
STEPS = 9
PAIRS = 3


def main() -> None:
    """Read the encoder and data/prepared, write metrics/probe.json and plots/."""
    settings = params.load().probe
    images = Splits(*(splits.images(PREPARED, name) for name in Splits._fields))
    labels = Splits(*(np.array(splits.labels(PREPARED, name)) for name in Splits._fields))
    probes.check(labels, settings)
    autoencoder = models.load(Path("models/autoencoder.keras"), models.IMAGE_SHAPE)
    encoder = models.load(Path("models/encoder.keras"), models.CODE_SHAPE)
    untrained = models.encoder(models.autoencoder(settings.seeds[0]))

    encoders: Mapping[str, Callable[[Images], Images]] = {
        "cae": partial(models.reconstruct, encoder),
        "pca": PrincipalComponents(models.CODE_SIZE).fit(images.train).encode,
        "pixels": np.asarray,
        "random": partial(models.reconstruct, untrained),
    }
    features = {
        name: Splits(*(encode(part).reshape(len(part), -1) for part in images))
        for name, encode in encoders.items()
    }
    codes = features["cae"]
    shown = {"map": min(settings.map_images, len(codes.test))}
    mapped = splits.draw(len(codes.test), shown, settings.seeds[0])["map"]
    mapped_codes, mapped_labels = codes.test[mapped], labels.test[mapped]
    # t-SNE is one long thread; the probes fill the other cores meanwhile. Unlike an executor, this pool does
    # not wait for its thread when the stage is stopped.
    with ThreadPool(1) as pool:
        drawing = pool.apply_async(maps.draw, (codes.train, mapped_codes, mapped_labels, settings))
        outcomes = probes.transfer(features, labels, settings)
        drawn = drawing.get()
    by_code = maps.leave_one_out(mapped_codes, mapped_labels, settings.neighbours)

    table = probes.accuracies(outcomes, labels.test)
    kept = {name: {"trustworthiness": one.trustworthiness, "knn": one.knn} for name, one in drawn.items()}
    scores = probes.nested(table)
    artifacts.write_json(Path("metrics/probe.json"), scores | {"map": kept})
    artifacts.write_csv(PLOTS / "transfer.csv", probes.chart(table, labels.train))
    full = next(one for one in outcomes if one[:3] == ("cae", "linear", probes.ALL))
    artifacts.write_csv(PLOTS / "confusion.csv", probes.confusion(labels.test, full.predictions))

    first = code_figures.first_of_each_class(labels.test)
    found = maps.nearest(codes.train, codes.test[first], settings.neighbours)
    ends = code_figures.pairs(first, PAIRS)
    decoder = models.decoder(autoencoder)
    paths = [maps.between(codes.test[start], codes.test[end], STEPS) for start, end in ends]
    decoded = [models.reconstruct(decoder, path.reshape(-1, *models.CODE_SHAPE)) for path in paths]
    for name, figure in {
        "maps": code_figures.maps(drawn, mapped_labels, by_code, settings.neighbours),
        "map_of_images": code_figures.map_of_images(drawn["tsne"], images.test[mapped], mapped_labels),
        "transfer": code_figures.transfer(table, NAMES),
        "retrieval": code_figures.retrieval(
            images.test[first], labels.test[first], images.train, labels.train, found
        ),
        "interpolation": code_figures.interpolation(images.test[ends], np.stack(decoded), labels.test[ends]),
    }.items():
        artifacts.write_figure(PLOTS / f"{name}.png", figure)
    print("accuracy with all labels:")
    for name, description in NAMES.items():
        linear, knn = (scores[probe][name][probes.ALL] for probe in ("linear", "knn"))
        print(f"  {description}: linear probe {linear:.1%}, nearest neighbours {knn:.1%}")


if __name__ == "__main__":
    command.run(main)
