"""Tables, report and figures of a benchmark, made from its results.json alone."""

import math
import textwrap
from collections.abc import Mapping
from statistics import median
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from benchmarks.contenders import BOUND, KERAS, OURS, PYTORCH
from cae.figures import style

Results = Mapping[str, Any]
COLOURS = {OURS: style.BLUE, KERAS: style.ORANGE, PYTORCH: style.GREEN}
COLUMNS = {
    "median": ("seconds per epoch", "{:.2f}"),
    "least": ("least", "{:.2f}"),
    "most": ("most", "{:.2f}"),
    "images_per_second": ("images per second", "{:,.0f}"),
    "of_bound": ("of the bound", "{:.0%}"),
    "times_ours": ("times ours", "{:.2f}"),
    "anonymous": ("peak memory, MiB", "{:,.0f}"),
    "resident": ("with mapped files, MiB", "{:,.0f}"),
    "ready_seconds": ("start-up, s", "{:.1f}"),
}
LAYERS = {"convolutional": "convolution", "residual": "dense layer"}
# How ours does not do the same work.
REMARKS = {
    "convolutional": "Ours leaves out the products with repeated pixels and with the zeros behind pooling.",
    "residual": "All train on the squared error, without augmentations.",
}
EPOCHS = """
Medians of {rounds} rounds, all contenders in turn; a round trains on {slice_images:,} images, scaled here
to an epoch of {epoch_images:,}. The bound is {bound:.2f} s: {tera:.3f} TFLOP per epoch (every {layer}, with
the gradients of its kernel and of its input where that is needed, at their stock cost) at {speed:.0f}
GFLOP/s, the best speed of a large float32 matrix product in the same rounds. {remark} Start-up: from the
start of the process until the first steps are done, imports and compilation included. Peak memory is
anonymous memory, which the process needs, read ten times a second; with mapped files it is the largest
resident set."""
WAIT = """
Given an array, Keras makes a tf.data pipeline with an autotuner, and `fit` often ends an epoch by waiting
for it: until 5, 10 or 20 s have passed since the start. Scaled from a round, that wait is longer than in a
whole epoch. The other two modes of Keras have the same batches from a pipeline without an autotuner."""
TARGET = """
{loss} is what the stock recipe (Adam 1e-3, batch 128) reached after 50 epochs when the recipe was measured
first. Both train on all images and validate after each epoch; that is included. This compares recipes as
well as speed: ours is the default of the network, with a cosine decay."""


def tabulate_epochs(results: Results) -> pd.DataFrame:
    """Return one row for each batch size and contender, its rounds scaled to an epoch.

    Columns: batch, name, label, family; seconds `median`, `least`, `most`, `ready_seconds`; the ratios
    `times_ours` and `of_bound`; `images_per_second`; the peaks of memory in MiB, `anonymous` and `resident`.
    All numbers of a contender that failed are NaN, and its label says why.
    """
    images = results["settings"]["epoch_images"]
    rows = []
    for timed in results["rounds"]:
        row = {name: timed[name] for name in ("batch", "name", "label", "family")}
        if "problem" in timed:
            row["label"] += f" ({timed['problem']})"
        elif timed["family"] != BOUND:
            seconds = [one * images / timed["images"] for one in timed["seconds"]]
            row |= {"median": median(seconds), "least": min(seconds), "most": max(seconds)}
            row |= {"ready_seconds": timed["ready_seconds"], **in_mib(timed["peak_memory"])}
        if timed["family"] != BOUND:
            rows.append(row)
    table = pd.DataFrame(rows, columns=["batch", "name", "label", "family", *COLUMNS])
    ours = table[table["family"] == OURS].groupby("batch")["median"].min()
    bounds = {batch: compute_bound(results, batch) for batch in table["batch"].unique()}
    table["times_ours"] = table["median"] / table["batch"].map(ours)
    table["of_bound"] = table["batch"].map(bounds) / table["median"]
    table["images_per_second"] = images / table["median"]
    return table


def in_mib(peaks: Mapping[str, int]) -> dict[str, float]:
    """Convert peaks of memory from bytes to MiB."""
    return {name: size / 2**20 for name, size in peaks.items()}


