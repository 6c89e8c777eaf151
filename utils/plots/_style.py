"""The colors of the course and what several drawings share.

The colors are Okabe and Ito's, which the color-blind can tell apart
(https://jfly.uni-koeln.de/color/). Lines that belong together differ in style as well.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

BLUE, ORANGE, GREEN, SKY, GRAY = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#666666"


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    """Draw an arrow between two points of a drawing without scales."""
    style = {"arrowstyle": "-|>", "mutation_scale": 12, "shrinkA": 0, "shrinkB": 0, "lw": 1.5}
    axes.add_patch(FancyArrowPatch(start, end, color=color, **style))
