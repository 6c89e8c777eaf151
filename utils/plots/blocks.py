"""Drawings of what a network is made of: function classes, blocks, stages, and their costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import (
    Circle,
    Ellipse,
    FancyBboxPatch,
    Polygon,
    Rectangle,
)

from utils.plots._style import BLUE, GRAY, GREEN, ORANGE, SKY, Figure, arrow, bars

# Places in the drawing of a block: the heights of the plus sign and of the last ReLU, and how far
# from the middle the shortcut runs.
PLUS, LAST_RELU, ASIDE = 0.75, -0.4, 2.3


def nested_classes() -> Figure:
    """Draw growing function classes twice, each with its distance to the best function, f*."""
    figure = Figure(9, 4)
    apart, nested = figure.subplots(1, 2)
    shapes = [(2.3, 1.1, 1.9, 1.2, 0, 0), (3.2, 2.1, 2.4, 1.6, 20, 0), (1.5, 2.6, 3.4, 1.9, 70, 0)]
    far = _classes(apart, "Not nested: F3 is larger than F2, and farther from f*", shapes)
    shapes = [
        (1.9, 1.6, 1.3, 0.8, 0, 0),
        (2.2, 1.7, 2.7, 1.7, -10, 0.6),
        (2.45, 2.25, 4.5, 3.3, 40, 1.5),
    ]
    near = _classes(nested, "Nested: a larger class is never farther from f*", shapes)
    figure.alt = (
        "Two sketches. In each, three ellipses of growing size, F1, F2 and F3, stand for function "
        "classes, a star for the best function, f*, and a dashed line from each ellipse to the "
        "star for its distance. Left, not nested: the ellipses overlap only in part; their "
        "distances are {far}, so that F3, the largest, is farther away than F2. Right, nested: "
        "each ellipse contains the one before; their distances are {near}, each shorter than the "
        "one before."
    ).format(far=_listed(far), near=_listed(near))
    return figure


def _listed(distances: list[float]) -> str:
    return ", ".join(map("{:.1f}".format, distances))


def _classes(axes: Axes, title: str, shapes: list[tuple]) -> list[float]:
    """Draw ellipses (x, y, width, height, angle, height of the label above y).

    Return their distances to f*.
    """
    star, distances = numpy.array([5.8, 2.6]), []
    axes.set(xlim=(0, 6.4), ylim=(0.2, 4.4), aspect="equal", title=title)
    axes.axis("off")
    for number, (x, y, width, height, angle, up) in reversed(list(enumerate(shapes, start=1))):
        color = (SKY, BLUE, "black")[number - 1]
        axes.add_patch(
            Ellipse((x, y), width, height, angle=angle, fc="none", ec=color, lw=2, zorder=3)
        )
        axes.add_patch(Ellipse((x, y), width, height, angle=angle, fc=color, alpha=0.12, ec="none"))
        turn, around = math.radians(angle), numpy.linspace(0, 2 * math.pi, 1000)
        along = numpy.outer(numpy.cos(around) * width / 2, [math.cos(turn), math.sin(turn)])
        across = numpy.outer(numpy.sin(around) * height / 2, [-math.sin(turn), math.cos(turn)])
        edge = numpy.array([x, y]) + along + across
        lengths = numpy.linalg.norm(edge - star, axis=1)
        nearest = edge[lengths.argmin()]
        distances.insert(0, float(lengths.min()))
        axes.plot(*zip(nearest, star), "--", color=color, lw=1.3)
        axes.plot(*nearest, "o", color=color, ms=4)
        axes.text(x, y + up, f"F{number}", ha="center", va="center", weight="bold")
    axes.plot(*star, "*", color=ORANGE, markersize=15, zorder=4)
    axes.text(star[0] + 0.2, star[1] + 0.1, "f*", style="italic", color=ORANGE, size=13)
    return distances


def three_blocks() -> Figure:
    """Draw a regular block, a residual block, and a residual block that changes the shape.

    A frame marks the layers that learn f(x), or g(x) = f(x) - x.
    """
    figure = Figure(10, 5)
    regular, residual, fitted = figure.subplots(1, 3)
    _block(regular, "Regular block:\nthe framed layers learn f(x)")
    _block(residual, "Residual block: the framed\nlayers learn g(x) = f(x) − x")
    _block(fitted, "Residual block with a 1×1\nconvolution c: another shape")
    _said_at(regular, LAST_RELU + 0.9, "f(x)")
    for axes, carried in ((residual, "x"), (fitted, "c(x)")):
        axes.plot([0, ASIDE, ASIDE, 0.5], [6.5, 6.5, PLUS, PLUS], color=ORANGE, lw=1.5)
        arrow(axes, (0.6, PLUS), (0.26, PLUS), ORANGE)
        axes.add_patch(Circle((0, PLUS), 0.26, fc="white", ec=ORANGE, lw=1.5, zorder=3))
        axes.text(0, PLUS - 0.02, "+", ha="center", va="center", size=14, color=ORANGE, zorder=4)
        _said_at(axes, PLUS + 0.52, "g(x)")
        _said_at(axes, PLUS - 0.52, "g(x) + {carried}".format(carried=carried))
        axes.text(1.5, PLUS + 0.1, carried, style="italic", ha="center", va="bottom", color=ORANGE)
        axes.text(ASIDE + 0.15, 5.9, "shortcut", rotation=-90, color=ORANGE, va="top")
    box = FancyBboxPatch((ASIDE - 0.22, 2.0), 0.44, 2.2, "round,pad=0.1", fc=BLUE, ec="none")
    fitted.add_patch(box).set_zorder(3)
    turned = {"rotation": -90, "ha": "center", "va": "center", "color": "white", "zorder": 4}
    fitted.text(ASIDE, 3.1, "1×1 convolution", size=9, **turned)
    figure.alt = (
        "Three drawings of a block, side by side; data flows from top to bottom. All have the same "
        "column of layers: x goes into a frame that holds a 3×3 convolution, a normalization, a "
        "ReLU, a second 3×3 convolution and a second normalization; below the frame stands a last "
        "ReLU. Left, the regular block: the framed layers give f(x), and f(x) goes into the last "
        "ReLU. Middle, the residual block: a line, the shortcut, leaves x above the frame, goes "
        "around it and carries x to a plus sign between the frame and the last ReLU. The framed "
        "layers give g(x), and g(x) + x goes into the last ReLU. Right, the residual block that "
        "changes the shape: the same, but a 1×1 convolution c lies on the shortcut, so g(x) + c(x) "
        "goes into the last ReLU."
    )
    return figure


def _block(axes: Axes, title: str) -> None:
    axes.set(xlim=(-2.3, 2.9), ylim=(-1.6, 7.2), aspect="equal")
    axes.set_title(title, size=11)
    axes.axis("off")
    frame = FancyBboxPatch((-1.6, 1.9), 3.2, 4.2, "round,pad=0.2", fc="none", ec=GRAY, ls="--")
    axes.add_patch(frame)
    layers = {5.6: "3×3 convolution", 4.8: "normalization", 4.0: "ReLU"}
    layers |= {3.2: "3×3 convolution", 2.4: "normalization", LAST_RELU: "ReLU"}
    stops = [6.75, *layers, LAST_RELU - 0.95]
    for above, below in zip(stops, stops[1:]):  # from the middle of one box to the edge of the next
        arrow(axes, (0, above), (0, below + 0.25), "black")
    for y, label in layers.items():
        color = GREEN if label == "ReLU" else BLUE if "conv" in label else SKY
        box = FancyBboxPatch((-1.4, y - 0.22), 2.8, 0.44, "round,pad=0.1", fc=color, ec="none")
        axes.add_patch(box)
        axes.text(0, y, label, ha="center", va="center", color="white" if color != SKY else "black")
    axes.text(0, 6.95, "x", ha="center", va="center", style="italic", size=13)


def _said_at(axes: Axes, y: float, text: str) -> None:
    """Write what flows down the middle beside the arrow at that height."""
    axes.text(-0.15, y, text, ha="right", va="center", style="italic", size=11)


def network(table: pandas.DataFrame) -> Figure:
    """Draw the arrays between the parts of a network; a channel is as long as a pixel.

    `table` is what `shapes.layer_table` returns for a batch of one image.
    """
    parts = table[(table.depth == 1) & (table.output.map(len) == 4)]
    arrays = [("input", table.input.iloc[0]), *zip(parts.index, parts.output)]
    figure = Figure(9, 5)
    axes = figure.subplots()
    longest = max(channels for _, (_, channels, _, _) in arrays)
    bottom = 0.0
    for name, (_, channels, height, width) in arrays:
        drawn = height + BACK[1] * width
        row = max(drawn, 16)  # pixels: room for a line of text
        bottom -= row + 12
        _slab(axes, (0, bottom + (row - drawn) / 2), channels, height, width)
        label = f"{name}   {channels} × {height} × {width}"
        axes.text(-14, bottom + row / 2, label, ha="right", va="center", size=11)
    _directions(axes, (longest - 150, -110))
    axes.set(xlim=(-170, longest + 15), ylim=(bottom - 5, 0), aspect="equal")
    shapes = [f"{c} × {h} × {w}" for _, (_, c, h, w) in arrays]
    title = "From {first} numbers to {last}, drawn at one scale"
    axes.set_title(title.format(first=shapes[0], last=shapes[-1]))
    axes.axis("off")
    sentences = [
        "Each array of the network is drawn as a box, one below the other. A channel is as long as "
        "a pixel is wide and high. The sizes, as channels × height × width, are:"
    ]
    sentence = "{name}: {size}."
    sentences += [sentence.format(name=name, size=s) for (name, _), s in zip(arrays, shapes)]
    if _from_sheet_to_rod([shape for _, shape in arrays]):
        sentences.append(
            "Height and width shrink while the channels grow: from a thin sheet to a long rod."
        )
    figure.alt = " ".join(sentences)
    return figure


def _from_sheet_to_rod(shapes: list[tuple[int, ...]]) -> bool:
    """Return whether channels never fall, height and width never grow, and the ends differ so."""
    _, channels, heights, widths = zip(*shapes)
    in_order = [
        sorted(channels) == [*channels],
        *(sorted(sides, reverse=True) == [*sides] for sides in (heights, widths)),
    ]
    return all(in_order) and channels[0] < heights[0] and channels[-1] > heights[-1]


BACK = numpy.array([0.8, 0.6])  # where a pixel of the width goes; its length is 1


def _slab(
    axes: Axes, corner: tuple[float, float], depth: float, height: float, width: float
) -> None:
    """Draw a box: `depth` (channels) to the right, `height` upward, `width` slanting back."""
    x, y = corner
    back = BACK * width
    front = numpy.array([[x, y], [x + depth, y], [x + depth, y + height], [x, y + height]])
    side = [front[1], front[1] + back, front[2] + back, front[2]]
    top = [front[3], front[2], front[2] + back, front[3] + back]
    for corners, color in ((side, SKY), (top, "#A6D8F0"), (front, BLUE)):
        is_thin = min(height, width, depth) < 5
        axes.add_patch(Polygon(corners, fc=color, ec=color if is_thin else "white", lw=0.6))


def _directions(axes: Axes, corner: tuple[float, float], length: float = 50) -> None:
    """Draw which way channels, height and width are drawn."""
    x, y = corner
    ends = {"channels": (length, 0), "height": (0, length), "width": tuple(length * BACK)}
    for name, (right, up) in ends.items():
        arrow(axes, (x, y), (x + right, y + up), GRAY)
        side = {"ha": "center", "va": "bottom"} if name == "height" else {"va": "center"}
        axes.text(x + 1.08 * right, y + 1.08 * up, name, color=GRAY, **side)
    axes.text(
        x, y - 12, f"each arrow: {length} channels or pixels", color=GRAY, va="center", size=9
    )


def costs(table: pandas.DataFrame) -> Figure:
    """Draw how parameters, multiply-accumulates and memory are spread over a network's parts.

    `table` is what `shapes.layer_table` returns.
    """
    parts = table[table.depth == 1]
    figure = Figure(10, 3.4)
    titles = {
        "parameters": "Parameters",
        "macs": "Multiply-accumulates",
        "memory": "Memory of the outputs",
    }
    sentences = ["Three bar charts show each part's share of the whole network, in percent."]
    for axes, (column, title), color in zip(
        figure.subplots(1, 3, sharey=True), titles.items(), (BLUE, ORANGE, GREEN)
    ):
        share = 100 * parts[column] / parts[column].sum()
        axes.bar_label(bars(axes, share, color), [_percent(x) for x in share], padding=3)
        axes.set(title=title, xlabel="share of the network, %", xlim=(0, 92))
        values = ", ".join(f"{name} {_percent(x)}" for name, x in share.items())
        sentences.append("{title}: {values}.".format(title=title, values=values))
    most = parts[list(titles)].idxmax()
    stages = parts.macs[parts.index.str.startswith("stage")]
    macs = "in {macs}".format(macs=most.macs)
    if len(stages) > 1 and stages.max() < 1.25 * stages.min():
        macs = "about equally many in each stage"
    title = (
        "Most parameters: in {parameters}. Multiplications: {macs}. Largest outputs: in {memory}"
    )
    figure.suptitle(title.format(parameters=most.parameters, macs=macs, memory=most.memory))
    figure.alt = " ".join(sentences)
    return figure


def _percent(share: float) -> str:
    return "<1" if 0 < share < 0.5 else f"{share:.0f}"


def windows(layers: Sequence[tuple[str, int, int]]) -> Figure:
    """Draw what one number sees of a row of pixels, through layers of (name, kernel, stride).

    Kernels are odd, so that each number stands above the middle of what it sees.
    """
    rows = _rows_above_the_image(layers)
    top = rows[-1]
    edge = top.window // 2 + 2 * top.distance
    figure = Figure(10, 1.05 * len(rows))
    axes = figure.subplots()
    seen = {0}
    for level, row in reversed(list(enumerate(rows))):
        y = 4.0 * level
        places = range(-(edge // row.distance) * row.distance, edge + 1, row.distance)
        for x in places:
            color = ORANGE if row is top else BLUE
            look = {"fc": color, "ec": color} if x in seen else {"fc": "white", "ec": GRAY}
            axes.add_patch(Rectangle((x - 0.38, y - 0.38), 0.76, 0.76, zorder=3, **look))
        _apart(axes, places[-2], y, row.distance)
        label = "{name}: kernel {kernel}, stride {stride}" if level else "{name}"
        axes.text(-edge - 1.2, y, label.format(**row._asdict()), ha="right", va="center")
        if level:
            pixels = "sees {window} pixels".format(window=row.window)
            axes.text(edge + 1.2, y, pixels, va="center")
            step = rows[level - 1].distance
            reach = [step * j for j in range(-(row.kernel // 2), row.kernel // 2 + 1)]
            lines = [((x, y), (x + away, y - 4)) for x in seen for away in reach]
            axes.add_collection(LineCollection(lines, colors=SKY, lw=1))
            seen = {x + away for x in seen for away in reach}
    axes.set(xlim=(-edge - 13, edge + 8), ylim=(-0.7, 4 * len(layers) + 1.8), aspect="equal")
    title = "One number of the {name} sees {window} pixels of the image"
    axes.set_title(title.format(name=top.name, window=top.window))
    axes.axis("off")
    sentences = ["A row of pixels, and above it a row of numbers for each layer."]
    sentence = (
        "The {name} has a kernel of {kernel} and a stride of {stride}: each of its numbers is made "
        "from {kernel} neighbors in the row below and sees {window} pixels of the image; the "
        "numbers are {distance} pixels apart."
    )
    sentences += [sentence.format(**row._asdict()) for row in rows[1:]]
    figure.alt = " ".join(sentences)
    return figure


class _Row(NamedTuple):
    """The numbers after a layer; `window` and `distance` are in pixels of the image."""

    name: str
    kernel: int
    stride: int
    window: int
    distance: int


def _rows_above_the_image(layers: Sequence[tuple[str, int, int]]) -> list[_Row]:
    rows = [_Row("pixels of the image", 1, 1, 1, 1)]
    for name, kernel, stride in layers:
        below = rows[-1]
        window = below.window + (kernel - 1) * below.distance
        rows.append(_Row(name, kernel, stride, window, below.distance * stride))
    return rows


HEAD = {"arrowstyle": "->", "color": GRAY, "shrinkA": 0, "shrinkB": 0}


def _apart(axes: Axes, x: float, y: float, distance: int) -> None:
    """Mark the distance between a number and its neighbor to the right."""
    for start, end in ((x, x + distance), (x + distance, x)):
        axes.annotate("", (end, y + 0.8), (start, y + 0.8), arrowprops=HEAD)
    axes.text(x + distance / 2, y + 1.0, str(distance), color=GRAY, ha="center", va="bottom")