def compute_bound(results: Results, batch: int) -> float:
    """Return the seconds that an epoch's arithmetic takes at the speed of the large matrix product.

    The best round of the product counts: what slows the other rounds is no bound on ours.
    """
    rounds = (one for one in results["rounds"] if one["family"] == BOUND and one["batch"] == batch)
    speed = results["arithmetic"]["product_operations"] / min(next(rounds)["seconds"])
    return results["arithmetic"]["operations_an_image"] * results["settings"]["epoch_images"] / speed


def compute_speed_ups(epochs: pd.DataFrame, column: str = "median") -> dict[str, float]:
    """Divide the time of the fastest mode of Keras, and of PyTorch, by ours, at one batch size."""
    fastest = epochs.groupby("family")[column].min().dropna()
    return {family: fastest[family] / fastest[OURS] for family in (KERAS, PYTORCH) if family in fastest}


def compute_headroom(epochs: pd.DataFrame, seconds: float) -> float:
    """Divide the time of the fastest mode of Keras and PyTorch by the least seconds of an epoch."""
    return float(epochs[epochs["family"].isin([KERAS, PYTORCH])]["median"].min() / seconds)


def write_table(table: pd.DataFrame, formats: Mapping[str, str] | None = None) -> str:
    """Write a table as Markdown, numbers aligned to the right; missing ones are dashes.

    Args:
        table: the first column names the rows.
        formats: how the numbers of a column are written, such as {"seconds": "{:.2f}"}.
    """
    for column, pattern in (formats or {}).items():
        table = table.assign(**{column: table[column].map(pattern.format, na_action="ignore")})
    align = ("left", *["right"] * (len(table.columns) - 1))
    return table.astype(object).fillna("–").to_markdown(index=False, disable_numparse=True, colalign=align)


