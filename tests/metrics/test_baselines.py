"""Baselines give reconstructions and codes of the promised shapes and errors."""

from pathlib import Path

import numpy as np
import pytest

from cae.core import files
from cae.core.arrays import Images
from cae.core.errors import UserError
from cae.metrics import baselines
from cae.metrics.baselines import MeanImage, NearestImage, PrincipalComponents

SHAPE = (6, 5, 1)
IMAGES: Images = np.random.default_rng(0).random((50, *SHAPE), np.float32)
MEAN, PCA = MeanImage.fit(IMAGES), PrincipalComponents.fit(IMAGES, 7)


@pytest.mark.parametrize(("baseline", "code_size", "parameters"), [(MEAN, 0, 30), (PCA, 7, 7 * 30 + 30)])
def test_reconstructions_have_their_shape_and_range(
    baseline: MeanImage | PrincipalComponents, code_size: int, parameters: int
) -> None:
    reconstructions = baseline.reconstruct(IMAGES[:9])
    assert reconstructions.shape == (9, *SHAPE)
    assert reconstructions.dtype == np.float32
    assert reconstructions.min() >= 0
    assert reconstructions.max() <= 1
    assert (baseline.code_size, baseline.parameters) == (code_size, parameters)
    with pytest.raises(ValueError, match="fitted to images"):
        baseline.reconstruct(IMAGES[:, :4])


def test_codes_of_pca_have_their_shape() -> None:
    codes = PCA.encode(IMAGES[:9])
    assert codes.shape == (9, 7)
    assert codes.dtype == np.float32


def test_the_mean_image_is_the_mean() -> None:
    assert MEAN.reconstruct(IMAGES[:2]) == pytest.approx(np.stack([IMAGES.mean(axis=0)] * 2), abs=1e-6)


def test_the_nearest_image_has_the_least_squared_error() -> None:
    errors = np.square(IMAGES[40:, None] - IMAGES[None, :40]).sum(axis=(2, 3, 4))
    nearest = NearestImage(IMAGES[:40]).reconstruct(IMAGES[40:])
    assert np.array_equal(nearest, IMAGES[errors.argmin(axis=1)])


def test_pca_loses_what_the_smallest_singular_values_hold() -> None:
    # Eckart and Young: the squared error of the best rank-k fit is the sum of the squared singular values
    # left out. A narrow range around 0.5 keeps the clipping out of it.
    narrow = (0.4 + 0.2 * IMAGES).astype(np.float32)
    centred = (narrow - narrow.mean(axis=0)).reshape(50, -1).astype(np.float64)
    left_out = np.linalg.svd(centred, compute_uv=False)[7:]
    error = PrincipalComponents.fit(narrow, 7).reconstruct(narrow) - narrow
    assert np.square(error, dtype=np.float64).sum() == pytest.approx(np.square(left_out).sum(), rel=1e-5)


def test_codes_come_in_order_of_falling_variance_and_all_of_them_restore_the_images() -> None:
    pca = PrincipalComponents.fit(IMAGES, 30)
    assert (np.diff(pca.encode(IMAGES).var(axis=0)) <= 0).all()
    assert pca.reconstruct(IMAGES) == pytest.approx(IMAGES, abs=1e-5)


def test_fewer_components_are_the_first_of_many() -> None:
    few = PrincipalComponents(7, PrincipalComponents.fit(IMAGES, 30).components)
    assert few.parameters == PCA.parameters
    assert np.array_equal(few.reconstruct(IMAGES), PCA.reconstruct(IMAGES))
    with pytest.raises(ValueError, match="8 components, but only 7 were fitted"):
        PrincipalComponents(8, PCA.components)


def test_reconstructions_beyond_black_and_white_are_clipped() -> None:
    images = np.zeros((2, 1, 2, 1), np.float32)
    images[0, 0, 0] = images[1, 0, 1] = 1
    fitted = PrincipalComponents.fit(images * 0.5, 1)
    assert fitted.reconstruct(images).ravel() == pytest.approx([0.75, 0, 0, 0.75])


def test_fitted_baselines_come_back_from_their_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mean_image\.npy cannot be read.*dvc repro --force baselines"):
        baselines.read(tmp_path)
    for name, array in baselines.to_arrays(MEAN, PCA.components).items():
        files.write_array(tmp_path / name, array)
    mean, components = baselines.read(tmp_path)
    assert np.array_equal(mean.mean, MEAN.mean)
    assert all(np.array_equal(a, b) for a, b in zip(components, PCA.components, strict=True))
