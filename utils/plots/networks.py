"""Drawings of whole networks, and of kernels at the edge of a map: notebook 04."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from utils import _guards
from utils.plots._style import BLUE, GRAY, ORANGE, SKY, Figure, arrow

PANEL, PADDING = "#EAF4FB", "#F0F0F0"
WIDTH, LABELS, ROW = 10.5, 2.3, 1.2  # inches: the figure, the column of its labels, a row
ACROSS = 2  # blocks in a row
BELOW = 0.16  # by which blocks lie below the middle of their row, to leave room for the shortcut
KERNEL = 3


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
    end = _stem(axes, y, image, stages[0])
    for stage in stages:
        y -= ROW
        _panel(axes, y, stage.rows)
        _label(axes, y, "stage {number}".format(number=stage.number), stage.maps)
        for index in range(stage.blocks):
            if index and index % ACROSS == 0:
                y -= ROW
            if index % ACROSS == 0:
                end = _next_row(axes, end, y + ROW / 2, y - BELOW)
            end = _block(axes, *end, stage, index)
    _head(axes, *_next_row(axes, end, y - ROW / 2, y - ROW), stages[-1], count, classes)
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


def _stem(axes: Axes, y: float, image: str, stage: _Stage) -> tuple[float, float]:
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


def _head(axes: Axes, x: float, y: float, stage: _Stage, count: int, classes: int) -> None:
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


def _block(axes: Axes, x: float, y: float, stage: _Stage, index: int) -> tuple[float, float]:
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
                "a 1×1 convolution with stride 2, which has no number; the other shortcuts are "
                "straight.".format(first=stage.first)
            )
        else:
            said.append("All its shortcuts are straight.")
    said.append(
        "Global average pooling leaves {channels} numbers, and layer {count}, the dense layer, "
        "turns them into {classes} scores.".format(
            channels=stages[-1].channels, count=count, classes=classes
        )
    )
    return " ".join(said)


def kernels_on_padding(*cases: tuple[int, int]) -> Figure:
    """Draw where a 3×3 kernel with padding 1 lies on small maps, and which weights meet the map.

    Each case is (pixels, stride): the height and width of the map, and the stride. A case must have
    one output position only, as maps of one pixel have, and those of two with stride 2.
    """
    for pixels, stride in cases:
        _guards.check_positive(pixels=pixels, stride=stride)
        if (pixels - 1) // stride:
            raise ValueError(
                "A map of {pixels} pixels with stride {stride} has more than one output position. "
                "Choose fewer pixels or a larger stride.".format(pixels=pixels, stride=stride)
            )
    figure = Figure(4.6 * len(cases), 4.2)
    said = ["Drawings of a 3×3 kernel on a small map with a border of padding, which is all zeros."]
    for axes, (pixels, stride) in zip(figure.subplots(1, len(cases), squeeze=False)[0], cases):
        used = min(pixels, KERNEL - 1) ** 2
        title = "Map of {pixels}×{pixels}, stride {stride}:\n{used} of 9 weights meet the map"
        title = title.format(pixels=pixels, stride=stride, used=used)
        _kernel_on_map(axes, pixels, title)
        said.append(
            "{title}. The kernel has one position; its {place}, and the other {idle} lie on "
            "padding.".format(
                title=title.replace("\n", " "),
                place="weight in the center lies on the map"
                if used == 1
                else "weights at the center, right of it, below it, and below it on the right lie "
                "on the map",
                idle=9 - used,
            )
        )
    figure.alt = " ".join(said)
    return figure


def _kernel_on_map(axes: Axes, pixels: int, title: str) -> None:
    side = pixels + 2
    axes.set(xlim=(-0.15, side + 0.15), ylim=(side + 0.15, -0.15), aspect="equal", title=title)
    axes.axis("off")
    for row, column in product(range(side), repeat=2):
        inside = 0 < row <= pixels and 0 < column <= pixels
        color = BLUE if inside else PADDING
        axes.add_patch(Rectangle((column, row), 1, 1, fc=color, ec="white", lw=2))
        text = "map" if inside else "0"
        ink = "white" if inside else GRAY
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=ink, size=12)
    for row, column in product(range(KERNEL), repeat=2):
        axes.add_patch(Rectangle((column, row), 1, 1, fc="none", ec=ORANGE, lw=1, ls=":"))
    axes.add_patch(Rectangle((0, 0), KERNEL, KERNEL, fc="none", ec=ORANGE, lw=3))
    axes.text(KERNEL / 2, 0.12, "kernel", ha="center", va="top", color=ORANGE, size=11)
