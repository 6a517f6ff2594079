"""What the measurements come to: medians, ratios and shares of the bound."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.contenders import BOUND, KERAS, OURS, PRODUCTS, PYTORCH

Result = Mapping[str, Any]


def epoch_seconds(result: Result, images: int) -> list[float]:
    """Scale the times of a slice to an epoch of `images`."""
    return [seconds * images / result["images"] for seconds in result["seconds"]]


def timed(results: Sequence[Result], batch: int, family: str) -> list[Result]:
    """Pick the contenders of a family at a batch size that came through all rounds."""
    return [
        result
        for result in results
        if result["batch"] == batch and result["family"] == family and "problem" not in result
    ]


def fastest(
    results: Sequence[Result], batch: int, family: str, average: Callable[[Sequence[float]], float] = median
) -> Result | None:
    """Pick the contender whose rounds are least by `average`, None where there is none."""
    return min(timed(results, batch, family), key=lambda result: average(result["seconds"]), default=None)


def speed_ups(
    results: Sequence[Result], batch: int, average: Callable[[Sequence[float]], float] = median
) -> dict[str, float]:
    """Divide the median of the fastest mode of each family by ours at the same batch size.

    With `min` in place of the median, the best round of each counts alone.
    """
    ours = fastest(results, batch, OURS, average)
    rivals = {family: fastest(results, batch, family, average) for family in (KERAS, PYTORCH)}
    return {
        family: average(rival["seconds"]) / average(ours["seconds"])
        for family, rival in rivals.items()
        if ours and rival
    }


def bound(results: Result, batch: int) -> float:
    """Return how many seconds an epoch's arithmetic takes at the speed of the large matrix product.

    Its best round counts, not the median: what slowed the product's rounds is no bound on ours.
    """
    arithmetic, images = results["arithmetic"], results["settings"]["epoch_images"]
    (product,) = timed(results["rounds"], batch, BOUND)
    speed = arithmetic["product_operations"] / min(product["seconds"])
    return arithmetic["operations_an_image"] * images / speed


def products(results: Result, batch: int) -> list[float]:
    """Return how many seconds an epoch's products alone took, each round; none where they were not timed."""
    images = results["settings"]["epoch_images"]
    return [
        seconds
        for result in timed(results["rounds"], batch, PRODUCTS)
        for seconds in epoch_seconds(result, images)
    ]


def headroom(results: Result, batch: int, least_seconds: float) -> float:
    """Divide the median of the fastest mode that is not ours by what an epoch would take at the least."""
    rivals = [rival for family in (KERAS, PYTORCH) for rival in timed(results["rounds"], batch, family)]
    images = results["settings"]["epoch_images"]
    return min(median(epoch_seconds(rival, images)) for rival in rivals) / least_seconds


def target_seconds(run: Result) -> float | None:
    """Return the seconds of training until the target, None where it was not reached."""
    return run["curve"][-1]["seconds"] if run["reached"] else None


def target_ratio(runs: Sequence[Result]) -> tuple[str, float] | None:
    """Divide the stock run's time to the target by ours; a remark where the stock run never got there."""
    if len(runs) != 2 or any("problem" in run for run in runs):
        return None
    ours, stock = runs
    reached = target_seconds(ours)
    if reached is None or not stock["curve"]:
        return None
    remark = "" if stock["reached"] else ", or less: stock Keras did not get there"
    return remark, stock["curve"][-1]["seconds"] / reached
