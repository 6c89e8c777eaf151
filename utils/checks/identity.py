"""Check of a function that turns a plain block into the identity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
from mxnet import np

from utils import _gluon
from utils.checks._ask import Question, ask_all, check_function
from utils.checks._report import Mistake, Report
from utils.checks._specimen import agree, images
from utils.families import Plain


def identity(set_identity: Any) -> Report:
    """Check a function `set_identity(block)` that makes a `Plain` block copy its input.

    It sets the parameters of a block that has run once. In inference mode, the block then returns
    every x without negative numbers, to within 1e-6.
    """
    return ask_all("A plain block that copies", QUESTIONS, set_identity)


def _after_identity(
    set_identity: Callable[..., Any], channels: int
) -> tuple[Plain, numpy.ndarray, numpy.ndarray]:
    """Return a block that the learner's function has changed, an input (2, C, 9, 7), its output."""
    check_function(set_identity)
    block = Plain(channels)
    block.initialize()
    X = images(2, channels, 9, 7, low=0, high=1)
    block(np.array(X))
    set_identity(block)
    return block, X, block(np.array(X)).asnumpy()


def copies(set_identity: Callable[..., Any]) -> None:
    """The input comes out again."""
    _, X, Y = _after_identity(set_identity, 8)
    difference = abs(Y - X).max()
    if difference <= 1e-6:
        return
    shifts = [(rows, columns) for rows in (-1, 0, 1) for columns in (-1, 0, 1) if rows or columns]
    inside = numpy.s_[..., 2:-2, 2:-2]
    name = "something else comes out"
    if not Y.any():
        name = "nothing passes"
    elif difference < 1e-4:
        name = "epsilon of the normalizations left"
    elif abs(Y - Y[:, :1]).max() < 1e-3 * abs(Y).max():
        name = "channels mixed"
    elif any(
        abs(Y - numpy.roll(X, (rows * k, columns * k), axis=(2, 3)))[inside].max() < 1e-3
        for rows, columns in shifts
        for k in (1, 2)
    ):
        name = "maps shifted"
    raise _identity(
        name,
        "In a block with 8 channels, input and output differ by up to {difference:.1e}.".format(
            difference=difference
        ),
    )


def other_channels(set_identity: Callable[..., Any]) -> None:
    """A block with another number of channels can be set in the same way."""
    try:
        _, X, Y = _after_identity(set_identity, 5)
        if abs(Y - X).max() <= 1e-4:
            return
    except NotImplementedError:  # not written yet
        raise
    except Exception:
        pass
    raise _identity(
        "one number of channels only", "A block with 5 channels does not return its input."
    )


def by_parameters(set_identity: Callable[..., Any]) -> None:
    """The block still computes what its parameters say."""
    block, X, Y = _after_identity(set_identity, 8)
    fresh = Plain(8)
    fresh.initialize()
    fresh(np.array(X))
    places = _gluon.places(fresh)
    for place, parameter in _gluon.places(block).items():
        if place in places:
            places[place].set_data(parameter.data())
    if not agree(fresh(np.array(X)).asnumpy(), Y):
        raise _identity(
            "another function",
            "A new block that is given the same parameters returns something else.",
        )


def _identity(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "A plain block can be the identity, but only with exactly the right parameters.",
        "Follow one pixel of one channel: kernel, bias, normalization, ReLU, and the same again.",
    )


QUESTIONS = (
    Question("copy", "Does the block return its input?", copies, 2),
    Question("channels", "Does it work for any number of channels?", other_channels),
    Question("parameters", "Does it change nothing but the parameters?", by_parameters),
)
