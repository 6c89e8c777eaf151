"""The figure, the colors and the marks that all drawings of the course share.

The colors are Okabe and Ito's, which color-blind readers can tell apart
(https://jfly.uni-koeln.de/color/). Lines that stand for different things differ in marker or line
style as well, so that they can be told apart in gray.
"""

from __future__ import annotations

import base64
import html
import io
from typing import Any

import matplotlib.figure
import pandas
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.patches import FancyArrowPatch
from PIL import Image

BLUE, ORANGE, GREEN, SKY, GRAY = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#666666"
COLORS_KEPT = 256  # of a drawing's picture: it looks the same, and its file is a third as large


class Figure(matplotlib.figure.Figure):
    """A figure that a notebook shows as a sharp picture; `width` and `height` are in inches.

    The function that draws sets `alt`: sentences that answer, from the data, what the picture
    answers. Readers who cannot see the picture get them. JupyterLab and exported pages take an
    alternative text from HTML alone, so a notebook holds the picture twice: as it is, for other
    programs, and within HTML.
    """

    alt = ""

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), layout="constrained")
        shell = get_ipython()
        if shell:  # pyplot registers printers for all figures; they would go before the one below
            for kind in ("image/png", "image/svg+xml"):
                shell.display_formatter.formatters[kind].for_type(Figure, lambda _: None)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
        """Return what Jupyter shows: a PNG at twice its resolution, and its alternative text.

        Raises ValueError if the figure has no alternative text.
        """
        if not self.alt:
            raise ValueError(
                "This figure has no alternative text. Set its `alt` to what the picture shows."
            )
        content = io.BytesIO()
        self.savefig(content, dpi=2 * self.dpi, bbox_inches="tight")
        picture = Image.open(content).convert("RGB").quantize(COLORS_KEPT)
        content = io.BytesIO()
        picture.save(content, "PNG", optimize=True)
        png = base64.b64encode(content.getvalue()).decode()
        width, height = (side // 2 for side in picture.size)
        shown = (
            f'<img alt="{html.escape(self.alt)}" width="{width}" height="{height}" '
            f'style="max-width: 100%; height: auto" src="data:image/png;base64,{png}">'
        )
        bundle = {"image/png": png, "text/html": shown, "text/plain": self.alt}
        return bundle, {"image/png": {"width": width, "height": height}}


def bars(axes: Axes, values: pandas.Series, color: str | list[str]) -> BarContainer:
    """Draw a horizontal bar for each value, labeled by its index, the first one on top."""
    drawn = axes.barh(values.index, values, color=color)
    axes.yaxis.set_inverted(True)
    return drawn


def listed(values: pandas.Series, form: str) -> str:
    """Return values in words, each behind its name, for an alternative text: "a 1.0, b 2.0"."""
    pairs = zip(values.index, map(form.format, values))
    return ", ".join("{name} {value}".format(name=name, value=value) for name, value in pairs)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    """Draw an arrow between two points of a diagram."""
    style = {"arrowstyle": "-|>", "mutation_scale": 12, "shrinkA": 0, "shrinkB": 0, "lw": 1.5}
    axes.add_patch(FancyArrowPatch(start, end, color=color, **style))
