"""The chosen network is built, unless it would take many gigabytes."""

import pytest

from cae.core.errors import UserError
from cae.networks import model
from cae.networks.model import Model


@pytest.mark.parametrize("network", ["residual", "self_supervised", "variational"])
def test_matrices_that_would_take_many_gigabytes_are_refused(network: str) -> None:
    with pytest.raises(UserError, match=f"too many for the matrices of model.{network} with a width of"):
        Model(name=network).build((704, 704, 1), seed=1)


def test_many_filters_are_not_matrices() -> None:
    discriminative = {"width": 64, "batch_size": 1}
    built = Model.model_validate({"name": "discriminative", "discriminative": discriminative})
    assert built.build((1028, 1028, 1), seed=1).code_size == 129**2 * 8


def test_a_batch_that_would_take_many_gigabytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MOST_NUMBERS", 16 * 28 * 28 * 32)
    assert Model().build((28, 28, 1), seed=1)
    monkeypatch.setattr(model, "MOST_NUMBERS", 16 * 28 * 28 * 32 - 1)
    with pytest.raises(UserError, match=r"a batch has 16 images, .* lower model\.convolutional\.batch_size"):
        Model().build((28, 28, 1), seed=1)
