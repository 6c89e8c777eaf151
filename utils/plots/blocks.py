"""Drawings of what a network is made of: function classes, blocks, networks, and their costs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.patches import (
    Circle,
    Ellipse,
    FancyBboxPatch,
    Polygon,
    Rectangle,
)

from utils import _guards
from utils.plots._style import BLUE, GRAY, GREEN, ORANGE, SKY, Figure, arrow, bars

PANEL = "#EAF4FB"
WIDTH, LABELS, ROW = 10.5, 2.3, 1.2  # inches: the figure, the column of its labels, a row
ACROSS = 2  # blocks in a row
BELOW = 0.16  # by which blocks lie below the middle of their row, to leave room for the shortcut
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
        axes.plot(*nearest, "o", color=color, ms=8, mec="white", zorder=4)
        axes.text(x, y + up, f"F{number}", ha="center", va="center", weight="bold")
    axes.plot(*star, "*", color=ORANGE, markersize=15, zorder=4)
    axes.text(star[0] + 0.2, star[1] + 0.1, "f*", style="italic", color=ORANGE, size=13)
    return distances


def three_blocks() -> Figure:
    """Draw a plain block, a residual block, and a residual block that changes the shape.

    A frame marks the layers that learn f(x), or g(x) = f(x) - x.
    """
    figure = Figure(10, 5)
    plain, residual, fitted = figure.subplots(1, 3)
    _block(plain, "Plain block:\nthe framed layers learn f(x)")
    _block(residual, "Residual block: the framed\nlayers learn g(x) = f(x) − x")
    _block(fitted, "Residual block for a change of\nshape: with a 1×1 convolution c")
    _said_at(plain, LAST_RELU + 0.9, "f(x)")
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
        "ReLU. Left, the plain block: the framed layers give f(x), and f(x) goes into the last "
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


LAYERS = {
    "Basic block": ("3×3 convolution", "normalization", "ReLU", "3×3 convolution", "normalization"),
    "Bottleneck": (
        "1×1 convolution to ¼",
        "normalization",
        "ReLU",
        "3×3 convolution",
        "normalization",
        "ReLU",
        "1×1 convolution to all",
        "normalization",
    ),
    "Pre-activation": (
        "normalization",
        "ReLU",
        "3×3 convolution",
        "normalization",
        "ReLU",
        "3×3 convolution",
    ),
}


def block_designs() -> Figure:
    """Draw the order of the layers in a basic block, a bottleneck and a pre-activated block."""
    figure = Figure(10, 5.4)
    said = [
        "Three drawings of a block, side by side; data flows from top to bottom. In each, an "
        "orange line, the shortcut, leads x around the layers to a plus sign below them."
    ]
    for axes, (name, layers) in zip(figure.subplots(1, len(LAYERS)), LAYERS.items()):
        last = () if name == "Pre-activation" else ("ReLU",)
        _column(axes, name, layers, last)
        after = "a last ReLU" if last else "nothing"
        said.append(
            "{name}: {layers}; after the sum, {after}.".format(
                name=name, layers=", ".join(layers), after=after
            )
        )
    figure.alt = " ".join(said)
    return figure


def _column(axes: Axes, name: str, layers: Sequence[str], last: Sequence[str]) -> None:
    """Draw layers from top to bottom, a plus sign with the shortcut, and what follows the sum."""
    axes.set(xlim=(-2.5, 3.1), ylim=(-10.9, 0.8), aspect="equal")
    axes.set_title(name, size=11)
    axes.axis("off")
    plus = -len(layers) - 1
    axes.text(0, 0.2, "x", ha="center", va="center", style="italic", size=13)
    for y, label in zip((*range(-1, plus, -1), plus - 1), (*layers, *last)):
        color = GREEN if label == "ReLU" else BLUE if "conv" in label else SKY
        box = FancyBboxPatch((-2.0, y - 0.22), 4.0, 0.44, "round,pad=0.1", fc=color, ec="none")
        axes.add_patch(box)
        ink = "black" if color == SKY else "white"
        axes.text(0, y, label, ha="center", va="center", color=ink, size=9)
    for y in (*range(plus, 0), *(plus - 1 - i for i in range(len(last) + 1))):
        arrow(axes, (0, y + 0.72), (0, y + 0.3), "black")
    axes.plot([0, 2.7, 2.7, 0.3], [-0.2, -0.2, plus, plus], color=ORANGE, lw=1.5, zorder=0)
    arrow(axes, (0.6, plus), (0.28, plus), ORANGE)
    axes.add_patch(Circle((0, plus), 0.27, fc="white", ec=ORANGE, lw=1.5, zorder=3))
    axes.text(0, plus - 0.02, "+", ha="center", va="center", size=14, color=ORANGE, zorder=4)


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
        macs = "about the same in every stage"
    title = (
        "Most parameters: in {parameters}. Multiplications: {macs}. Largest outputs: in {memory}"
    )
    figure.suptitle(title.format(parameters=most.parameters, macs=macs, memory=most.memory))
    figure.alt = " ".join(sentences)
    return figure


def _percent(share: float) -> str:
    return "<1" if 0 < share < 0.5 else f"{share:.0f}"


def residual_network(
    blocks: Sequence[int] = (2, 2, 2, 2), size: int = 96, channels: int = 1, classes: int = 10
) -> Figure:
    """Draw ResNet-18, or another network of this kind, with its counted layers numbered.

    `blocks` holds the number of residual blocks in each stage. The images have `channels` channels
    and are `size` pixels high and wide. Normalizations and ReLUs are left out.
    """
    _guards.check_positive(size=size, channels=channels, classes=classes)
    stages = _stages(blocks, size)
    count = 2 * sum(blocks) + 2
    rows = 2 + sum(stage.rows for stage in stages)
    height = ROW * rows + 0.5
    figure = Figure(WIDTH, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))  # its units are inches
    axes.set(xlim=(0, WIDTH), ylim=(0, height))
    axes.axis("off")
    title = "ResNet-{count}: the {count} numbered layers give it its name".format(count=count)
    axes.text(WIDTH / 2, height - 0.3, title, ha="center", va="center", size=14)
    image = "{channels} × {size} × {size}".format(channels=channels, size=size)
    y = height - 0.5 - ROW / 2
    end = _stem_row(axes, y, image, stages[0])
    for stage in stages:
        y -= ROW
        _panel(axes, y, stage.rows)
        _label(axes, y, "stage {number}".format(number=stage.number), stage.maps)
        for index in range(stage.blocks):
            if index and index % ACROSS == 0:
                y -= ROW
            if index % ACROSS == 0:
                end = _next_row(axes, end, y + ROW / 2, y - BELOW)
            end = _block_in_row(axes, *end, stage, index)
    _head_row(axes, *_next_row(axes, end, y - ROW / 2, y - ROW), stages[-1], count, classes)
    figure.alt = _in_words(stages, image, count, classes)
    return figure


class _Stage:
    """One stage: its number, its blocks, the shape of its maps, the number of its first layer."""

    def __init__(self, number: int, blocks: int, channels: int, size: int, first: int) -> None:
        self.number, self.blocks, self.channels, self.size = number, blocks, channels, size
        self.first = first
        self.halves = number > 1
        self.rows = math.ceil(blocks / ACROSS)

    @property
    def maps(self) -> str:
        return "{channels} × {size} × {size}".format(channels=self.channels, size=self.size)


def _stages(blocks: Sequence[int], size: int) -> list[_Stage]:
    stages, first, size = [], 2, math.ceil(size / 4)
    for number, count in enumerate(blocks, start=1):
        _guards.check_positive(blocks=count)
        size = math.ceil(size / 2) if number > 1 else size
        stages.append(_Stage(number, count, 64 * 2 ** (number - 1), size, first))
        first += 2 * count
    return stages


def _stem_row(axes: Axes, y: float, image: str, stage: _Stage) -> tuple[float, float]:
    """Draw the first row; return where its output is."""
    _panel(axes, y)
    _label(axes, y, "stem", "64 × {size} × {size}".format(size=stage.size))
    x = LABELS
    axes.text(x + 0.6, y, "image\n" + image, ha="center", va="center", size=11)
    arrow(axes, (x + 1.25, y), (x + 1.7, y), "black")
    _layer(axes, x + 1.7, y, 1.6, "7×7", "stride 2", 1)
    arrow(axes, (x + 3.3, y), (x + 3.75, y), "black")
    _layer(axes, x + 3.75, y, 1.75, "3×3 max pooling", "stride 2")
    return x + 5.5, y


def _head_row(axes: Axes, x: float, y: float, stage: _Stage, count: int, classes: int) -> None:
    """Draw the last row."""
    _panel(axes, y)
    _label(axes, y, "pool and dense", "{channels} numbers".format(channels=stage.channels))
    arrow(axes, (x, y), (x + 0.4, y), "black")
    _layer(axes, x + 0.4, y, 2.3, "global average", "pooling")
    arrow(axes, (x + 2.7, y), (x + 3.2, y), "black")
    _layer(axes, x + 3.2, y, 1.6, "dense", "", count)
    arrow(axes, (x + 4.8, y), (x + 5.3, y), "black")
    scores = "{classes} scores".format(classes=classes)
    axes.text(x + 5.4, y, scores, ha="left", va="center", size=11)


def _block_in_row(axes: Axes, x: float, y: float, stage: _Stage, index: int) -> tuple[float, float]:
    """Draw a residual block with its two layers and its shortcut; return where its output is."""
    first, narrow = stage.first + 2 * index, stage.halves and index == 0
    end = x + (WIDTH - LABELS - 0.35) / ACROSS
    fork, plus, between, radius = x + 0.2, end - 0.25, 0.27, 0.13
    wide = (plus - radius - fork - 3 * between) / 2
    second = fork + 2 * between + wide
    axes.plot([x, fork], [y, y], color="black", lw=1.5)
    arrow(axes, (fork, y), (fork + between, y), "black")
    _layer(axes, fork + between, y, wide, "3×3", "stride 2" if narrow else "", first)
    arrow(axes, (second - between, y), (second, y), "black")
    _layer(axes, second, y, wide, "3×3", "", first + 1)
    arrow(axes, (plus - radius - between, y), (plus - radius, y), "black")
    axes.plot([plus + radius, end], [y, y], color="black", lw=1.5)
    above = y + 0.5
    axes.plot([fork, fork, plus, plus], [y, above, above, y + 0.3], color=ORANGE, lw=2)
    arrow(axes, (plus, y + 0.35), (plus, y + radius), ORANGE)
    axes.plot(fork, y, "o", color=ORANGE, markersize=5)
    axes.add_patch(Circle((plus, y), radius, fc="white", ec=ORANGE, lw=2, zorder=3))
    axes.text(plus, y - 0.005, "+", ha="center", va="center", size=13, color=ORANGE, zorder=4)
    if narrow:
        middle = (fork + plus) / 2
        box = FancyBboxPatch((middle - 0.55, above - 0.09), 1.1, 0.18, "round,pad=0.04")
        box.set(fc="white", ec=ORANGE, lw=1.5, zorder=3)
        axes.add_patch(box)
        axes.text(middle, above, "1×1, stride 2", ha="center", va="center", size=9.5, zorder=4)
    return end, y


def _layer(
    axes: Axes, x: float, y: float, wide: float, name: str, more: str, number: int = 0
) -> None:
    """Draw a layer from x to x + wide; a number marks one that is counted."""
    color = BLUE if number else SKY
    box = FancyBboxPatch(
        (x + 0.05, y - 0.2), wide - 0.1, 0.4, "round,pad=0.05", fc=color, ec="none"
    )
    axes.add_patch(box)
    ink, middle = "black", x + wide / 2
    if number:
        ink, middle = "white", x + wide / 2 + 0.17
        axes.add_patch(Circle((x + 0.26, y), 0.18, fc="white", ec="none"))
        axes.text(x + 0.26, y - 0.01, str(number), ha="center", va="center", size=11, weight="bold")
    text = "\n".join(filter(None, (name, more)))
    axes.text(middle, y, text, ha="center", va="center", size=10.5, color=ink, linespacing=1.1)


def _panel(axes: Axes, y: float, rows: int = 1) -> None:
    low = y - ROW * (rows - 0.5) + 0.06
    axes.add_patch(Rectangle((0.1, low), WIDTH - 0.2, ROW * rows - 0.12, fc=PANEL, zorder=0))


def _label(axes: Axes, y: float, name: str, maps: str) -> None:
    axes.text(0.3, y + 0.14, name, va="center", size=12, weight="bold")
    axes.text(0.3, y - 0.16, maps, va="center", size=12)


def _next_row(
    axes: Axes, end: tuple[float, float], between: float, y: float
) -> tuple[float, float]:
    """Lead the output of a row, through `between` the rows, to the next row's beginning at `y`."""
    (x, above), right = end, WIDTH - 0.25
    xs, ys = [x, right, right, LABELS, LABELS], [above, above, between, between, y]
    axes.plot(xs, ys, color="black", lw=1.5)
    return LABELS, y


