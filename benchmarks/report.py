"""Tables, report and figures of a benchmark, made from its results.json alone."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from benchmarks.contenders import BOUND, CONVOLUTIONAL, KERAS, OURS, PYTORCH
from cae.figures.style import BLUE, GREEN, GREY, ORANGE, WIDTH, Picture, heading, picture, plain_ticks

Results = Mapping[str, Any]
COLOURS = {OURS: BLUE, KERAS: ORANGE, PYTORCH: GREEN}
MIB = 2**20
# What differs between the networks: the arithmetic that is counted, and how ours is not the same work.
LAYERS = {"convolutional": "convolution", "residual": "dense layer"}
REMARKS = {
    "convolutional": "Ours leaves out the products with repeated pixels and with the zeros behind pooling.",
    "residual": "All train on the squared error, without augmentations.",
}


def tabulate_epochs(results: Results) -> pd.DataFrame:
    """Return one row for each batch size and contender: its rounds, scaled to an epoch.

    Columns: batch, name, label, family, problem (or None), `median`, `least` and `most` seconds, `times_ours`,
    `of_bound` (share), `ready_seconds`, and the peaks of memory in bytes, `anonymous` and `resident`.
    """
    images = results["settings"]["epoch_images"]
    rows = []
    for timed in results["rounds"]:
        row = {name: timed.get(name) for name in ("batch", "name", "label", "family", "problem", "ready_seconds")}
        if row["problem"] is None:
            seconds = [one * images / timed["images"] for one in timed["seconds"]]
            row |= {"median": median(seconds), "least": min(seconds), "most": max(seconds)}
        rows.append(row | timed.get("peak_memory", {}))
    columns = ["median", "least", "most", "ready_seconds", "anonymous", "resident"]
    table = pd.DataFrame(rows)
    table = table.reindex(columns=table.columns.union(columns, sort=False)).astype(dict.fromkeys(columns, float))
    ours = table[table["family"] == OURS].groupby("batch")["median"].min()
    table["times_ours"] = table["median"] / table["batch"].map(ours)
    table["of_bound"] = table["batch"].map(lambda batch: compute_bound(results, batch)) / table["median"]
    return table[table["family"] != BOUND]


def compute_bound(results: Results, batch: int) -> float:
    """Return the seconds that an epoch's arithmetic takes at the speed of the large matrix product.

    The best round of the product counts: what slows the other rounds is no bound on ours.
    """
    (product,) = (
        timed for timed in results["rounds"] if timed["family"] == BOUND and timed["batch"] == batch
    )
    speed = results["arithmetic"]["product_operations"] / min(product["seconds"])
    return results["arithmetic"]["operations_an_image"] * results["settings"]["epoch_images"] / speed


def compute_speed_ups(epochs: pd.DataFrame, column: str = "median") -> dict[str, float]:
    """Divide the time of the fastest mode of Keras, and of PyTorch, by ours, at one batch size."""
    fastest = epochs.groupby("family")[column].min().dropna()
    return {family: fastest[family] / fastest[OURS] for family in (KERAS, PYTORCH) if family in fastest}


def write_table(table: pd.DataFrame) -> str:
    """Write a table of strings as Markdown; every column but the first is aligned to the right."""
    align = ("left", *["right"] * (len(table.columns) - 1))
    return table.to_markdown(index=False, disable_numparse=True, colalign=align)


def write_report(results: Results) -> str:
    """Write everything that was measured as Markdown."""
    parts = ["# Benchmark", describe_run(results)]
    for batch in results["settings"]["batches"] if results["rounds"] else []:
        parts += write_epochs(results, batch)
    if "target" in results:
        parts += write_target(results)
    if "growth" in results:
        parts += write_growth(results)
    if "start_up" in results:
        rows = [[f"`{start['name']}`", f"{start['seconds']:.2f}"] for start in results["start_up"]]
        parts += ["## Start-up", write_table(pd.DataFrame(rows, columns=["import", "seconds"]))]
    return "\n\n".join(part for part in parts if part) + "\n"


def describe_run(results: Results) -> str:
    """Say where it was measured."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(machine["versions"].items()))
    quick = "**A check that everything runs (`--quick`): its times mean nothing.**\n\n"
    return (
        f"{quick if results['settings']['quick'] else ''}Made by `make bench` on {machine['cores']} cores of "
        f"{machine['processor']} ({', '.join(machine['instruction_sets']) or 'unknown instruction sets'}), "
        f"{machine['memory_gib']} GiB, {machine['system']}; {versions}. "
        f"Load average before: {machine['load_before']}."
    )