def write_report(results: Results) -> str:
    """Write everything that was measured as Markdown."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(machine["versions"].items()))
    parts = [
        "# Benchmark",
        "**A check that everything runs (`--quick`): its times mean nothing.**"
        if results["settings"]["quick"]
        else "",
        f"Made by `make bench` on {machine['cores']} cores of {machine['processor']} "
        f"({', '.join(machine['instruction_sets'])}), {machine['memory_gib']} GiB, {machine['system']}; "
        f"{versions}. Load average before: {machine['load_before']}.",
    ]
    for batch in results["settings"]["batches"]:
        parts += write_epochs(results, batch)
    if "target" in results:
        table, loss = tabulate_target(results), results["target"]["loss"]
        parts += [f"## Time until validation BCE ≤ {loss}", compare_times_to_target(results)]
        parts += [write_table(table), TARGET.format(loss=loss)]
    paragraphs = (
        part if part.startswith("|") else textwrap.fill(" ".join(part.split()), 110, break_on_hyphens=False)
        for part in parts
    )
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def write_epochs(results: Results, batch: int) -> list[str]:
    """Compare the seconds of an epoch at one batch size."""
    settings, network, bound = results["settings"], results["network"], compute_bound(results, batch)
    epochs = tabulate_epochs(results)
    epochs = epochs[epochs["batch"] == batch]
    medians = compute_speed_ups(epochs)
    ratios = [f"**{ratio:.2f} times** as fast as the fastest {of} mode" for of, ratio in medians.items()]
    best = [f"{ratio:.2f} times for {of}" for of, ratio in compute_speed_ups(epochs, "least").items()]
    operations = results["arithmetic"]["operations_an_image"] * settings["epoch_images"]
    table = epochs[["label", *COLUMNS]].rename(
        columns={"label": f"batch {batch}", **{name: title for name, (title, _) in COLUMNS.items()}}
    )
    return [
        f"## An epoch of the {network} network, batch {batch}",
        f"An epoch of ours is {' and '.join(ratios)}. By the best round of each alone it is "
        f"{' and '.join(best)}. At the bound it would be {compute_headroom(epochs, bound):.2f} times as fast "
        "as the fastest of them.",
        write_table(table, dict(COLUMNS.values())),
        EPOCHS.format(
            bound=bound,
            tera=operations / 1e12,
            speed=operations / bound / 1e9,
            layer=LAYERS[network],
            remark=REMARKS[network],
            **settings,
        ),
        WAIT,
    ]


def tabulate_target(results: Results) -> pd.DataFrame:
    """Compare the time until the validation loss of the target."""
    rows, title = [], f"until validation BCE ≤ {results['target']['loss']}"
    for run in results["target"]["runs"]:
        curve = run["curve"]
        row = {title: f"{run['label']}, batch {run['batch']}", "epochs": f"{len(curve)}"}
        if run["reached"]:
            seconds = curve[-1]["seconds"]
            row |= {"best": f"{curve[-1]['val_loss']:.5f}", "seconds": f"{seconds:.0f}"}
            row["with start-up"] = f"{seconds + run['ready_seconds']:.0f}"
        rows.append(
            row | {"peak memory, MiB": f"{in_mib(run['peak_memory']).get('anonymous', math.nan):,.0f}"}
        )
    return pd.DataFrame(rows)


def compare_times_to_target(results: Results) -> str:
    """Say how many times as long as ours stock Keras takes, as far as both got there."""
    ours, stock = results["target"]["runs"]
    if not (ours["reached"] and stock["reached"]):
        return "Not both reached the target."
    ratio = stock["curve"][-1]["seconds"] / ours["curve"][-1]["seconds"]
    return f"Ours, with its recipe, takes 1/{ratio:.1f} of the time of stock Keras with the stock recipe."


def summarise_epochs(results: Results) -> pd.DataFrame:
    """Compare the median and range of an epoch at every batch size, beside the arithmetic bound."""
    columns: dict[str, list[str]] = {}
    table = tabulate_epochs(results)
    for batch in results["settings"]["batches"]:
        epochs = table[table["batch"] == batch]
        bound = compute_bound(results, batch)
        columns["seconds per epoch, median (range)"] = [*epochs["label"], "arithmetic bound"]
        columns[f"batch {batch}"] = [
            *(f"{row.median:.1f} ({row.least:.1f} – {row.most:.1f})" for row in epochs.itertuples()),
            f"{bound:.1f}",
        ]
        ours = epochs[epochs["family"] == OURS]["median"].min()
        columns[f"times ours, batch {batch}"] = [
            f"{one:.2f}" for one in (*epochs["times_ours"], bound / ours)
        ]
    return pd.DataFrame(columns)


@style.styled
def plot_epoch_seconds(results: Results) -> Figure:
    """Plot the median seconds of an epoch, one bar per contender, ours on top, one panel per batch size.

    A thin line spans the fastest and the slowest round; a dotted one marks the arithmetic bound.
    """
    figure = style.StyledFigure(figsize=(style.WIDTH, 4.4))
    batches = results["settings"]["batches"]
    panels = figure.subplots(1, len(batches), sharex=True, sharey=True, squeeze=False)[0]
    epochs = tabulate_epochs(results).dropna(subset="median")
    for axes, batch in zip(panels, batches, strict=True):
        bound = compute_bound(results, batch)
        for row in epochs[epochs["batch"] == batch].itertuples():
            axes.barh(row.label, row.median, color=COLOURS.get(row.family, style.GREY))
            axes.hlines(row.label, row.least, row.most, color="black", linewidth=1.5)
            axes.annotate(
                f"{row.median:.1f}",
                (row.most, row.label),
                (5, 0),
                textcoords="offset points",
                va="center",
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
    images = results["settings"]["epoch_images"]
    style.add_title(figure, f"Seconds for one epoch of {images:,} images, and the arithmetic bound")
    return figure


@style.styled
def plot_time_to_target(results: Results) -> Figure:
    """Plot validation loss against the seconds of training, ours and stock Keras, and mark the target."""
    figure = style.StyledFigure(figsize=(style.WIDTH, 4.6))
    axes = figure.subplots()
    colours = (style.BLUE, style.ORANGE)
    for run, colour, marker in zip(results["target"]["runs"], colours, ("o", "s"), strict=True):
        seconds = [epoch["seconds"] for epoch in run["curve"]]
        losses = [epoch["val_loss"] for epoch in run["curve"]]
        ending = f"reached after {seconds[-1]:,.0f} s" if run["reached"] else "not reached"
        label = f"{run['label']}, batch {run['batch']}: {ending}"
        axes.plot(seconds, losses, marker, linestyle="-", markersize=4, color=colour, label=label)
    loss = results["target"]["loss"]
    axes.axhline(loss, color=style.GREY, linestyle="--", linewidth=1.5, label=f"target {loss}")
    axes.set_xscale("log")
    style.format_log_axis(axes.xaxis, (1, 2, 5))
    axes.set_title("Validation loss against training time")
    axes.set_xlabel("seconds of training, validation included (logarithmic; left is better)")
    axes.set_ylabel("binary cross-entropy, nats a pixel")
    axes.legend(loc="upper right")
    return figure
