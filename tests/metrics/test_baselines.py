"""The baselines keep their contract and are what they say they are."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from cae.core.arrays import Images
from cae.core.errors import UserError
from cae.metrics import baselines
from cae.metrics.baselines import Baseline, MeanImage, PrincipalComponents

SHAPE = (6, 5, 1)


@pytest.fixture
def images() -> Images:
    return np.random.default_rng(0).random((50, *SHAPE), np.float32)


@pytest.mark.parametrize("baseline", [MeanImage(), PrincipalComponents(7)])
def test_every_baseline_keeps_the_contract(baseline: Baseline, images: Images) -> None:
    assert baseline.fit(images) is baseline
    codes, reconstructions = baseline.encode(images[:9]), baseline.reconstruct(images[:9])
    assert codes.shape == (9, baseline.code_size)
    assert reconstructions.shape == (9, *SHAPE)
    assert codes.dtype == reconstructions.dtype == np.float32
    assert reconstructions.min() >= 0
    assert reconstructions.max() <= 1


@pytest.mark.parametrize(
    ("baseline", "name", "code_size", "parameters"),
    [(MeanImage(), "mean image", 0, 30), (PrincipalComponents(7), "PCA-7", 7, 7 * 30 + 30)],
)
def test_a_baseline_tells_what_it_costs(
    baseline: Baseline, name: str, code_size: int, parameters: int, images: Images
) -> None:
    baseline.fit(images)
    assert (baseline.name, baseline.code_size, baseline.parameters) == (name, code_size, parameters)


@pytest.mark.parametrize("baseline", [MeanImage(), PrincipalComponents(2)])
def test_using_a_baseline_before_fit_is_an_error(baseline: Baseline, images: Images) -> None:
    with pytest.raises(NotFittedError):
        baseline.reconstruct(images)
    with pytest.raises(NotFittedError):
        _ = baseline.parameters


@pytest.mark.parametrize("baseline", [MeanImage(), PrincipalComponents(2)])
def test_images_of_another_size_are_an_error(baseline: Baseline, images: Images) -> None:
    baseline.fit(images)
    with pytest.raises(ValueError, match=r"fitted|expecting"):
        baseline.reconstruct(images[:, :4])


def test_the_mean_image_answers_every_image_with_the_mean(images: Images) -> None:
    reconstructions = MeanImage().fit(images).reconstruct(images[:2])
    assert reconstructions == pytest.approx(np.stack([images.mean(axis=0)] * 2), abs=1e-6)


def test_principal_components_lose_what_the_smallest_singular_values_hold(images: Images) -> None:
    # Eckart and Young: the squared error of the best rank-k fit is the sum of the squared singular values
    # left out. A narrow range around 0.5 keeps the clipping out of it.
    narrow = (0.4 + 0.2 * images).astype(np.float32)
    centred = (narrow - narrow.mean(axis=0)).reshape(50, -1).astype(np.float64)
    left_out = np.linalg.svd(centred, compute_uv=False)[7:]
    error = PrincipalComponents(7).fit(narrow).reconstruct(narrow) - narrow
    assert np.square(error, dtype=np.float64).sum() == pytest.approx(np.square(left_out).sum(), rel=1e-5)


def test_all_components_bring_the_images_back(images: Images) -> None:
    assert PrincipalComponents(30).fit(images).reconstruct(images) == pytest.approx(images, abs=1e-5)


def test_codes_come_in_order_of_falling_variance(images: Images) -> None:
    variances = PrincipalComponents(30).fit(images).encode(images).var(axis=0)
    assert (np.diff(variances) <= 0).all()


def test_fewer_components_are_the_first_of_many(images: Images) -> None:
    many = PrincipalComponents(30).fit(images).components
    few, fitted = PrincipalComponents(7, many), PrincipalComponents(7).fit(images)
    assert few.parameters == fitted.parameters
    assert np.array_equal(few.reconstruct(images), fitted.reconstruct(images))


def test_more_components_than_were_fitted_are_an_error(images: Images) -> None:
    with pytest.raises(ValueError, match="8 components, but only 7 were fitted"):
        PrincipalComponents(8, PrincipalComponents(7).fit(images).components)


def test_what_was_fitted_comes_back_from_its_files(images: Images, tmp_path: Path) -> None:
    mean_image, components = MeanImage().fit(images), PrincipalComponents(7).fit(images).components
    baselines.write(tmp_path, mean_image, components)
    mean_again, components_again = baselines.read(tmp_path)
    assert np.array_equal(mean_again.mean, mean_image.mean)
    assert all(np.array_equal(a, b) for a, b in zip(components_again, components, strict=True))


def test_missing_baselines_are_named_with_their_fix(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mean_image\.npy cannot be read.*dvc repro --force baselines"):
        baselines.read(tmp_path)


def test_reconstructions_beyond_black_and_white_are_clipped() -> None:
    images = np.zeros((2, 1, 2, 1), np.float32)
    images[0, 0, 0] = images[1, 0, 1] = 1
    fitted = PrincipalComponents(1).fit(images * 0.5)
    assert fitted.reconstruct(images).ravel() == pytest.approx([0.75, 0, 0, 0.75])


@pytest.mark.parametrize("components", [0, 31])
def test_an_impossible_number_of_components_is_an_error(components: int, images: Images) -> None:
    with pytest.raises(ValueError, match="n_components"):
        PrincipalComponents(components).fit(images)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux can pin a process to a core")
def test_the_bits_do_not_depend_on_the_number_of_cores() -> None:
    program = (
        "import os, sys; os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:int(sys.argv[1])]))\n"
        "import stages, hashlib; import numpy as np; from cae.metrics.baselines import PrincipalComponents\n"
        "images = np.random.default_rng(0).random((1000, 20, 20, 1), np.float32)\n"
        "codes = PrincipalComponents(50).fit(images).encode(images)\n"
        "print(hashlib.sha256(codes.tobytes()).hexdigest())"
    )
    one, all_cores = (
        subprocess.run([sys.executable, "-c", program, cores], capture_output=True, check=True).stdout
        for cores in ("1", "1024")
    )
    assert one == all_cores
