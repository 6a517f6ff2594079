"""results.md: the tables, made from results.json alone."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from benchmarks import markdown, summary
from benchmarks.contenders import CONVOLUTIONAL, FAMILIES, OURS, RESIDUAL

Results = Mapping[str, Any]
Result = Mapping[str, Any]

TITLES = {CONVOLUTIONAL: "An epoch", RESIDUAL: "An epoch of the residual network"}
LAYERS = {CONVOLUTIONAL: "convolution", RESIDUAL: "dense layer"}
# What keeps ours from being the same work as the others' on the same instructions.
REMARKS = {
    CONVOLUTIONAL: "Ours leaves out the products with repeated pixels and with the zeros behind pooling.",
    RESIDUAL: "All train on the squared error, without augmentations.",
}
# Why stock Keras is given its images in the way of benchmarks/stock.py.
WAIT = (
    "Given an array, Keras makes a tf.data pipeline with a tuner, and `fit` often ends an epoch by waiting "
    "for it: until 5, 10 or 20 s have passed since the beginning. Scaled from a round, that wait is longer "
    "than in a whole epoch. The other two modes of Keras have the same batches from a pipeline without a "
    "tuner."
)
EPOCH_COLUMNS = (
    "seconds an epoch",
    "least – most",
    "images a second",
    "of the bound",
    "times ours",
    "peak memory, MiB",
    "with mapped files, MiB",
    "start-up, s",
)


def report(results: Results) -> str:
    """Write everything that was measured as Markdown; a part that was not measured is left out."""
    sections = [
        "# Benchmark",
        machine(results),
        *epochs(results, CONVOLUTIONAL),
        *epochs(results.get(RESIDUAL, {}), RESIDUAL),
        target(results) if "target" in results else "",
        growth(results) if "growth" in results else "",
        start(results) if "start_up" in results else "",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def machine(results: Results) -> str:
    """Say where and how it was measured."""
    machine, settings = results["machine"], results["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(machine["versions"].items()))
    quick = (
        "**A quick look (`--quick`): too few images for its times to mean anything.**\n\n"
        if settings["quick"]
        else ""
    )
    return (
        f"{quick}Made by `make bench` on {machine['cores']} cores of {machine['processor']} "
        f"({', '.join(machine['instruction_sets']) or 'unknown instruction sets'}), "
        f"{machine['memory_gib']} GiB, {machine['system']}; {versions}. "
        f"Load average before: {machine['load_before']}."
    )


def epochs(results: Results, network: str) -> list[str]:
    """Compare seconds an epoch of one network, a section a batch size; none where it was not measured."""
    batches = results["settings"]["batches"] if "rounds" in results else []
    return [epoch(results, network, batch) for batch in batches]


def epoch(results: Results, network: str, batch: int) -> str:
    """Compare seconds an epoch at one batch size."""
    settings, images = results["settings"], results["settings"]["epoch_images"]
    rounds = [result for result in results["rounds"] if result["batch"] == batch]
    operations = results["arithmetic"]["operations_an_image"] * images
    bound = summary.bound(results, batch)
    ours = summary.fastest(rounds, batch, OURS)
    trained = [timing for timing in rounds if timing["family"] in FAMILIES]
    rows = [contender(timing, images, bound, ours) for timing in trained]
    parts = [
        f"## {TITLES[network]}, batch {batch}",
        comparison(results, batch),
        markdown.table([f"batch {batch}", *EPOCH_COLUMNS], rows),
        f"Medians of {settings['rounds']} rounds, all contenders in turn; a round trains on "
        f"{settings['slice_images']:,} images, scaled here to an epoch of {images:,}. "
        f"The bound is {bound:.2f} s: {operations / 1e12:.3f} TFLOP an epoch (every "
        f"{LAYERS[network]}, with the gradients of its kernel and of its input where that is needed, at "
        f"their stock cost) at {operations / bound / 1e9:.0f} GFLOP/s, the best speed of a large float32 "
        f"matrix product in the same rounds. {REMARKS[network]} Start-up: from the start of the process "
        "until the first steps are done, imports and compilation included. Peak memory is anonymous memory, "
        "which the process cannot do without, looked at ten times a second; with mapped files it is the "
        "largest resident set.",
        products(results, batch),
        WAIT if any(timing["name"] == "keras-array" for timing in rounds) else "",
    ]
    return "\n\n".join(part for part in parts if part)


def comparison(results: Results, batch: int) -> str:
    """Say how many times as fast as the others ours is, and how many times it would be at the bound."""
    medians, bests = (summary.speed_ups(results["rounds"], batch, average) for average in (median, min))
    if not medians:
        return ""
    ratios = [
        f"**{ratio:.2f} times** as fast as the fastest {family} mode" for family, ratio in medians.items()
    ]
    best = [f"{ratio:.2f} times for {family}" for family, ratio in bests.items()]
    limit = summary.headroom(results, batch, summary.bound(results, batch))
    return (
        f"An epoch of ours is {' and '.join(ratios)}. "
        f"By the best round of each alone it is {' and '.join(best)}. "
        f"At the bound it would be {limit:.2f} times as fast as the fastest of them."
    )


def products(results: Results, batch: int) -> str:
    """Say what the products alone take, and how fast an epoch would be that did nothing else."""
    seconds = summary.products(results, batch)
    if not seconds or not summary.speed_ups(results["rounds"], batch):
        return ""
    middle = median(seconds)
    ratio = summary.headroom(results, batch, middle)
    return (
        "The matrix products alone, in the shapes that a step has and by NumPy's library on all cores, take "
        f"{middle:.2f} s an epoch ({min(seconds):.2f} – {max(seconds):.2f}). An epoch that took no longer, "
        f"with activations, sums and Adam for nothing, would be {ratio:.2f} times as fast as the fastest of "
        "the others."
    )


def contender(result: Result, images: int, bound: float, ours: Result | None) -> list[str]:
    """Write one contender's row below EPOCH_COLUMNS."""
    if "problem" in result:
        return [result["label"], result["problem"], *[""] * (len(EPOCH_COLUMNS) - 1)]
    seconds = summary.epoch_seconds(result, images)
    middle = median(seconds)
    return [
        f"**{result['label']}**" if result["family"] == OURS else result["label"],
        f"{middle:.2f}",
        f"{min(seconds):.2f} – {max(seconds):.2f}",
        f"{images / middle:,.0f}",
        f"{bound / middle:.0%}",
        f"{median(result['seconds']) / median(ours['seconds']):.2f}" if ours else "",
        mebibytes(result["peak_memory"], "anonymous"),
        mebibytes(result["peak_memory"], "resident"),
        f"{result['ready_seconds']:.1f}",
    ]


