"""A statement on a page holds in the committed numbers."""

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from benchmarks import report
from benchmarks.contenders import KERAS, PYTORCH
from checks import tables
from studies.variational import FLOOR
from tests import ROOT

NETWORKS = {"convolutional", "residual", "residual_cnn"}
CLAIMS: list[tuple[str, str, Callable[[], bool]]] = []


def claim(page: str, text: str) -> Callable[[Callable[[], bool]], Callable[[], bool]]:
    """Register a function that checks a sentence of a page."""

    def register(holds: Callable[[], bool]) -> Callable[[], bool]:
        CLAIMS.append((page, text, holds))
        return holds

    return register


def read(name: str, index: str | list[str]) -> Any:
    return pd.read_csv(ROOT / name).set_index(index)


@claim("README.md", "**PCA wins** in squared and absolute error, PSNR and SSIM")
def pca_wins_in_squared_error() -> bool:
    scores = read("plots/reconstruction.csv", "method")
    difference = scores.loc["autoencoder"] - scores.loc["PCA"]
    return all(difference[["mse", "mae"]] > 0) and all(difference[["psnr", "ssim"]] < 0)


@claim("README.md", "The network has the lower cross-entropy")
def the_network_wins_in_cross_entropy() -> bool:
    scores = read("plots/reconstruction.csv", "method")["bce"]
    return bool(scores["autoencoder"] < scores["PCA"])


@claim(
    "README.md",
    "The linear classifier is more accurate on the code than on pixels or PCA components, for every number "
    "of labels",
)
def the_linear_probe_is_more_accurate_on_the_code() -> bool:
    scores = read("plots/probes.csv", "labels_per_class")
    return bool((scores["linear code"] > scores[["linear PCA", "linear pixels"]].max(axis=1)).all())


@claim("README.md", "The code of an untrained network is less accurate than raw pixels")
def an_untrained_network_is_less_accurate_than_pixels() -> bool:
    scores = read("plots/probes.csv", "labels_per_class")
    return all(
        (scores[f"{probe} untrained"] < scores[f"{probe} pixels"]).all() for probe in ("linear", "knn")
    )


@claim("README.md", "has the lowest validation loss of nine recipes")
def the_default_recipe_is_the_best() -> bool:
    results = pd.read_csv(ROOT / "studies/recipe/plots/recipe.csv")
    means = results.groupby(["batch_size", "learning_rate"])["val_loss"].mean()
    return means.idxmin() == (16, 0.002) and len(means) == 9


@claim("README.md", "its error is lower than the published one at every size from 8 to 256")
def the_published_network_loses_more_at_every_size() -> bool:
    ours = read("studies/rate/plots/rate.csv", ["method", "numbers"]).loc["residual"]["mse"]
    published = pd.read_csv(ROOT / "studies/rate/published.csv").dropna(subset="numbers")
    return bool((ours.loc[published["numbers"]].to_numpy() < published["mse"].to_numpy()).all())


@claim("README.md", "has less than half of PCA's squared error")
def less_than_half_of_the_error_of_pca() -> bool:
    error = read("studies/rate/plots/rate.csv", ["method", "numbers"])["mse"]
    return bool(error.loc[("residual", 128)] < error.loc[("PCA", 128)] / 2)


@claim("studies/rate/README.md", "it has 0.0024 and 0.0026 after 80")
def the_training_error_is_that_of_the_best_epoch() -> bool:
    mse = json.loads((ROOT / "studies/rate/metrics/rate.json").read_text())["mse_128"]
    history = read("studies/rate/histories/128.csv", "epoch")
    best = history["val_objective"].idxmin()
    return (round(float(history["objective"].loc[best]), 4), round(mse, 4), best) == (0.0024, 0.0026, 80)


