"""The figure, the colors and the marks that all drawings of the course share.

The colors are Okabe and Ito's, which color-blind readers can tell apart
(https://jfly.uni-koeln.de/color/). Lines that stand for different things differ in marker or line
style as well, so that they can be told apart in gray.
"""

from __future__ import annotations

import matplotlib.figure
import pandas
from IPython import get_ipython
from IPython.core.pylabtools import retina_figure
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.patches import FancyArrowPatch

BLUE, ORANGE, GREEN, SKY, GRAY = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#666666"


class Figure(matplotlib.figure.Figure):
    """A figure that a notebook shows as a sharp picture; `width` and `height` are in inches.

    Jupyter draws matplotlib's own figures only after pyplot is imported, and then at half the
    resolution of most screens.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), layout="constrained")
        shell = get_ipython()
        if shell:  # pyplot registers its own printer for all figures; this class's goes before it
            shell.display_formatter.formatters["image/png"].for_type(Figure, Figure._repr_png_)

    def _repr_png_(self) -> tuple[str | bytes, dict[str, int]] | None:
        """Return the figure as a base64 PNG at twice its resolution, and the size to show it at."""
        return retina_figure(self, base64=True)


def bars(axes: Axes, values: pandas.Series, color: str | list[str]) -> BarContainer:
    """Draw a horizontal bar for each value, labeled by its index, the first one on top."""
    drawn = axes.barh(values.index, values, color=color)
    axes.yaxis.set_inverted(True)
    return drawn


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    """Draw an arrow between two points of a diagram."""
    style = {"arrowstyle": "-|>", "mutation_scale": 12, "shrinkA": 0, "shrinkB": 0, "lw": 1.5}
    axes.add_patch(FancyArrowPatch(start, end, color=color, **style))
