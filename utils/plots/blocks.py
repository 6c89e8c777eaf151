"""Drawings of what a network is made of: function classes, blocks, stages, and their costs."""

from __future__ import annotations

import math

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Ellipse, FancyBboxPatch, Polygon

from utils.plots._style import BLUE, GRAY, GREEN, ORANGE, SKY, Figure, arrow, bars


def nested_classes() -> Figure:
    """Draw growing function classes twice: not nested on the left, nested on the right."""
    figure = Figure(9, 3.6)
    apart, nested = figure.subplots(1, 2)
    shapes = [(2.0, 1.2, 1.9, 1.2, 0), (2.9, 1.8, 2.6, 1.6, 35), (1.5, 2.0, 3.4, 1.7, 75)]
    _classes(apart, "Not nested: the larger class can lie farther from f*", shapes)
    shapes = [(2.2, 1.6, 1.7, 1.1, 0), (2.5, 1.8, 2.8, 1.9, 20), (2.8, 2.0, 4.0, 2.7, 25)]
    _classes(nested, "Nested: the larger class can only come closer", shapes)
    return figure


def _classes(axes: Axes, title: str, shapes: list[tuple]) -> None:
    axes.set(xlim=(0, 6.4), ylim=(0, 4.2), aspect="equal", title=title)
    axes.axis("off")
    for number, (x, y, width, height, angle) in reversed(list(enumerate(shapes, start=1))):
        color = (SKY, BLUE, GRAY)[number - 1]
        axes.add_patch(Ellipse((x, y), width, height, angle=angle, fc=color, alpha=0.25, ec=color))
        turn = math.radians(angle)
        edge = (x + width / 2 * math.cos(turn) * 0.8, y + width / 2 * math.sin(turn) * 0.8)
        axes.text(*edge, f"F{number}", ha="center", va="center", weight="bold")
    axes.plot(5.6, 3.5, "*", color=ORANGE, markersize=14)
    axes.text(5.8, 3.5, "f*", va="center", style="italic", color=ORANGE, size=13)


def two_blocks() -> Figure:
    """Draw a regular block beside a residual block; a frame marks the layers that learn."""
    figure = Figure(9, 5.4)
    regular, residual = figure.subplots(1, 2)
    _block(regular, "Regular block: the framed layers learn f(x)")
    _block(residual, "Residual block: the framed layers learn f(x) − x")
    residual.plot([0, 2.3, 2.3, 0.6], [6.5, 6.5, 1.35, 1.35], color=ORANGE, lw=2)
    arrow(residual, (0.7, 1.35), (0.26, 1.35), ORANGE)
    residual.add_patch(Circle((0, 1.35), 0.26, fc="white", ec=ORANGE, lw=2, zorder=3))
    residual.text(0, 1.33, "+", ha="center", va="center", size=14, color=ORANGE, zorder=4)
    residual.text(2.45, 3.9, "shortcut: x", color=ORANGE, rotation=-90, ha="left", va="center")
    return figure


def _block(axes: Axes, title: str) -> None:
    axes.set(xlim=(-2.9, 2.9), ylim=(-0.9, 7.2), aspect="equal")
    axes.set_title(title, size=11)
    axes.axis("off")
    axes.add_patch(FancyBboxPatch((-1.75, 1.95), 3.5, 4.1, fc="none", ec=GRAY, ls="--"))
    layers = {5.6: "3×3 convolution", 4.8: "normalization", 4.0: "ReLU"}
    layers |= {3.2: "3×3 convolution", 2.4: "normalization", 0.35: "ReLU"}
    stops = [6.75, *layers, -0.6]
    for above, below in zip(stops, stops[1:]):  # from the middle of one box to the edge of the next
        arrow(axes, (0, above), (0, below + 0.25), "black")
    for y, label in layers.items():
        color = GREEN if label == "ReLU" else BLUE if "conv" in label else SKY
        box = FancyBboxPatch((-1.4, y - 0.22), 2.8, 0.44, "round,pad=0.1", fc=color, ec="none")
        axes.add_patch(box)
        axes.text(0, y, label, ha="center", va="center", color="white" if color != SKY else "black")
    axes.text(0, 6.95, "x", ha="center", va="center", style="italic", size=13)


def network(table: pandas.DataFrame) -> Figure:
    """Draw the arrays between the parts of a network, with height, width and channels to scale.

    `table` is what `shapes.layer_table` returns for a batch of one image.
    """
    parts = table[(table.depth == 1) & (table.output.map(len) == 4)]
    arrays = [("input", table.input.iloc[0]), *zip(parts.index, parts.output)]
    image = table.input.iloc[0][-1]
    figure = Figure(10, 3.6)
    axes = figure.subplots()
    x = 0.0  # each array gets a slot wide enough for the text below it
    for name, (_, channels, height, width) in arrays:
        slab = (1.1 * channels / 512, 2.2 * height / image, 2.2 * width / image)
        _slab(axes, x, *slab)
        drawn = slab[0] + slab[2] * 0.5
        axes.text(
            x + drawn / 2, -0.2, f"{name}\n{channels} × {height} × {width}", ha="center", va="top"
        )
        x += max(drawn + 0.6, 1.5)
    axes.set(xlim=(-0.5, x), ylim=(-0.8, 3.4), aspect="equal")
    axes.set_title("The maps shrink while the channels grow (channels × height × width, to scale)")
    axes.axis("off")
    return figure


def _slab(axes: Axes, x: float, depth: float, height: float, width: float) -> None:
    """Draw a box: `depth` (channels) to the right, `height` upward, `width` slanting back."""
    depth = max(depth, 0.02)
    back = numpy.array([width * 0.5, width * 0.35])
    front = numpy.array([[x, 0], [x + depth, 0], [x + depth, height], [x, height]])
    side = [front[1], front[1] + back, front[2] + back, front[2]]
    top = [front[3], front[2], front[2] + back, front[3] + back]
    for corners, color in ((side, SKY), (top, "#A6D8F0"), (front, BLUE)):
        axes.add_patch(Polygon(corners, fc=color, ec="white", lw=0.6))


def costs(table: pandas.DataFrame) -> Figure:
    """Draw how parameters, multiply-accumulates and memory are spread over a network's parts.

    `table` is what `shapes.layer_table` returns.
    """
    parts = table[table.depth == 1]
    figure = Figure(10, 3.2)
    titles = {"parameters": "Parameters", "macs": "Multiply-accumulates", "memory": "Outputs"}
    for axes, (column, title), color in zip(
        figure.subplots(1, 3, sharey=True), titles.items(), (BLUE, ORANGE, GREEN)
    ):
        share = 100 * parts[column] / parts[column].sum()
        axes.bar_label(bars(axes, share, color), fmt="%.0f", padding=3)
        axes.set(title=title, xlabel="share of the network, %", xlim=(0, 92))
    most = parts[list(titles)].idxmax()
    title = "{parameters} has the most parameters, {memory} the largest outputs"
    figure.suptitle(title.format(parameters=most.parameters, memory=most.memory))
    return figure
