"""Argument checks whose errors say what was given, what was expected, and what to do.

MXNet rejects most of these values itself, but in words that are hard to understand and often much
later. It accepts one of them: the sum of two arrays that broadcast. While a network is compiled,
symbols without a shape take the place of arrays. The checks let them pass.
"""

from __future__ import annotations

import numpy
from mxnet import gluon, np
from mxnet.symbol import Symbol

from utils import _gluon

FLOAT32 = numpy.dtype("float32")


def check_positive(**values: int) -> None:
    """Raise ValueError unless every value is a whole number of at least 1."""
    for name, value in values.items():
        is_whole = isinstance(value, (int, numpy.integer)) and not isinstance(value, bool)
        if not is_whole or value < 1:
            raise ValueError(
                "{name} is {given!r}, but it must be a whole number of at least 1. "
                "Pass for example {name}=1.".format(name=name, given=value)
            )


def check_divides(batch_size: int, workers: int, devices: int = 1) -> None:
    """Raise ValueError unless the devices of all workers get equal numbers of images."""
    parts = workers * devices
    if batch_size % parts:
        raise ValueError(
            "batch_size is {batch_size}, which does not divide into {parts} equal parts, one for "
            "each device ({devices}) of each worker ({workers}). Choose a multiple of {parts}, "
            "such as {larger}.".format(
                batch_size=batch_size,
                parts=parts,
                devices=devices,
                workers=workers,
                larger=(batch_size // parts + 1) * parts,
            )
        )


def check_images(X: np.ndarray) -> None:
    """Raise TypeError or ValueError unless X is float32 (batch, channels, height, width)."""
    if isinstance(X, Symbol):
        return
    if not isinstance(X, np.ndarray):
        raise TypeError(
            "The network was given a {module}.{kind}, but it computes with mxnet.np arrays. "
            "Convert it: mxnet.np.array(X, dtype='float32').".format(
                module=type(X).__module__, kind=type(X).__name__
            )
        )
    if X.ndim != 4:
        raise ValueError(
            "The network was given an array of shape {shape}, which has {axes} axes, but it "
            "expects 4: (batch, channels, height, width). Add the missing axis: X[:, None] for the "
            "channel of gray images, X[None] for the batch of a single image.".format(
                shape=X.shape, axes=X.ndim
            )
        )
    if X.dtype != FLOAT32:
        raise TypeError(
            "The network was given {dtype} numbers, but its weights are float32. Convert the "
            "input: X.astype('float32').".format(dtype=numpy.dtype(X.dtype))
        )


def check_addable(Y: np.ndarray, shortcut: np.ndarray) -> None:
    """Raise ValueError unless the two shapes are equal.

    MXNet itself adds (4, 6, 6, 6) and (4, 1, 6, 6): it broadcasts the one channel to all six.
    """
    if isinstance(Y, np.ndarray) and Y.shape != shortcut.shape:
        raise ValueError(
            "The residual branch gives {branch}, but the shortcut brings {shortcut}, and only "
            "equal shapes can be added. Let a 1x1 convolution reshape the shortcut: "
            "use_1x1conv=True.".format(branch=Y.shape, shortcut=shortcut.shape)
        )


def check_new_gradients(net: gluon.Block) -> None:
    """Raise ValueError if a backward pass would add the gradients of a parameter to older ones."""
    adding = [p.name for p in net.collect_params().values() if p.grad_req == "add"]
    if adding:
        raise ValueError(
            "New gradients would be added to old ones, because grad_req is 'add' for {count} "
            "parameters, the first of them {name}. Here each step has its own gradient: call "
            "net.collect_params().setattr('grad_req', 'write') first.".format(
                count=len(adding), name=adding[0]
            )
        )


def check_not_compiled(*blocks: gluon.Block) -> None:
    """Raise ValueError if a block is hybridized, since hooks on its parts are then not called."""
    if any(_gluon.is_compiled(block) for block in blocks):
        raise ValueError(
            "The network is hybridized, and the layers inside a compiled network cannot be "
            "watched. Call net.hybridize(False) first."
        )
