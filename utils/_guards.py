"""Checks that answer a wrong value with a sentence: what was given, what was expected, what to do.

MXNet refuses most of these values too, but in its own words and often much later. One it lets pass:
the sum of two shapes that broadcast. While a network is compiled, symbols without a shape stand for
the arrays; the checks let them through, and MXNet's own messages remain.
"""

from __future__ import annotations

import numpy
from mxnet import gluon, np
from mxnet.symbol import Symbol

FLOAT32 = numpy.dtype("float32")


def check_positive(**values: int) -> None:
    """Raise ValueError unless every value is a whole number of at least 1."""
    for name, value in values.items():
        is_whole = isinstance(value, (int, numpy.integer)) and not isinstance(value, bool)
        if not is_whole or value < 1:
            raise ValueError(
                f"{name} is {value!r}, but it must be a whole number of at least 1. "
                f"Pass for example {name}=1."
            )


def check_divides(batch_size: int, workers: int, devices: int = 1) -> None:
    """Raise ValueError unless every device of every worker gets the same number of images."""
    parts = workers * devices
    if batch_size % parts:
        larger = (batch_size // parts + 1) * parts
        raise ValueError(
            f"batch_size is {batch_size}, which does not divide into {parts} equal parts, one for "
            f"each device ({devices}) of each worker ({workers}). Choose a multiple of {parts}, "
            f"such as {larger}."
        )


def check_images(X: np.ndarray) -> None:
    """Raise TypeError or ValueError unless X is float32 (batch, channels, height, width)."""
    if isinstance(X, Symbol):
        return
    if not isinstance(X, np.ndarray):
        raise TypeError(
            f"The network was given a {type(X).__module__}.{type(X).__name__}, but it computes "
            "with mxnet.np arrays. Convert it: mxnet.np.array(X, dtype='float32')."
        )
    if X.ndim != 4:
        raise ValueError(
            f"The network was given an array of shape {X.shape}, which has {X.ndim} axes, but it "
            "expects 4: (batch, channels, height, width). Add the axis that is missing: X[:, None] "
            "for the channel of gray images, X[None] for the batch of a single image."
        )
    if X.dtype != FLOAT32:
        raise TypeError(
            f"The network was given {numpy.dtype(X.dtype)} numbers, but its weights are float32. "
            "Convert the input: X.astype('float32')."
        )


def check_addable(Y: np.ndarray, shortcut: np.ndarray) -> None:
    """Raise ValueError unless the two shapes are equal, so that each number meets its own partner.

    MXNet adds (4, 6, 6, 6) and (4, 1, 6, 6) without a word: it repeats the one channel six times.
    """
    if isinstance(Y, np.ndarray) and Y.shape != shortcut.shape:
        raise ValueError(
            f"The residual branch gives {Y.shape}, but the shortcut brings {shortcut.shape}, and "
            "only equal shapes can be added. Let a 1x1 convolution reshape the shortcut: "
            "use_1x1conv=True."
        )


def check_not_compiled(*blocks: gluon.Block) -> None:
    """Raise ValueError if a block is hybridized: no one sees what goes on inside it."""
    if any(getattr(block, "_active", False) for block in blocks):
        raise ValueError(
            "The network is hybridized, and the layers inside a compiled network cannot be "
            "watched. Call net.hybridize(False) first."
        )
