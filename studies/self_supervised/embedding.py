"""Embed the codes of the default network and of the best self-supervised one in the plane."""

from cae.core.config import Section
from cae.datasets import prepared
from cae.datasets.splits import draw_indices
from cae.metrics import embeddings
from cae.networks.autoencoder import load
from stages.runner.project import Project, Results
from studies.self_supervised import PREPARED, figures

NETWORKS = {"default network": "../../models/autoencoder.keras", "prototypes": "models/prototypes.keras"}


class Settings(Section):
    """What the stage reads of params.yaml."""

    embedding: embeddings.Settings


def embedding(project: Project, settings: Settings) -> Results:
    """Return the figure of both embeddings."""
    folder = project.path(PREPARED)
    images, labels = prepared.read_all_images(folder), prepared.read_labels(folder, "test")
    chosen = settings.embedding
    indices = draw_indices(len(labels), {"sample": min(chosen.images, len(labels))}, chosen.seed)["sample"]
    drawn = {}
    for name, path in NETWORKS.items():
        network = load(project.path(path), images.test.shape[1:])
        codes = network.encode(images.test[indices])
        linear = embeddings.embed_by_pca(network.encode(images.train), codes)
        points = embeddings.embed_by_tsne(codes, linear, chosen)
        drawn[name] = embeddings.measure(points, codes, labels[indices], chosen.neighbours)
    figure = figures.plot_embeddings(drawn, labels[indices], prepared.read_class_names(folder))
    return {"plots/embeddings.png": figure}