def write_epochs(results: Results, batch: int) -> list[str]:
    """Compare the seconds of an epoch at one batch size."""
    settings, network = results["settings"], results["network"]
    epochs = tabulate_epochs(results)
    epochs = epochs[epochs["batch"] == batch]
    bound = compute_bound(results, batch)
    operations = results["arithmetic"]["operations_an_image"] * settings["epoch_images"]
    medians, bests = compute_speed_ups(epochs), compute_speed_ups(epochs, "least")
    ratios = " and ".join(f"**{ratio:.2f} times** as fast as the fastest {of} mode" for of, ratio in medians.items())
    best = " and ".join(f"{ratio:.2f} times for {family}" for family, ratio in bests.items())
    headroom = epochs[epochs["family"].isin(medians)]["median"].min() / bound
    cells = pd.DataFrame(
        {
            f"batch {batch}": mark_ours(epochs),
            "seconds an epoch": epochs["problem"].where(epochs["median"].isna(), epochs["median"].map("{:.2f}".format)),
            "least – most": format_range(epochs, "{:.2f}"),
            "images a second": (settings["epoch_images"] / epochs["median"]).map("{:,.0f}".format),
            "of the bound": epochs["of_bound"].map("{:.0%}".format),
            "times ours": epochs["times_ours"].map("{:.2f}".format),
            "peak memory, MiB": (epochs["anonymous"] / MIB).map("{:,.0f}".format),
            "with mapped files, MiB": (epochs["resident"] / MIB).map("{:,.0f}".format),
            "start-up, s": epochs["ready_seconds"].map("{:.1f}".format),
        }
    )
    return [
        f"## An epoch of the {network} network, batch {batch}",
        f"An epoch of ours is {ratios}. By the best round of each alone it is {best}. At the bound it would be "
        f"{headroom:.2f} times as fast as the fastest of them." if medians else "",
        write_table(cells.replace({"nan": "", "nan – nan": "", "nan%": ""})),
        f"Medians of {settings['rounds']} rounds, all contenders in turn; a round trains on "
        f"{settings['slice_images']:,} images, scaled here to an epoch of {settings['epoch_images']:,}. The bound "
        f"is {bound:.2f} s: {operations / 1e12:.3f} TFLOP an epoch (every {LAYERS[network]}, with the gradients of "
        "its kernel and of its input where that is needed, at their stock cost) at "
        f"{operations / bound / 1e9:.0f} GFLOP/s, the best speed of a large float32 matrix product in the same "
        f"rounds. {REMARKS[network]} Start-up: from the start of the process until the first steps are done, "
        "imports and compilation included. Peak memory is anonymous memory, which the process needs, read ten "
        "times a second; with mapped files it is the largest resident set.",
        "Given an array, Keras makes a tf.data pipeline with an autotuner, and `fit` often ends an epoch by "
        "waiting for it: until 5, 10 or 20 s have passed since the start. Scaled from a round, that wait is longer "
        "than in a whole epoch. The other two modes of Keras have the same batches from a pipeline without an "
        "autotuner.",
    ]


def summarise_epochs(results: Results) -> pd.DataFrame:
    """Compare all contenders by the median and range of an epoch at every batch size, beside the bound."""
    columns = {}
    for batch, epochs in tabulate_epochs(results).groupby("batch"):
        bound = compute_bound(results, batch)
        ours = epochs["median"] / epochs["times_ours"]
        labels = [*mark_ours(epochs), "arithmetic bound"]
        columns["seconds an epoch, median (range)"] = labels
        ranges = epochs["median"].map("{:.1f}".format) + " (" + format_range(epochs, "{:.1f}") + ")"
        columns[f"batch {batch}"] = [*ranges.replace("nan (nan – nan)", "–"), f"{bound:.1f}"]
        ratios = epochs["times_ours"].map("{:.2f}".format).replace("nan", "–")
        columns[f"times ours, batch {batch}"] = [*ratios, f"{bound / ours.iloc[0]:.2f}"]
    return pd.DataFrame(columns)


def mark_ours(epochs: pd.DataFrame) -> pd.Series:
    """Return the labels of the contenders, ours in bold."""
    return epochs["label"].where(epochs["family"] != OURS, "**" + epochs["label"] + "**")


def format_range(epochs: pd.DataFrame, pattern: str) -> pd.Series:
    """Write the seconds of the fastest and the slowest round."""
    return epochs["least"].map(pattern.format) + " – " + epochs["most"].map(pattern.format)


def summarise_target(results: Results) -> pd.DataFrame:
    """Compare the time until the target's validation loss."""
    rows = []
    for run in results["target"]["runs"]:
        curve, ready = run["curve"], run.get("ready_seconds", math.nan)
        seconds = curve[-1]["seconds"] if curve else math.nan
        rows.append(
            {
                f"until validation BCE ≤ {results['target']['loss']}": f"{run['label']}, batch {run['batch']}",
                "epochs": str(len(curve)),
                "best": f"{min(epoch['val_loss'] for epoch in curve):.5f}" if curve else run.get("problem", ""),
                "seconds": f"{seconds:.0f}" if run["reached"] else f"not reached in {seconds:.0f}",
                "with start-up": f"{seconds + ready:.0f}" if run["reached"] else "not reached",
                "peak memory, MiB": f"{run['peak_memory'].get('anonymous', math.nan) / MIB:,.0f}",
            }
        )
    return pd.DataFrame(rows)


