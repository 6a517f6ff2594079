"""The mission's network: its layers, shapes and parameters, drawn from its seed alone."""

import itertools

import keras
import numpy as np
import pytest

from cae.networks import convolutional
from tests import default

IMAGES = np.random.default_rng(0).random((3, 28, 28, 1), dtype=np.float32)


def test_it_has_three_convolutions_and_poolings_and_their_mirror() -> None:
    layers = default.autoencoder(seed=1).network.layers
    kinds = [type(layer).__name__ for layer in layers]
    assert kinds == ["Conv2D", "MaxPooling2D"] * 3 + ["Conv2D", "UpSampling2D"] * 3 + ["Conv2D"]
    convolutions = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters for layer in convolutions] == [32, 16, 8, 8, 16, 32, 1]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert [layer.padding for layer in convolutions] == ["same"] * 5 + ["valid", "same"]
    assert [layer.activation.__name__ for layer in convolutions] == ["relu"] * 6 + ["sigmoid"]


def test_it_has_12_785_parameters_and_a_code_of_128_numbers() -> None:
    autoencoder = default.autoencoder(seed=1)
    assert autoencoder.network.count_params() == 12_785
    assert (autoencoder.code_shape, autoencoder.code_size) == ((4, 4, 8), 128)


def test_it_turns_images_into_images() -> None:
    reconstructions = np.asarray(default.autoencoder(seed=1).network(IMAGES))
    assert reconstructions.shape == IMAGES.shape
    assert reconstructions.min() >= 0
    assert reconstructions.max() <= 1


@pytest.mark.parametrize(
    ("filters", "image_shape", "code_shape"),
    [((16, 8, 4), (28, 28, 1), (4, 4, 4)), ((2, 3, 5), (12, 60, 3), (2, 8, 5))],
)
def test_filters_and_images_decide_the_code(
    filters: tuple[int, ...], image_shape: tuple[int, ...], code_shape: tuple[int, ...]
) -> None:
    autoencoder = convolutional.build(convolutional.Settings(filters=filters), image_shape, seed=1)
    assert autoencoder.code_shape == convolutional.code_shape(filters, image_shape) == code_shape
    assert autoencoder.code_size == convolutional.code_size(filters, image_shape)
    assert autoencoder.network.output_shape[1:] == image_shape


@pytest.mark.parametrize("image_shape", [(28, 32, 1), (27, 28, 1)])
def test_images_to_which_the_decoder_would_not_come_back_are_refused(image_shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="would not come back at their size: both sides must be 4 more than"):
        convolutional.build(convolutional.Settings(), image_shape, seed=1)


def test_the_seed_alone_decides_the_first_weights() -> None:
    keras.utils.set_random_seed(1)
    first = default.autoencoder(seed=1).network.get_weights()
    keras.utils.set_random_seed(2)
    again, other = (default.autoencoder(seed).network.get_weights() for seed in (1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert not np.array_equal(first[0], other[0])


def test_no_two_kernels_start_from_the_same_numbers() -> None:
    kernels = [weight for weight in default.autoencoder(seed=1).network.get_weights() if weight.ndim == 4]
    # Before scaling, Glorot draws are the same for the same seed: compare the signs.
    signs = [np.sign(kernel.ravel()[:72]).tobytes() for kernel in kernels]
    assert all(one != other for one, other in itertools.combinations(signs, 2))
