"""Drawings of pixels: images with their classes, one in numbers, and what a kernel meets of them.

Notebooks 00 and 05; 03 and 04 for the kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle

from utils import _guards
from utils.plots._style import BLUE, GRAY, ORANGE, SKY, Figure

KERNEL, PADDING = 3, "#F0F0F0"  # the size of a kernel on a small map, the color around the map
CLOSED_SHOES = ("sneaker", "ankle boot")  # an open one may be high at its toe, too
LOOKS = {
    "T-shirt/top": "a body with short sleeves or none",
    "trouser": "two long legs",
    "pullover": "a body with two long sleeves",
    "dress": "one long, narrow shape",
    "coat": "a body with two long sleeves, most with a line down the front",
    "sandal": "an open shoe from the side",
    "shirt": "a body with sleeves, most of them long, some with buttons",
    "sneaker": "a low, closed shoe from the side",
    "bag": "a wide block, many with a handle",
    "ankle boot": "a high, closed shoe from the side",
}


def image_grid(images: numpy.ndarray, names: Sequence[str], columns: int, title: str) -> Figure:
    """Draw images (N, h, w), row by row, all on one scale of grays: the darkest is black.

    `names` holds a name for each image, or, where there are several rows, one for each column. A
    second line of a name may say more, such as a network's answer.
    """
    rows = -(-len(images) // columns)
    side = min(1.5, 9.4 / columns)  # inches
    lines = 1 + max(name.count("\n") for name in names)
    titled = rows if len(names) == len(images) else 1
    figure = Figure(side * columns, side * rows + 0.2 * lines * titled + 0.4)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels:
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_color(GRAY)  # where a light image would end nowhere on a white page
    for panel in panels[len(images) :]:
        panel.axis("off")
    for panel, image in zip(panels, images):
        panel.imshow(image, cmap="gray", vmin=images.min(), vmax=images.max())
    for panel, name in zip(panels, names):
        panel.set_title(name, size=10)
    figure.suptitle(title)
    told = _told_by_image if len(names) == len(images) else _told_by_column
    figure.alt = "{title}. {told}".format(title=title, told=told(images, names))
    return figure


def _told_by_image(images: numpy.ndarray, names: Sequence[str]) -> str:
    """Name the images, say how light each is, and where the toe of a shoe points.

    The toe tells a mirrored shoe from another.
    """
    darkest, lightest = float(images.min()), float(images.max())
    told = []
    for image, name in zip(images, names):
        form = "{name}: {dark:.0%} of its pixels dark, {gray:.0%} gray, {light:.0%} light"
        if name.split("\n")[0] in CLOSED_SHOES:
            form += ", toe to the {side}"
        level = (image - darkest) / (lightest - darkest)
        dark, light = (level < 1 / 3).mean(), (level > 2 / 3).mean()
        told.append(
            form.format(
                name=" ".join(name.split()),
                dark=dark,
                gray=1 - dark - light,
                light=light,
                side=toe(image),
            )
        )
    return "{count} gray images, row by row. {told}.".format(
        count=len(images), told="; ".join(told)
    )


def _told_by_column(images: numpy.ndarray, names: Sequence[str]) -> str:
    """Name the columns, and say what the classes of Fashion-MNIST look like."""
    told = []
    for name in names:
        form = "{name} ({looks})" if name in LOOKS else "{name}"
        told.append(form.format(name=name, looks=LOOKS.get(name)))
    return (
        "{count} gray images on black, in {rows} rows; each column has one class. From left to "
        "right: {columns}.".format(
            count=len(images), rows=-(-len(images) // len(names)), columns="; ".join(told)
        )
    )


def toe(image: numpy.ndarray) -> str:
    """Say where the toe of a shoe points, "left" or "right": away from its higher half."""
    dark, light = float(image.min()), float(image.max())
    lit = image > dark + (light - dark) / 4
    rows = numpy.flatnonzero(lit.any(axis=1))
    columns = numpy.flatnonzero(lit.any(axis=0))
    shoe = lit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    upper = shoe[: max(1, len(shoe) // 2)]
    return "left" if numpy.nonzero(upper)[1].mean() > (shoe.shape[1] - 1) / 2 else "right"


def image_in_numbers(image: numpy.ndarray, top: int, left: int, size: int, name: str) -> Figure:
    """Draw an image (h, w) of bytes, a frame in it, and the numbers inside this frame.

    The frame is `size` pixels high and wide; its first pixel is in row `top` and column `left`.
    """
    piece = image[top : top + size, left : left + size]
    figure = Figure(9, 4.6)
    whole, close = figure.subplots(1, 2)
    whole.imshow(image, cmap="gray", vmin=0, vmax=255)
    corner = (left - 0.5, top - 0.5)  # of a pixel, whose center is at whole numbers
    whole.add_patch(Rectangle(corner, size, size, fill=False, ec=ORANGE, lw=3))
    whole.set_title(
        "The whole {name}: {rows} × {columns} pixels".format(
            name=name, rows=image.shape[0], columns=image.shape[1]
        )
    )
    edges = (corner[0], corner[0] + size, corner[1] + size, corner[1])
    close.imshow(piece, cmap="gray", vmin=0, vmax=255, extent=edges)
    close.set_title("Inside the frame: the lighter a pixel, the larger its number")
    for (row, column), value in numpy.ndenumerate(piece):
        ink = "black" if value > 127 else "white"
        close.text(left + column, top + row, value, ha="center", va="center", color=ink)
    close.set(xticks=range(left, left + size), yticks=range(top, top + size))
    for axes in (whole, close):
        axes.set(xlabel="column", ylabel="row")
    rows = [
        "row {row} is {numbers}".format(row=top + place, numbers=", ".join(map(str, numbers)))
        for place, numbers in enumerate(piece)
    ]
    figure.alt = (
        "On the left a gray image, the whole {name}, with a frame around rows {top} to {bottom} "
        "and columns {left} to {right}. On the right the pixels inside the frame, each with its "
        "number, dark where it is small and light where it is large: {rows}.".format(
            name=name,
            top=top,
            bottom=top + size - 1,
            left=left,
            right=left + size - 1,
            rows="; ".join(rows),
        )
    )
    return figure


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