def write_target(results: Results) -> list[str]:
    """Compare the time to the target, and say how many times as long stock Keras takes."""
    ours, stock = results["target"]["runs"]
    ratio = ""
    if ours["reached"] and stock["curve"]:
        times = stock["curve"][-1]["seconds"] / ours["curve"][-1]["seconds"]
        limit = "" if stock["reached"] else ", or less: stock Keras did not reach the target"
        ratio = f"Ours, with its recipe, takes 1/{times:.1f} of the time of stock Keras with the stock recipe{limit}."
    loss = results["target"]["loss"]
    return [
        f"## Time until validation BCE ≤ {loss}",
        ratio,
        write_table(summarise_target(results)),
        f"{loss} is what the stock recipe (Adam 1e-3, batch 128) reached after 50 epochs when the recipe was "
        "measured first. Both train on all images and validate after each epoch; that is included. This compares "
        "recipes as well as speed: ours is that of params.yaml, with a cosine decay.",
    ]


def write_growth(results: Results) -> list[str]:
    """Show how time and memory grow with the number of images."""
    rows = []
    for timed in results["growth"]:
        seconds, peak = timed.get("seconds", math.nan), timed.get("peak_memory", {})
        rows.append(
            {
                "images": f"{timed['copies']}× ({timed['images']:,})",
                "seconds an epoch": timed.get("problem", f"{seconds:.1f}"),
                "µs an image": f"{seconds / timed['images'] * 1e6:.1f}",
                "peak memory, MiB": f"{peak.get('anonymous', math.nan) / MIB:,.0f}",
                "with mapped files, MiB": f"{peak.get('resident', math.nan) / MIB:,.0f}",
            }
        )
    return [
        "## More images",
        write_table(pd.DataFrame(rows)),
        "Ours, the training images repeated on the disk. They are mapped into memory: the system drops their pages "
        "when it needs the room, so the first of the two peaks is what training takes.",
    ]


@picture
def plot_epoch_seconds(results: Results) -> Figure:
    """Plot the median seconds of an epoch, one bar per contender, ours on top, one panel per batch size.

    A thin line spans the fastest and the slowest round; a dotted one marks the arithmetic bound.
    """
    settings, epochs = results["settings"], tabulate_epochs(results)
    figure = Picture(figsize=(WIDTH, 4.4))
    panels = figure.subplots(1, len(settings["batches"]), sharex=True, sharey=True, squeeze=False)[0]
    for axes, batch in zip(panels, settings["batches"], strict=True):
        bound = compute_bound(results, batch)
        for row in epochs[epochs["batch"] == batch].itertuples():
            failed = row.problem is not None
            axes.barh(row.label, 0 if failed else row.median, color=COLOURS.get(row.family, GREY))
            if not failed:
                axes.hlines(row.label, row.least, row.most, color="black", linewidth=1.5)
            axes.annotate(
                row.problem.partition(":")[0] if failed else f"{row.median:.1f}",
                (0 if failed else row.most, row.label),
                (5, 0),
                textcoords="offset points",
                va="center",
                color=GREY if failed else "black",
                weight="bold" if row.family == OURS else "normal",
            )
        axes.axvline(bound, color="black", linestyle=":")
        axes.set_title(f"batch {batch}; dotted: bound of {bound:.1f} s")
        axes.set_xlabel("seconds (left is better)")
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
    panels[0].invert_yaxis()
    # Room for the number behind the longest bar.
    panels[0].set_xlim(0, panels[0].get_xlim()[1] * 1.12)
    heading(figure, f"Seconds for one epoch of {settings['epoch_images']:,} images, and the arithmetic bound")
    return figure


@picture
def plot_time_to_target(results: Results) -> Figure:
    """Plot validation loss against the seconds of training, ours and stock Keras, and mark the target."""
    figure = Picture(figsize=(WIDTH, 4.6))
    axes = figure.subplots()
    for run, colour, marker in zip(results["target"]["runs"], (BLUE, ORANGE), ("o", "s"), strict=True):
        seconds = [epoch["seconds"] for epoch in run["curve"]]
        losses = [epoch["val_loss"] for epoch in run["curve"]]
        ending = f"reached after {seconds[-1]:,.0f} s" if run["reached"] else "not reached"
        label = f"{run['label']}, batch {run['batch']}: {ending}"
        axes.plot(seconds, losses, marker, linestyle="-", markersize=4, color=colour, label=label)
    loss = results["target"]["loss"]
    axes.axhline(loss, color=GREY, linestyle="--", linewidth=1.5, label=f"target {loss}")
    axes.set_xscale("log")
    plain_ticks(axes.xaxis, (1, 2, 5))
    axes.set_title("Validation loss against training time")
    axes.set_xlabel("seconds of training, validation included (logarithmic; left is better)")
    axes.set_ylabel("binary cross-entropy, nats a pixel")
    axes.legend(loc="upper right")
    return figure
