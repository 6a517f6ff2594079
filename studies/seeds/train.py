"""Train the main pipeline's network with another seed."""

from cae.core.config import validate
from stages.prepared_images import read_training_images
from stages.runner.project import Project, Results
from stages.train import Settings, Train, train_network


def train(project: Project, settings: Settings, seed: int) -> Results:
    """Return the trained network and its history."""
    recipe = validate(settings.train.model_dump() | {"seed": seed}, Train, project.folder / "params.yaml")
    images = read_training_images(project, "../../data/prepared")
    autoencoder, history = train_network(project, settings.model, recipe, *images)
    return {f"models/{seed}.keras": autoencoder.network, f"histories/{seed}.csv": history}
