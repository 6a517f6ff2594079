"""The pictures of a benchmark, in the style of all others."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from matplotlib.figure import Figure

from benchmarks import summary
from benchmarks.contenders import KERAS, OURS, PYTORCH
from cae.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    WIDTH,
    StyledFigure,
    add_title,
    format_log_axis,
    styled,
)

Results = Mapping[str, Any]

COLOURS = {OURS: BLUE, KERAS: ORANGE, PYTORCH: GREEN}


@styled
def epoch_seconds(results: Results) -> Figure:
    """Draw the median seconds of an epoch, one bar a contender, ours on top, one panel a batch size.

    A thin line spans the fastest and the slowest round; a dotted one marks the arithmetic bound.
    """
    settings, images = results["settings"], results["settings"]["epoch_images"]
    figure = StyledFigure(figsize=(WIDTH, 4.4))
    panels = figure.subplots(1, len(settings["batches"]), sharex=True, sharey=True, squeeze=False)[0]
    for axes, batch in zip(panels, settings["batches"], strict=True):
        rounds = [result for result in results["rounds"] if result["batch"] == batch]
        bound = summary.bound(results, batch)
        trained = [result for result in rounds if result["family"] in COLOURS]
        for result in trained:
            if "problem" in result:
                axes.barh(result["label"], 0)
                axes.annotate(
                    result["problem"].partition(":")[0],
                    (0, result["label"]),
                    (5, 0),
                    textcoords="offset points",
                    va="center",
                    color=GREY,
                )
                continue
            seconds = summary.epoch_seconds(result, images)
            middle = median(seconds)
            axes.barh(result["label"], middle, color=COLOURS[result["family"]])
            axes.hlines(result["label"], min(seconds), max(seconds), color="black", linewidth=1.5)
            axes.annotate(
                f"{middle:.1f}",
                (max(seconds), result["label"]),
                (5, 0),
                textcoords="offset points",
                va="center",
                weight="bold" if result["family"] == OURS else "normal",
            )
        axes.axvline(bound, color="black", linestyle=":")
        axes.set_title(f"batch {batch}; dotted: bound of {bound:.1f} s")
        axes.set_xlabel("seconds (left is better)")
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
    panels[0].invert_yaxis()
    # Room for the number behind the longest bar.
    panels[0].set_xlim(0, panels[0].get_xlim()[1] * 1.12)
    add_title(figure, f"Seconds for one epoch of {images:,} images, and the arithmetic bound")
    return figure


@styled
def time_to_target(results: Results) -> Figure:
    """Draw validation loss against the seconds of training, ours and stock Keras, the target marked."""
    loss, runs = results["target"]["loss"], results["target"]["runs"]
    figure = StyledFigure(figsize=(WIDTH, 4.6))
    axes = figure.subplots()
    for run, colour, marker in zip(runs, (BLUE, ORANGE), ("o", "s"), strict=False):
        seconds = [epoch["seconds"] for epoch in run["curve"]]
        losses = [epoch["val_loss"] for epoch in run["curve"]]
        reached = summary.target_seconds(run)
        ending = f"reached after {reached:,.0f} s" if reached else "not reached"
        label = f"{run['label']}, batch {run['batch']}: {ending}"
        axes.plot(seconds, losses, marker, linestyle="-", markersize=4, color=colour, label=label)
    axes.axhline(loss, color=GREY, linestyle="--", linewidth=1.5, label=f"target {loss}")
    axes.set_xscale("log")
    format_log_axis(axes.xaxis, (1, 2, 5))
    axes.set_title("Validation loss against training time")
    axes.set_xlabel("seconds of training, validation included (logarithmic; left is better)")
    axes.set_ylabel("binary cross-entropy, nats a pixel")
    axes.legend(loc="upper right")
    return figure
