"""Drawings of training at scale: where the time goes, and what more workers would bring."""

from __future__ import annotations

from itertools import cycle

import pandas
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import LogLocator, StrMethodFormatter

from utils.plots._style import BLUE, GRAY, GREEN, ORANGE, SKY, Figure, arrow, bars, listed

# MXNet's names of the operator that computes a convolution, and of the one for its gradients.
CONVOLUTIONS = ("Convolution", "_backward_Convolution")
# Together they give 12 different lines.
COLORS, MARKERS, LINES = (BLUE, GREEN, ORANGE), "o^s", ("-", "--", ":", "-.")


def operators(times: pandas.Series, shown: int = 7) -> Figure:
    """Draw the milliseconds of the `shown` slowest operators, and of all others together.

    `times` is what `throughput.by_operator` returns.
    """
    longest = pandas.concat([times[:shown], pandas.Series({"all others": times[shown:].sum()})])
    figure = Figure(8, 3.4)
    axes = figure.subplots()
    colors = [ORANGE if name in CONVOLUTIONS else BLUE for name in longest.index]
    axes.bar_label(bars(axes, longest, colors), fmt="%.1f", padding=3)
    share = times[times.index.isin(CONVOLUTIONS)].sum() / times.sum()
    axes.set(
        title="Convolutions (orange) take {share:.0%} of a training step".format(share=share),
        xlabel="time in one step, ms",
        xlim=(0, 1.12 * longest.max()),
    )
    figure.alt = (
        "A bar for each kind of operator, as long as its time in one training step, in "
        "milliseconds; the slowest first: {longest}. Together they take {total:.1f}. The bars of "
        "convolutions and their gradients are orange: {share:.0%} of the step.".format(
            longest=listed(longest, "{:.1f}"), total=times.sum(), share=share
        )
    )
    return figure


def data_parallel() -> Figure:
    """Draw how two devices share a batch: two halves, two gradients, their sum, one step."""
    figure = Figure(9, 3.4)
    axes = figure.subplots()
    axes.set(xlim=(-0.2, 13), ylim=(-0.6, 5.2), aspect="equal")
    axes.set_title("Two devices share a batch: half the images each, and the sum of both gradients")
    axes.axis("off")
    _box(axes, 0.9, 2.3, "batch\n8 images", SKY, "black")
    _box(axes, 10.6, 2.3, "sum of the\ngradients", ORANGE, "white")
    for device, y in enumerate((3.9, 0.7)):
        _box(axes, 3.6, y, f"4 images\non device {device}", SKY, "black")
        _box(axes, 6.0, y, "the whole\nnetwork", BLUE, "white")
        _box(axes, 8.3, y, "gradient\nof 4 images", GREEN, "white")
        for start, end in ((4.6, 5.05), (6.95, 7.35)):
            arrow(axes, (start, y), (end, y), "black")
        toward = 0.5 if device == 0 else -0.5
        arrow(axes, (1.85, 2.3 + toward / 2), (2.65, y - toward), "black")
        arrow(axes, (9.25, y - toward / 2), (9.75, 2.3 + toward), "black")
        back = y + 2 * toward  # above the upper row, below the lower one
        axes.plot([10.6, 10.6, 6.0], [2.3 + 1.1 * toward, back, back], color=ORANGE, lw=1.5)
        arrow(axes, (6.0, back), (6.0, y + 1.1 * toward), ORANGE)
    axes.text(11.8, 2.3, "the same\nstep for\nboth", color=ORANGE, va="center")
    figure.alt = (
        "A diagram of two rows, one for each device. A batch of 8 images on the left is cut in "
        "two: 4 images go to device 0, 4 to device 1. Each device has the whole network and "
        "computes the gradient of its own 4 images. On the right both gradients meet in one box, "
        "the sum of the gradients. From this sum, arrows lead back to both networks: each takes "
        "the same step."
    )
    return figure


def _box(axes: Axes, x: float, y: float, label: str, color: str, ink: str) -> None:
    shape = FancyBboxPatch((x - 0.85, y - 0.42), 1.7, 0.84, "round,pad=0.1", fc=color, ec="none")
    axes.add_patch(shape)
    axes.text(x, y, label, ha="center", va="center", color=ink, size=9)


def workers(predicted: pandas.DataFrame, perfect: pandas.Series) -> Figure:
    """Draw predicted images per second against the number of workers, a line for each column.

    `perfect` holds the rates if communication took no time. Both are indexed by workers.
    """
    figure = Figure(7, 3.8)
    axes = figure.subplots()
    axes.plot(perfect.index, perfect, "-", color=GRAY, lw=1, label="if sending took no time")
    styles = zip(cycle(COLORS), cycle(MARKERS), cycle(LINES))
    for (name, rates), (color, marker, line) in zip(predicted.items(), styles):
        axes.plot(rates.index, rates, marker + line, color=color, label=name)
    shares = predicted.iloc[-1] / perfect.iloc[-1]  # of what the most workers could do
    title = "Prediction for {most} workers: {low:.0%} to {high:.0%} of a perfect gain"
    axes.set(
        title=title.format(most=predicted.index[-1], low=shares.min(), high=shares.max()),
        xlabel="workers",
        ylabel="images per second",
        xscale="log",
        yscale="log",
    )
    axes.set_xticks(predicted.index, labels=predicted.index)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    lines = [_line_in_words(name, rates, perfect) for name, rates in predicted.items()]
    figure.alt = (
        "Lines of predicted images per second against the number of workers, both axes "
        "logarithmic. If sending took no time: {perfect}. {lines}".format(
            perfect=_by_workers(perfect), lines=" ".join(lines)
        )
    )
    return figure


def _line_in_words(name: str, rates: pandas.Series, perfect: pandas.Series) -> str:
    best = rates.idxmax()
    return (
        "{name}: {rates}; most with {best}, at the end {share:.0%} of what it would be if sending "
        "took no time.".format(
            name=name,
            rates=_by_workers(rates),
            best=best,
            share=rates.iloc[-1] / perfect.iloc[-1],
        )
    )


def _by_workers(rates: pandas.Series) -> str:
    return listed(rates.rename("with {}:".format), "{:.0f}")
