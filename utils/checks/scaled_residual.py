"""Check of a function that weakens or strengthens the residual of a block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy
from mxnet import np

from utils.checks._ask import Question, ask_all, check_function
from utils.checks._report import Mistake, Report
from utils.checks._specimen import agree, images
from utils.resnet import Residual

FACTOR = 0.5


def scaled_residual(scale_residual: Any) -> Report:
    """Check a function `scale_residual(block, factor)` that multiplies f(x) - x by a factor.

    It changes the parameters of a `Residual` block. What the shortcut adds stays as it was.
    """
    return ask_all("A scaled residual", QUESTIONS, scale_residual)


class Outputs(NamedTuple):
    """What a block's shortcut adds and what the block returns, both (N, C, H, W)."""

    shortcut: numpy.ndarray
    block: numpy.ndarray


def _residuals(scale_residual: Callable[..., Any], **arguments: Any) -> tuple[Outputs, Outputs]:
    """Return the outputs of a block before and after the learner's function has changed it.

    Its normalizations have statistics, scales and shifts as after training. The last shift is so
    high that every sum passes the last ReLU.
    """
    check_function(scale_residual)
    block = Residual(4, **arguments)
    block.initialize()
    X = images(2, 4, 6, 6, low=10, high=11)
    block(np.array(X))
    for number, parameter in enumerate(block.collect_params().values()):
        if len(parameter.shape) == 1:
            values = images(4, number + 1, low=0.5, high=1.5)[:, -1]
            parameter.set_data(np.array(values))
    block.bn2.beta.set_data(block.bn2.beta.data() + 100)

    def outputs() -> Outputs:
        shortcut = block.conv3(np.array(X)).asnumpy() if block.conv3 else X
        return Outputs(shortcut, block(np.array(X)).asnumpy())

    before = outputs()
    scale_residual(block, FACTOR)
    return before, outputs()


def scaled(scale_residual: Callable[..., Any]) -> None:
    """What is added to x is multiplied by the factor."""
    before, after = _residuals(scale_residual)
    expected = before.shortcut + FACTOR * (before.block - before.shortcut)
    if agree(after.block, expected):
        return
    name = "residual changed in another way"
    if agree(after.block, before.block):
        name = "nothing changed"
    elif agree(after.block, FACTOR * before.block):
        name = "shortcut scaled, too"
    elif _differs_by_constants(after.block, expected):
        name = "shift not scaled"
    elif _differs_by_constants(after.block, before.block):
        name = "shift alone scaled"
    raise _scaled(
        name,
        "With the factor {factor}, the block should return x plus half of what it added before, "
        "but it returns something else.".format(factor=FACTOR),
    )


def _differs_by_constants(Y: numpy.ndarray, Z: numpy.ndarray) -> bool:
    """Return whether two outputs differ by one number for each channel."""
    difference = Y - Z
    return bool(numpy.ptp(difference, axis=(0, 2, 3)).max() < 1e-2)


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


QUESTIONS = (
    Question("residual", "Is the part that is added to x half as large?", scaled, 2),
    Question("1x1 shortcut", "Does the 1x1 convolution stay as it was?", scaled_beside_1x1),
)