@claim("README.md", "test BCE 0.2687 ± 0.0005, MSE 0.0086 ± 0.0002")
def means_over_seeds_are_quoted() -> bool:
    table = read("studies/seeds/plots/noise.csv", "metric")
    quoted = {"bce": (0.2687, 0.0005, 4), "mse": (0.0086, 0.0002, 4), "linear_all": (0.870, 0.002, 3)}
    return all(
        (round(float(table["mean"][name]), digits), round(float(table["sd"][name]), digits)) == (mean, sd)
        for name, (mean, sd, digits) in quoted.items()
    )


@claim("README.md", "has the lowest BCE of the five")
def seed_1_is_the_best_of_five() -> bool:
    table = read("studies/seeds/plots/noise.csv", "metric")
    committed = read("plots/reconstruction.csv", "method").loc["autoencoder"]
    bounds = {"bce": "least", "mse": "least", "mae": "least", "psnr": "most", "ssim": "most"}
    return all(committed[name] == table.loc[name, bound] for name, bound in bounds.items())


@claim(
    "studies/seeds/README.md",
    "At 0.002, the default, and at 0.008 none of twenty networks failed. At 0.032 fourteen did",
)
def fourteen_networks_failed_at_the_highest_rate() -> bool:
    counts = read("studies/seeds/plots/failed.csv", "learning_rate")
    quoted = {0.002: 0, 0.008: 0, 0.032: 14}
    return counts["failed"].to_dict() == counts["same"].to_dict() == quoted


@claim("studies/seeds/README.md", "It reaches 17 % even for none of twenty")
def the_intervals_of_failed_networks_do_not_overlap() -> bool:
    counts = read("studies/seeds/plots/failed.csv", "learning_rate")
    least, most = counts["least"].to_dict(), counts["most"].to_dict()
    return bool(round(most[0.002], 2) == 0.17 and least[0.032] > max(most[0.002], most[0.008]))


@claim("benchmarks/README.md", "**Keras's jit_compile is faster there**")
def only_jit_compile_is_faster() -> bool:
    epochs = report.tabulate_epochs(tables.read_benchmark("benchmarks/residual")).set_index("name")
    others = epochs[epochs["family"].isin((KERAS, PYTORCH))]
    return list(others.index[others["times_ours"] < 1]) == ["keras-jit"]


@claim(
    "README.md",
    "over five splits, AUROC 0.891 ± 0.022 for a sum of distances between codes, 0.853 ± 0.022 for",
)
def the_sum_is_above_the_mean_image_in_every_split() -> bool:
    tables = ["tables/detection.csv", *(f"repeats/{places}.csv" for places in (1, 2, 3, 4))]
    aurocs = pd.concat([read(f"studies/medical/{name}", "method")["auroc"] for name in tables], axis=1).T
    means, deviations = aurocs.mean().round(3), aurocs.std().round(3)
    quoted = {"sum": (0.891, 0.022), "mean image": (0.853, 0.022), "segmentation": (0.833, 0.023)}
    return bool((aurocs["sum"] > aurocs["mean image"]).all()) and all(
        (means[name], deviations[name]) == values for name, values in quoted.items()
    )


@claim("studies/score/README.md", "It is first on each of the three data sets")
def the_chosen_score_is_the_best_on_each_data_set() -> bool:
    table = read("studies/score/tables/scores.csv", ["network", "score", "smoothing"])
    best = table[["auroc", "industrial", "medical", "fashion_mnist"]].idxmax()
    return set(best) == {("discriminative", "segmentation", 2.0)}


@claim(
    "studies/industrial/README.md", "`segmentation` has the highest AUROC, of images and of pixels, and AUPRO"
)
def segmentation_is_the_best_on_brick() -> bool:
    table = read("studies/industrial/tables/detection.csv", "method")[["auroc", "pixel_auroc", "aupro"]]
    return set(table.idxmax()) == {"segmentation"}


@claim("studies/industrial/README.md", "(0.793 and 0.552 against 0.507)")
def local_and_pca_catch_more() -> bool:
    caught = read("studies/industrial/tables/detection.csv", "method")["caught"].round(3)
    return [caught[name] for name in ("local", "PCA", "segmentation")] == [0.793, 0.552, 0.507]


