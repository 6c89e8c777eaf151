"""Checks of functions that change the parameters of a block: `identity` and `scaled_residual`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy
from mxnet import autograd, np

from utils import _gluon
from utils.checks._ask import Question, ask_all, check_function, given
from utils.checks._report import Mistake, Report
from utils.checks._specimen import agree, images, mixed
from utils.families import Plain
from utils.resnet import Residual

FACTOR = 0.5
EPSILON = 1e-5  # of Gluon's normalizations


def identity(set_identity: Any) -> Report:
    """Check a function `set_identity(block)` that makes a `Plain` block copy its input.

    It sets the parameters of a block that has run once. In inference mode, the block then returns
    every x without negative numbers, to within 1e-6.
    """
    return ask_all("A plain block that copies", OF_IDENTITY, set_identity)


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
    elif any(abs(Y * (1 + EPSILON) ** power - X).max() < 2e-6 for power in (0.5, 1)):
        name = "epsilon of the normalizations left"  # in one of the two, or in both
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


OF_IDENTITY = (
    Question("copy", "Does the block return its input?", copies, 2),
    Question(
        "channels", "Does it work for any number of channels?", given(copies, ask=other_channels)
    ),
    Question("parameters", "Does it change nothing but the parameters?", by_parameters),
)


def scaled_residual(scale_residual: Any) -> Report:
    """Check a function `scale_residual(block, factor)` that multiplies f(x) - x by a factor.

    It changes the parameters of a `Residual` block. What the shortcut adds stays as it was.
    """
    return ask_all("A scaled residual", OF_SCALED_RESIDUAL, scale_residual)


class Outputs(NamedTuple):
    """What a block's shortcut adds and what the block returns, all (N, C, H, W); the last shift."""

    shortcut: numpy.ndarray
    block: numpy.ndarray
    in_training: numpy.ndarray
    shift: numpy.ndarray


def _residuals(scale_residual: Callable[..., Any], **arguments: Any) -> tuple[Outputs, Outputs]:
    """Return the outputs of a block before and after the learner's function has changed it.

    Its normalizations have statistics, scales and shifts as after training. The last shift is so
    high that every sum passes the last ReLU. The kernels are so large that a change of the residual
    is seen beside it.
    """
    check_function(scale_residual)
    block = Residual(4, **arguments)
    block.initialize()
    X = images(2, 4, 6, 6, low=10, high=11)
    block(np.array(X))
    for number, parameter in enumerate(block.collect_params().values()):
        if len(parameter.shape) == 1:
            values = images(4, number + 1, low=0.5, high=1.5)[:, -1]
        else:
            values = mixed(parameter.shape)
        parameter.set_data(np.array(values))
    block.bn2.beta.set_data(block.bn2.beta.data() + 100)

    def outputs() -> Outputs:
        shortcut = block.conv3(np.array(X)).asnumpy() if block.conv3 else X
        returned = block(np.array(X)).asnumpy()
        with autograd.train_mode():
            in_training = block(np.array(X)).asnumpy()
        shift = block.bn2.beta.data().asnumpy()[:, None, None]
        return Outputs(shortcut, returned, in_training, shift)

    before = outputs()
    scale_residual(block, FACTOR)
    return before, outputs()


def scaled(scale_residual: Callable[..., Any]) -> None:
    """What is added to x is multiplied by the factor, in both modes."""
    before, after = _residuals(scale_residual)
    expected = before.shortcut + FACTOR * (before.block - before.shortcut)
    if agree(after.block, expected):
        _check_training(before, after)
        return
    name = "residual changed in another way"
    if agree(after.block, before.block):
        name = "nothing changed"
    elif agree(after.block, FACTOR * before.block):
        name = "shortcut scaled, too"
    elif agree(after.block, expected + (1 - FACTOR) * before.shift):
        name = "shift not scaled"
    elif agree(after.block, before.block - (1 - FACTOR) * before.shift):
        name = "shift alone scaled"
    raise _scaled(
        name,
        "With the factor {factor}, the block should return x plus half of what it added before, "
        "but it returns something else.".format(factor=FACTOR),
    )


def _check_training(before: Outputs, after: Outputs) -> None:
    expected = before.shortcut + FACTOR * (before.in_training - before.shortcut)
    if not agree(after.in_training, expected):
        raise _scaled(
            "scaled in inference mode only",
            "In inference mode, the block adds half of what it added before. In training mode, it "
            "adds something else.",
        )


def scaled_beside_1x1(scale_residual: Callable[..., Any]) -> None:
    """A 1x1 convolution on the shortcut keeps its weights."""
    before, after = _residuals(scale_residual, use_1x1conv=True)
    if not agree(after.shortcut, before.shortcut):
        raise _scaled(
            "1x1 convolution changed",
            "The output of the shortcut's 1x1 convolution should stay the same, but it changed.",
        )


def _scaled(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "To scale only the residual, x has to arrive at the sum as it was.",
        "Which is the last layer before the plus sign, and with which parameters does it compute?",
    )


OF_SCALED_RESIDUAL = (
    Question("residual", "Is the part that is added to x half as large?", scaled, 2),
    Question("1x1 shortcut", "Does the 1x1 convolution stay as it was?", scaled_beside_1x1),
)
