"""Pictures of any size come back in their own, and nothing happens to them that was not asked for."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cae.cli import DEFAULT, views
from cae.cli.views import Seeing
from cae.core import files
from cae.core.arrays import Images
from cae.core.errors import UserError
from cae.datasets.samples import Sample
from cae.networks import convolutional
from cae.networks.autoencoder import predict
from cae.networks.resizable import ResizableAutoencoder

TRAINED = ResizableAutoencoder(DEFAULT)


def pictures(*shapes: tuple[int, ...], seed: int = 0) -> Iterator[Sample]:
    draws = np.random.default_rng(seed)
    for place, shape in enumerate(shapes):
        yield Sample(f"{place}.png", draws.integers(0, 256, shape, dtype=np.uint8))


def test_pictures_of_its_own_size_get_the_answers_of_the_pipeline() -> None:
    images = np.stack([picture.pixels for picture in pictures(*[(28, 28)] * 5)])[..., np.newaxis]
    inputs: Images = images.astype(np.float32) / np.float32(255)
    made = list(views.answers(pictures(*[(28, 28)] * 5), TRAINED, Seeing()))
    np.testing.assert_array_equal(
        [answer.reconstruction for answer in made], predict(TRAINED.own.network, inputs)
    )
    codes = [code for _, code in views.codes(pictures(*[(28, 28)] * 5), TRAINED, Seeing())]
    np.testing.assert_array_equal(codes, predict(TRAINED.own.encoder, inputs).reshape(5, -1))


@pytest.mark.parametrize("shape", [(1, 1), (2, 60), (23, 23), (73, 144), (100, 100), (458, 690)])
def test_a_picture_of_any_size_comes_back_in_its_own(shape: tuple[int, int]) -> None:
    (answer,) = views.answers(pictures(shape), TRAINED, Seeing())
    assert answer.image.shape == answer.reconstruction.shape == (*shape, 1)
    np.testing.assert_allclose(
        answer.squared_error, (answer.image - answer.reconstruction)[..., 0] ** 2, atol=1e-7
    )


@pytest.mark.parametrize("stride", [7, 28])
@pytest.mark.parametrize("shape", [(20, 20), (28, 28), (73, 144)])
def test_tiles_cover_a_picture_and_are_put_together_again(shape: tuple[int, int], stride: int) -> None:
    (answer,) = views.answers(pictures(shape), TRAINED, Seeing(tiles=stride))
    assert answer.reconstruction.shape == (*shape, 1)


def test_one_tile_is_the_picture_itself() -> None:
    (whole,), (tile,) = (
        list(views.answers(pictures((28, 28)), TRAINED, Seeing(tiles=stride))) for stride in (None, 28)
    )
    np.testing.assert_array_equal(tile.reconstruction, whole.reconstruction)


@pytest.mark.parametrize("stride", [0, 29])
def test_tiles_that_would_leave_gaps_are_refused(stride: int) -> None:
    with pytest.raises(UserError, match="tiles are square, 1 to 28 pixels apart"):
        list(views.answers(pictures((28, 28)), TRAINED, Seeing(tiles=stride)))


def test_sizes_may_change_from_picture_to_picture_and_the_order_stays() -> None:
    shapes = [(28, 28), (28, 28), (30, 28), (28, 28), (23, 23)]
    made = list(views.answers(pictures(*shapes), TRAINED, Seeing()))
    assert [answer.name for answer in made] == [f"{place}.png" for place in range(5)]
    assert [answer.size for answer in made] == shapes


def test_resizing_is_asked_for_and_undone_in_what_is_shown() -> None:
    (answer,) = views.answers(pictures((100, 60)), TRAINED, Seeing(size=(28, 28)))
    assert answer.image.shape == (28, 28, 1)
    assert answer.sized(answer.reconstruction).shape == (100, 60, 1)


def test_colour_is_made_grey_only_where_asked() -> None:
    with pytest.raises(UserError, match=r"'0.png' has 3 channels .*add --grey"):
        list(views.answers(pictures((28, 28, 3)), TRAINED, Seeing()))
    (answer,) = views.answers(pictures((28, 28, 3)), TRAINED, Seeing(grey=True))
    assert answer.image.shape == (28, 28, 1)


def test_a_window_says_what_is_black_and_white() -> None:
    values = np.array([[-1000, 0], [500, 1000]], np.int16).repeat(14, 0).repeat(14, 1)
    (answer,) = views.answers([Sample("ct", values)], TRAINED, Seeing(window=(0, 1000)))
    np.testing.assert_array_equal(np.unique(answer.image), [0, 0.5, 1])


def test_tiles_worked_on_at_once_are_the_fewer_the_larger(tmp_path: Path) -> None:
    files.write_model(
        tmp_path / "large.keras",
        convolutional.build(convolutional.Settings(filters=(2, 2, 2)), (252, 252, 1), 1).network,
    )
    trained = ResizableAutoencoder(tmp_path / "large.keras")
    taken: list[int] = []

    def tiles() -> Iterator[Images]:
        for place in range(20):
            taken.append(place)
            yield np.zeros((252, 252, 1), np.float32)

    next(views.reconstructed(tiles(), trained))
    assert len(taken) == 6


@pytest.mark.parametrize(("side", "batches"), [(280, [5, 5, 2]), (1, [12])])
def test_what_is_worked_on_at_once_is_bounded(side: int, batches: list[int]) -> None:
    many = views.batches(pictures(*[(side, side)] * 12), TRAINED, Seeing())
    assert [len(batch) for batch in many] == batches
