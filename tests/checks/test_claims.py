"""Whoever is said to win does so by the committed numbers."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pandas as pd
import pytest

from benchmarks import summary
from benchmarks.contenders import FAMILIES
from checks import tables
from studies.variational.report import FLOOR

ROOT = Path(__file__).parents[2]


def table(name: str, index: str | list[str]) -> pd.DataFrame:
    return pd.read_csv(ROOT / name).set_index(index)


def reconstruction(name: str) -> tuple[float, float]:
    """Return the autoencoder's figure and PCA's."""
    scores = table("plots/reconstruction.csv", "method")[name]
    return scores["autoencoder"], scores["PCA"]


def pca_wins() -> bool:
    errors, similarities = ("mse", "mae"), ("psnr", "ssim")
    return all(ours > pca for ours, pca in map(reconstruction, errors)) and all(
        ours < pca for ours, pca in map(reconstruction, similarities)
    )


def lower_cross_entropy() -> bool:
    ours, pca = reconstruction("bce")
    return ours < pca


def probe_leads() -> bool:
    scores = table("plots/probes.csv", "labels_per_class")
    rivals = scores[["linear PCA", "linear pixels"]].max(axis=1)
    return bool((scores["linear code"] > rivals).all())


def untrained_stays_below_pixels() -> bool:
    scores = table("plots/probes.csv", "labels_per_class")
    return all(
        (scores[f"{probe} untrained"] < scores[f"{probe} pixels"]).all() for probe in ("linear", "knn")
    )


def default_recipe_leads() -> bool:
    results = pd.read_csv(ROOT / "studies/recipe/plots/recipe.csv")
    means = results.groupby(["batch_size", "learning_rate"])["val_loss"].mean()
    return means.idxmin() == (16, 0.002) and len(means) == 9


def less_is_lost_than_published_at_every_size() -> bool:
    ours = table("studies/rate/plots/rate.csv", ["method", "numbers"]).loc["residual"]["mse"]
    published = pd.read_csv(ROOT / "studies/rate/published.csv").dropna(subset="numbers")
    return bool((ours.loc[published["numbers"]].to_numpy() < published["mse"].to_numpy()).all())


def less_than_half_of_pca_is_lost() -> bool:
    lost = table("studies/rate/plots/rate.csv", ["method", "numbers"])["mse"]
    return bool(lost.loc[("residual", 128)] < lost.loc[("PCA", 128)] / 2)


def moved_images_are_not_learned_by_heart() -> bool:
    mse = json.loads((ROOT / "studies/rate/metrics/rate.json").read_text())["mse_128"]
    history = table("studies/rate/histories/128.csv", "epoch")
    best = int(history["val_objective"].to_numpy().argmin()) + 1
    return (round(float(history["objective"].loc[best]), 4), round(mse, 4), best) == (0.0024, 0.0026, 80)


def quoted_spread_is_measured() -> bool:
    spread = table("studies/seeds/plots/noise.csv", "metric")
    quoted = {"bce": (0.2687, 0.0005, 4), "mse": (0.0086, 0.0002, 4), "linear_all": (0.870, 0.002, 3)}
    return all(
        (round(float(spread["mean"][name]), digits), round(float(spread["sd"][name]), digits)) == (mean, sd)
        for name, (mean, sd, digits) in quoted.items()
    )


def seed_1_is_the_best_reconstruction() -> bool:
    spread = table("studies/seeds/plots/noise.csv", "metric")
    committed = table("plots/reconstruction.csv", "method").loc["autoencoder"]
    least = all(committed[name] == spread.loc[name, "least"] for name in ("bce", "mse", "mae"))
    return least and all(committed[name] == spread.loc[name, "most"] for name in ("psnr", "ssim"))


def every_dead_network_has_one_answer() -> bool:
    counts = table("studies/seeds/plots/deaths.csv", "learning_rate")
    quoted = {0.002: 0, 0.008: 0, 0.032: 14}
    of_mean_image = {round(float(loss), 4) for loss in counts["mean_image_loss"]}
    return counts["dead"].to_dict() == counts["same"].to_dict() == quoted and of_mean_image == {0.4910}


def intervals_of_dead_networks_do_not_overlap() -> bool:
    counts = table("studies/seeds/plots/deaths.csv", "learning_rate")
    least, most = (dict(zip(counts.index, counts[name], strict=True)) for name in ("least", "most"))
    return bool(round(most[0.002], 2) == 0.17 and least[0.032] > max(most[0.002], most[0.008]))


def residual_epochs() -> dict[str, list[float]]:
    """Return the seconds of every round of the ways to train the residual network."""
    rounds = tables.benchmark("benchmarks/residual")["residual"]["rounds"]
    return {one["name"]: one["seconds"] for one in rounds if one["family"] in FAMILIES}


def only_jit_compile_is_faster() -> bool:
    medians = {name: median(seconds) for name, seconds in residual_epochs().items()}
    return {name for name, value in medians.items() if value < medians["ours"]} == {"keras-jit"}


def products_alone_would_be_hardly_faster() -> bool:
    results = tables.benchmark("benchmarks/residual")["residual"]
    (batch,) = results["settings"]["batches"]
    limits = (median(summary.products(results, batch)), summary.bound(results, batch))
    alone, bound = (summary.headroom(results, batch, seconds) for seconds in limits)
    return round(alone, 1) == 1.4 and round(bound) == 2


def denoised() -> dict[tuple[str, float], dict[str, float]]:
    """Return PSNR by noise, (kind, strength), and method."""
    psnr: dict[tuple[str, float], dict[str, float]] = {}
    for row in pd.read_csv(ROOT / "studies/denoising/plots/denoising.csv").to_dict("records"):
        psnr.setdefault((row["kind"], row["strength"]), {})[row["method"]] = row["psnr"]
    return psnr


NETWORKS = {"convolutional", "residual", "residual_cnn"}


def residual_autoencoder_denoises_best_but_for_little_noise() -> bool:
    best = {noise: max(psnr, key=psnr.__getitem__) for noise, psnr in denoised().items()}
    others = {noise for noise, method in best.items() if method != "residual"}
    return others == {("gaussian", 0.1), ("squares", 0.25)}


def filters_win_under_little_noise() -> bool:
    psnr = denoised()["gaussian", 0.1]
    filters = ("nonlocal_means", "wavelet", "total_variation", "wiener")
    return min(psnr[name] for name in filters) > max(psnr[name] for name in NETWORKS)


def convolutional_autoencoder_beats_filters_from_there_on() -> bool:
    ahead = [
        strength
        for (kind, strength), psnr in denoised().items()
        if kind == "gaussian" and psnr["convolutional"] > max(psnr[name] for name in psnr.keys() - NETWORKS)
    ]
    return ahead == [0.3, 0.4, 0.5]


def autoencoders_are_above_the_residual_cnn() -> bool:
    leads = {
        noise: psnr["residual_cnn"] - max(psnr["convolutional"], psnr["residual"])
        for noise, psnr in denoised().items()
    }
    ahead = [noise for noise, lead in leads.items() if lead > 0]
    return set(ahead) == {("gaussian", 0.1), ("squares", 0.25)} and round(leads["gaussian", 0.3], 1) == -2.4


def quoted_leads_are_measured() -> bool:
    psnr = denoised()["gaussian", 0.3]
    quoted = {"residual": 21.1, "nonlocal_means": 16.7, "wiener": 17.5, "noisy": 12.8}
    return all(round(psnr[name], 1) == value for name, value in quoted.items())


def likelihoods() -> tuple[float, float, "pd.Series[float]"]:
    """Return our log-likelihood, that of the published network of its kind, and all others with the floor."""
    scores = table("studies/variational/plots/table.csv", "method")["log_likelihood"]
    ours = scores.pop("VAE with a Gaussian prior, this network")
    return ours, scores.pop("VAE with a Gaussian prior"), scores


def only_the_published_network_of_its_kind_is_less_likely() -> bool:
    ours, same_kind, others = likelihoods()
    return bool((others > ours).all() and round(ours - same_kind, 1) == 0.6)


def quoted_likelihoods_are_those_of_the_table() -> bool:
    ours, same_kind, others = likelihoods()
    published = others.drop(FLOOR)
    study = json.loads((ROOT / "studies/variational/metrics/variational.json").read_text())
    quoted = [round(value, 1) for value in (ours, study["standard_error"], same_kind, published.max())]
    return quoted == [-228.1, 0.8, -228.7, -223.3]


CLAIMS: list[tuple[str, str, Callable[[], bool]]] = [
    ("README.md", "**PCA wins** in squared and absolute error, PSNR and SSIM", pca_wins),
    ("README.md", "The network has the lower cross-entropy", lower_cross_entropy),
    (
        "README.md",
        "A linear probe reads the class off the code better than off pixels or PCA at every number of labels",
        probe_leads,
    ),
    ("README.md", "An untrained network stays below raw pixels", untrained_stays_below_pixels),
    (
        "README.md",
        "it loses less than that published one at every size from 8 to 256",
        less_is_lost_than_published_at_every_size,
    ),
    ("README.md", "loses less than half of what PCA loses", less_than_half_of_pca_is_lost),
    ("studies/rate/README.md", "it has 0.0024 and 0.0026 after 80", moved_images_are_not_learned_by_heart),
    ("README.md", "test BCE 0.2687 ± 0.0005, MSE 0.0086 ± 0.0002", quoted_spread_is_measured),
    ("README.md", "has the lowest BCE of the five", seed_1_is_the_best_reconstruction),
    ("README.md", "has the lowest validation loss of nine recipes", default_recipe_leads),
    (
        "README.md",
        "the residual network, where Keras's jit_compile is faster than ours",
        only_jit_compile_is_faster,
    ),
    (
        "studies/denoising/README.md",
        "The residual autoencoder is the best method under everything but little noise",
        residual_autoencoder_denoises_best_but_for_little_noise,
    ),
    (
        "studies/denoising/README.md",
        "non-local means, wavelets, total variation and the Wiener filter are all above every network",
        filters_win_under_little_noise,
    ),
    (
        "studies/denoising/README.md",
        "is above every filter from σ = 0.3 on",
        convolutional_autoencoder_beats_filters_from_there_on,
    ),
    (
        "studies/denoising/README.md",
        "2.4 dB better at σ = 0.3 than the residual CNN",
        autoencoders_are_above_the_residual_cnn,
    ),
    ("README.md", "PSNR 21.1 dB from 12.8", quoted_leads_are_measured),
    (
        "studies/variational/README.md",
        "0.6 nats above the published network of its kind, a VAE with a Gaussian prior, "
        "and below every other row",
        only_the_published_network_of_its_kind_is_less_likely,
    ),
    (
        "README.md",
        "log-likelihood −228.1 ± 0.8 nats (standard error) of drawn black and white test pictures; published "
        "−228.7 for a network of its kind, and up to −223.3",
        quoted_likelihoods_are_those_of_the_table,
    ),
    (
        "studies/seeds/README.md",
        "none of twenty died; at 0.032 fourteen did, and each of the fourteen answers every image "
        "with the same one",
        every_dead_network_has_one_answer,
    ),
    (
        "studies/seeds/README.md",
        "none of twenty leaves up to 17 %",
        intervals_of_dead_networks_do_not_overlap,
    ),
    (
        "benchmarks/README.md",
        "an epoch which did nothing else would be 1.4 times as fast as the fastest of the others",
        products_alone_would_be_hardly_faster,
    ),
]


@pytest.mark.parametrize(("page", "claim", "holds"), CLAIMS, ids=[claim for _, claim, _ in CLAIMS])
def test_a_claim_is_what_the_committed_numbers_say(page: str, claim: str, holds: Callable[[], bool]) -> None:
    assert claim in " ".join((ROOT / page).read_text().split()), "no longer claimed: take it out here too"
    assert holds()
