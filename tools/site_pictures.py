"""The static pictures of the interactive pages, as SVG, each with its alternative text.

They stand where no script runs: in a browser without scripts, in print, in the EPUB.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy
from mxnet import gluon
from PIL import Image

from utils import _gluon, shapes

INK, FRAME, EMPTY = "#222832", "#D55E00", "#E3E5E8"
FOR, AGAINST = (213, 94, 0), (0, 114, 178)  # as in the figures of the notebooks
SIDE, GAP, LINE = 112, 16, 17  # of a panel, between panels, of text: in pixels


class Picture(NamedTuple):
    """A drawing, and the text for those who do not see it."""

    svg: str
    alt: str


class Windows(NamedTuple):
    """The receptive fields of a row of numbers, in pixels of the image.

    The first begins at `start`, which is negative where it begins in the padding; `Window` of
    `utils.shapes` says how wide they are, and how far apart.
    """

    window: shapes.Window
    start: int
    count: int


def windows(net: gluon.Block, pixels: int) -> Iterator[tuple[str, Windows]]:
    """Yield the windows after the stem and each stage of a residual network, by their names."""
    now = Windows(shapes.Window(), 0, pixels)
    for part, layers in _gluon.children(net).items():
        for name, layer in shapes.parts(layers).items():
            geometry = _gluon.geometry(layer)
            if "kernel" in geometry and not geometry.get("global_pool") and "conv3" not in name:
                kernel, stride, padding = (geometry[key][0] for key in ("kernel", "stride", "pad"))
                start = now.start - padding * now.window.step
                count = (now.count + 2 * padding - kernel) // stride + 1
                now = Windows(now.window.through(layer), start, count)
        if part.startswith("st"):  # the stem and the stages
            yield part, now


def receptive_fields(net: gluon.Block, image: numpy.ndarray, pixels: int) -> Picture:
    """Draw, for each part, the field of a number in the middle of its maps, over the image."""
    found = dict(windows(net, pixels))
    panels, told = [], []
    for part, (window, start, count) in found.items():
        corner = start + count // 2 * window.step
        size = int(window.size)
        low, high = min(0, corner), max(pixels, corner + size)
        unit = SIDE / (high - low)

        def place(pixel: int, unit: float = unit, low: int = low) -> float:
            return round((pixel - low) * unit, 1)

        name = part.replace("stage", "stage ")
        panels.append(
            [
                _rectangle(place(low), SIDE, f'fill="{EMPTY}"'),
                _image(image, place(0), pixels * unit, "pixelated"),
                _rectangle(
                    place(corner), size * unit, f'fill="none" stroke="{FRAME}" stroke-width="2"'
                ),
                *_lines([name, f"{size} × {size}"]),
            ]
        )
        inside = min(corner + size, pixels) - max(corner, 0)
        told.append(f"{name}: {size} by {size} pixels, {inside} by {inside} of them in the image")
    alt = (
        "The same image of {pixels} by {pixels} pixels for each part of ResNet-18, with a frame "
        "around the pixels that reach one number in the middle of the part's maps. Where the frame "
        "is wider than the image, there is padding around the image. {told}."
    ).format(pixels=pixels, told="; ".join(told))
    return _drawn(panels, len(panels), alt)


def looks(
    images: numpy.ndarray, maps: numpy.ndarray, names: Sequence[str], answers: Sequence[str]
) -> Picture:
    """Draw images (N, h, w) under the class activation maps (N, h, w) of a network's answers."""
    panels, told = [], []
    for image, values, name, answer in zip(images, maps, names, answers):
        said = answer if answer != name else "right"
        panels.append(
            [
                _image(image, 0, SIDE, "pixelated"),
                _image(_signed(values), 0, SIDE, "auto"),
                *_lines([name, said]),
            ]
        )
        row, column = numpy.unravel_index(values.argmax(), values.shape)
        told.append(f"{name}, answer {answer}: strongest in row {row + 1}, column {column + 1}")
    alt = (
        "{count} images, the first of each class among those of the page, with what speaks for the "
        "network's answer in orange and against it in blue. Of {size} by {size} places: {told}."
    ).format(count=len(images), size=maps.shape[1], told="; ".join(told))
    return _drawn(panels, 5, alt)


def _signed(values: numpy.ndarray) -> numpy.ndarray:
    """Return a map as colors (h, w, 4): orange, blue, and transparent near zero."""
    colors = numpy.zeros((*values.shape, 4), "uint8")
    colors[..., :3] = numpy.where(values[..., None] > 0, FOR, AGAINST)
    colors[..., 3] = 215 * abs(values) / abs(values).max()
    return colors


def _drawn(panels: Sequence[list[str]], columns: int, alt: str) -> Picture:
    """Put panels into rows, on white."""
    rows = -(-len(panels) // columns)
    step_x, step_y = SIDE + GAP, SIDE + 2 * LINE + GAP
    width, height = columns * step_x + GAP, rows * step_y + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="13">',
        "<!-- written by make site-model -->",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        x, y = GAP + column * step_x, GAP + row * step_y
        parts += [f'<g transform="translate({x} {y})">', *panel, "</g>"]
    return Picture("\n".join([*parts, "</svg>", ""]), alt)


def _lines(lines: Sequence[str]) -> list[str]:
    return [
        f'<text x="{SIDE / 2}" y="{SIDE + (i + 1) * LINE}" text-anchor="middle" '
        f'fill="{INK}">{line}</text>'
        for i, line in enumerate(lines)
    ]


def _rectangle(corner: float, side: float, style: str) -> str:
    return f'<rect x="{corner}" y="{corner}" width="{side:.1f}" height="{side:.1f}" {style}/>'


def _image(values: numpy.ndarray, corner: float, side: float, rendering: str) -> str:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<image x="{corner}" y="{corner}" width="{side:.1f}" height="{side:.1f}" '
        f'style="image-rendering: {rendering}" href="data:image/png;base64,{data}"/>'
    )
