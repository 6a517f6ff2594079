"""The discriminative network marks drawn defects, and is an autoencoder as the others."""

from pathlib import Path

import numpy as np
import pytest

from behaviour import examples
from cae.core import files
from cae.core.errors import UserError
from cae.datasets.augmentations import Phase
from cae.datasets.defects import draw_defects
from cae.engine.engine import choose_engine
from cae.metrics import scores
from cae.metrics.score_settings import ScoreSettings
from cae.metrics.scores import NormalTiles
from cae.networks import autoencoder, convolutional, discriminative
from cae.networks.autoencoder import Autoencoder
from cae.networks.discriminative import Settings

IMAGES = examples.images(96, 12, 20)


def build() -> Autoencoder:
    return discriminative.build(Settings(width=4, filters=2), (12, 20, 1), seed=1)


def test_codes_reconstructions_and_defects_have_their_shapes() -> None:
    network = build()
    assert network.code_shape == (2, 3, 2)
    assert network.network.output_shape == (None, 12, 20, 1)
    defects = discriminative.get_defect_model(network)
    assert defects is not None
    assert defects.output_shape == (None, 12, 20, 1)


def test_its_output_is_found_in_a_saved_network(tmp_path: Path) -> None:
    network = build()
    files.write_model(tmp_path / "network.keras", network.network)
    loaded = autoencoder.load(tmp_path / "network.keras")
    found, expected = (discriminative.get_defect_model(one) for one in (loaded, network))
    assert found is not None
    assert expected is not None
    np.testing.assert_array_equal(found(IMAGES), expected(IMAGES))


def test_other_networks_find_no_defects() -> None:
    other = convolutional.build(convolutional.Settings(filters=(4, 3, 2)), (12, 20, 1), seed=1)
    assert discriminative.get_defect_model(other) is None
    with pytest.raises(UserError, match="segmentation needs a network that has learned from drawn defects"):
        scores.fit(ScoreSettings(score="segmentation"), other, NormalTiles(IMAGES, IMAGES))


def test_an_image_that_would_not_come_back_is_refused() -> None:
    with pytest.raises(ValueError, match="would not come back at their size"):
        discriminative.build(Settings(), (28, 30, 1), seed=1)


@pytest.mark.parametrize("engine", ["fast", "stock"])
def test_inputs_have_defects_and_targets_are_clean_images_and_masks(engine: str) -> None:
    network = build()
    task = discriminative.task(Settings(width=4, filters=2), network, choose_engine(engine))
    drawn = discriminative.draw_examples((), IMAGES, np.random.default_rng(3), Phase(True, 0))
    expected = draw_defects(IMAGES, np.random.default_rng(3))
    inputs, (clean, masks) = drawn
    np.testing.assert_array_equal(inputs, expected.images)
    np.testing.assert_array_equal(clean, IMAGES)
    np.testing.assert_array_equal(masks, expected.masks)
    outputs = task.forward(inputs)
    objective, loss = (np.asarray(function([clean, masks], outputs)) for function in task.losses.values())
    assert (objective > loss).all()