def read_psnr() -> Any:
    """One row per noise, one column per method."""
    table = pd.read_csv(ROOT / "studies/denoising/plots/denoising.csv")
    return table.pivot(index=["kind", "strength"], columns="method", values="psnr")


@claim(
    "studies/denoising/README.md",
    "The residual autoencoder is the best method except where there is little noise",
)
def the_residual_autoencoder_denoises_best() -> bool:
    psnr = read_psnr()
    others = psnr.index[psnr.idxmax(axis=1) != "residual"]
    return set(others) == {("gaussian", 0.1), ("squares", 0.25)}


@claim(
    "studies/denoising/README.md",
    "total variation and the Wiener filter are all better than every network",
)
def filters_win_under_little_noise() -> bool:
    psnr = read_psnr().loc[("gaussian", 0.1)]
    return bool(
        psnr[["nonlocal_means", "wavelet", "total_variation", "wiener"]].min() > psnr[list(NETWORKS)].max()
    )


@claim("studies/denoising/README.md", "is better than every filter from σ = 0.3 on")
def the_convolutional_autoencoder_wins_from_there_on() -> bool:
    psnr = read_psnr().loc["gaussian"]
    filters = psnr[[name for name in psnr.columns if name not in NETWORKS]].max(axis=1)
    return list(psnr.index[psnr["convolutional"] > filters]) == [0.3, 0.4, 0.5]


@claim("studies/denoising/README.md", "2.4 dB better at σ = 0.3 than the residual CNN")
def the_autoencoders_are_above_the_residual_cnn() -> bool:
    psnr = read_psnr()
    lead = psnr["residual_cnn"] - psnr[["convolutional", "residual"]].max(axis=1)
    ahead = set(lead.index[lead > 0])
    return ahead == {("gaussian", 0.1), ("squares", 0.25)} and round(lead["gaussian", 0.3], 1) == -2.4


@claim("README.md", "raises the PSNR from 12.8 to 21.1 dB")
def psnr_at_the_middle_noise_is_quoted() -> bool:
    psnr = read_psnr().loc[("gaussian", 0.3)]
    quoted = {"residual": 21.1, "nonlocal_means": 16.7, "wiener": 17.5, "noisy": 12.8}
    return all(round(psnr[name], 1) == value for name, value in quoted.items())


def read_likelihoods() -> tuple[float, float, "pd.Series[float]"]:
    """Ours, that of the published network of the same kind, and all others with the floor."""
    scores = read("studies/variational/plots/table.csv", "method")["log_likelihood"]
    ours = scores.pop("VAE with a Gaussian prior, this network")
    return ours, scores.pop("VAE with a Gaussian prior"), scores


@claim(
    "studies/variational/README.md",
    "0.5 nats above the published network of its kind, a VAE with a Gaussian prior, and below every "
    "other row",
)
def only_the_published_network_of_its_kind_is_less_likely() -> bool:
    ours, same_kind, others = read_likelihoods()
    return bool((others > ours).all() and round(ours - same_kind, 1) == 0.5)


@claim(
    "README.md",
    "log-likelihood −228.2 ± 0.8 nats (standard error) on binarised test images; published −228.7 for a "
    "network of its kind, and up to −223.3",
)
def likelihoods_are_quoted() -> bool:
    ours, same_kind, others = read_likelihoods()
    study = json.loads((ROOT / "studies/variational/metrics/variational.json").read_text())
    values = (ours, study["standard_error"], same_kind, others.drop(FLOOR).max())
    return [round(value, 1) for value in values] == [-228.2, 0.8, -228.7, -223.3]


@pytest.mark.parametrize(("page", "text", "holds"), CLAIMS)
def test_a_claim_holds_in_the_committed_numbers(page: str, text: str, holds: Callable[[], bool]) -> None:
    assert text in " ".join((ROOT / page).read_text().split()), "no longer on the page: delete it here too"
    assert holds()