def target(results: Results) -> str:
    """Compare the time to a validation loss."""
    loss, runs = results["target"]["loss"], results["target"]["runs"]
    rows = []
    for run in runs:
        reached, curve = summary.target_seconds(run), run["curve"]
        rows.append(
            [
                f"{run['label']}, batch {run['batch']}",
                f"{len(curve)}",
                f"{min(epoch['val_loss'] for epoch in curve):.5f}" if curve else run.get("problem", ""),
                f"{reached:.0f}" if reached else "not reached",
                f"{reached + run['ready_seconds']:.0f}" if reached else "not reached",
                mebibytes(run["peak_memory"], "anonymous"),
            ]
        )
    header = ["until validation", "epochs", "best", "seconds", "with start-up", "peak memory, MiB"]
    ratio = summary.target_ratio(runs)
    parts = [
        f"## Time until validation BCE ≤ {loss}",
        f"Ours, with its recipe, takes 1/{ratio[1]:.1f} of the time of stock Keras with the stock recipe"
        f"{ratio[0]}."
        if ratio
        else "",
        markdown.table(header, rows),
        f"{loss} is what the stock recipe (Adam 1e-3, batch 128) reached after 50 epochs when the recipe was "
        "measured first. Both train on all images and validate after each epoch; that is included. This "
        "compares recipes as well as speed: ours is that of params.yaml, with a cosine decay.",
    ]
    return "\n\n".join(part for part in parts if part)


def growth(results: Results) -> str:
    """Show how time and memory grow with the number of images."""
    rows = [[f"{result['copies']}× ({result['images']:,})", *grown(result)] for result in results["growth"]]
    header = ["images", "seconds an epoch", "µs an image", "peak memory, MiB", "with mapped files, MiB"]
    return (
        "## More images\n\n"
        f"{markdown.table(header, rows)}\n\n"
        "Ours, the training images repeated on the disk. They are mapped into memory: the system drops their "
        "pages when it needs the room, so the first of the two peaks is what training takes."
    )


def grown(result: Result) -> list[str]:
    """Write what one number of images took."""
    if "problem" in result:
        return [result["problem"], *[""] * 3]
    return [
        f"{result['seconds']:.1f}",
        f"{result['seconds'] / result['images'] * 1e6:.1f}",
        mebibytes(result["peak_memory"], "anonymous"),
        mebibytes(result["peak_memory"], "resident"),
    ]


def start(results: Results) -> str:
    """Show what is spent before any work is done."""
    rows = [[f"`{start['name']}`", f"{start['seconds']:.2f}"] for start in results["start_up"]]
    repro = results.get("nothing_to_do", {})
    done = f"{repro['seconds']:.2f}" if "seconds" in repro else repro.get("problem", "not timed")
    rows.append(["`dvc repro`, nothing to do", done])
    return "## Start-up\n\n" + markdown.table(["import", "seconds"], rows)


def mebibytes(peak: Mapping[str, int], name: str) -> str:
    """Write a peak of memory; a dash where the system does not tell."""
    return f"{peak[name] / 2**20:,.0f}" if name in peak else "–"