def _in_words(stages: list[_Stage], image: str, count: int, classes: int) -> str:
    said = [
        "Diagram of ResNet-{count} for images of {image} (channels × height × width). "
        "{count} layers are numbered.".format(count=count, image=image),
        "Stem: layer 1 is a 7×7 convolution with stride 2, then comes 3×3 max pooling with stride "
        "2; the result is 64 × {size} × {size}.".format(size=stages[0].size),
    ]
    said.append("A shortcut leads around each block, to a plus sign after it.")
    for stage in stages:
        said.append(
            "Stage {number} gives {maps}: {blocks} blocks of two 3×3 convolutions each, layers "
            "{first} to {last}.".format(
                number=stage.number,
                maps=stage.maps,
                blocks=stage.blocks,
                first=stage.first,
                last=stage.first + 2 * stage.blocks - 1,
            )
        )
        if stage.halves:
            said.append(
                "Layer {first} has stride 2, and the shortcut around the first block goes through "
                "a 1×1 convolution with stride 2, which has no number. The others have no layer on "
                "them.".format(first=stage.first)
            )
        else:
            said.append("Its shortcuts have no layer on them.")
    said.append(
        "Global average pooling leaves {channels} numbers, and layer {count}, the dense layer, "
        "turns them into {classes} scores.".format(
            channels=stages[-1].channels, count=count, classes=classes
        )
    )
    return " ".join(said)
