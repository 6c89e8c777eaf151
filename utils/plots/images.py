"""Drawings of images as such: a grid of them with their classes, and one of them in numbers.

Notebooks 00 and 05.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy
from matplotlib.patches import Rectangle

from utils.plots._style import GRAY, ORANGE, Figure

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
