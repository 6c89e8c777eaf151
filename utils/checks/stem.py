"""Check of the first layers of a network."""

from __future__ import annotations

import math
from typing import Any

import numpy

from utils.checks import _specimen
from utils.checks._ask import Question, ask_all
from utils.checks._block_shape import columns_seen
from utils.checks._report import Mistake, Report
from utils.checks._specimen import agree, images, specimen_of

CHANNELS = 64


def stem(net: Any) -> Report:
    """Check the stem of ResNet, a block or a function without arguments that makes one.

    It turns (N, C, H, W) into (N, 64, H / 4, W / 4), rounded up: a 7x7 convolution and a 3x3 max
    pooling, both with stride 2, and between them batch normalization and ReLU. A block is given
    back with the parameters that it had.
    """
    return ask_all("Stem", QUESTIONS, net)


def shape(net: Any) -> None:
    """Height and width are divided by 4, rounded up, and there are 64 channels."""
    specimen = specimen_of(net)
    for height, width in ((28, 28), (30, 45)):
        Y = specimen.run(images(2, specimen.channels, height, width))
        expected = (2, CHANNELS, math.ceil(height / 4), math.ceil(width / 4))
        if Y.shape != expected:
            raise _wrong_shape(Y.shape, expected, height)


def _wrong_shape(shape: tuple[int, ...], expected: tuple[int, ...], height: int) -> Mistake:
    name = "wrong output shape"
    if len(shape) == 4 and shape[1] != CHANNELS:
        name = "another number of channels in the stem"
    elif shape[2:3] == (math.ceil(height / 2),):
        name = "no pooling in the stem"
    elif shape[2:3] == (expected[2] - 1,):
        name = "padding missing in the stem"
    return Mistake(
        name,
        "The output has the shape {shape}, but {expected} was expected.".format(
            shape=shape, expected=expected
        ),
        "The stages expect 64 channels, and maps that are small enough to compute with.",
        "Predict the shape after each layer by hand: kernel, stride, padding.",
    )


def reach(net: Any) -> None:
    """One number of the output depends on 11 columns of pixels."""
    specimen = specimen_of(net)
    sizes = {kernel.shape[2:] for kernel in specimen.kernels}
    seen = columns_seen(specimen.fill(_specimen.positive), width=32)
    if seen == 11 and sizes == {(7, 7)}:
        return
    found = ", ".join(f"{height}x{width}" for height, width in sorted(sizes))
    raise Mistake(
        "pooling of another size" if sizes == {(7, 7)} else "another kernel size",
        "One number of the output sees {seen} columns of pixels, through convolutions of {found}. "
        "After a 7x7 convolution and a 3x3 pooling it would be 7 + (3 - 1) * 2 = 11.".format(
            seen=seen, found=found
        ),
        "The receptive field decides which patterns the first layers can recognize.",
        "Compare the kernel of the convolution and the size of the pooling with these numbers.",
    )


def normalization(net: Any) -> None:
    """In training mode, larger weights give the same output, and it is not all zero."""
    specimen = specimen_of(net)
    X = images(2, specimen.channels, 32, 32)
    centered = specimen.fill(_specimen.negative).run(X, training=True)
    grows = specimen.changes_with_scale(X, _specimen.strong, lambda _: 3.0)
    if not specimen.changes_with_scale(X, _specimen.mixed, lambda _: 3.0, training=False):
        raise _normalization(
            "statistics of single images",
            "In inference mode, which uses the running statistics, larger weights do not change "
            "the output.",
        )
    if grows:
        raise _normalization("normalization missing", "The output grows with the weights.")
    if not abs(centered).max() > 1e-3:
        raise _normalization(
            "normalization after the ReLU",
            "With negative weights and positive pixels, nothing is left to normalize.",
        )


def _normalization(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        f"{seen} In training, batch normalization before the ReLU brings each channel to mean 0 "
        "and standard deviation 1.",
        "Normalization is what distinguishes the stem of ResNet from that of GoogLeNet. It keeps "
        "the numbers in the same range, whatever the weights are.",
        "Which layer follows the convolution, and what does it measure?",
    )


def relu(net: Any) -> None:
    """With negative weights and positive pixels, all of the output is zero."""
    specimen = specimen_of(net)
    X = images(2, specimen.channels, 32, 32)
    Y = specimen.fill(_specimen.negative).run(X)
    if abs(Y).max() > 1e-3:
        raise Mistake(
            "no ReLU in the stem",
            "Negative weights and positive pixels gave an output that is not zero. A ReLU would "
            "let nothing pass.",
            "Without the ReLU, the blocks get negative numbers, which they never get from each "
            "other.",
            "What is between the normalization and the pooling?",
        )


def maximum(net: Any) -> None:
    """With all weights at 1, a single bright pixel gives ones and zeros, as a maximum does."""
    specimen = specimen_of(net)
    X = numpy.zeros((1, specimen.channels, 32, 32))
    X[0, 0, 16, 16] = 1
    Y = specimen.fill(numpy.ones).run(X)
    if not agree(Y, numpy.where(Y > 0.5, Y.max(), 0)):
        raise Mistake(
            "no maximum in the pooling",
            "With all weights at 1, a single bright pixel gave numbers between 0 and 1.",
            "A maximum says whether a pattern occurs in a window; in a mean it fades.",
            "Which kind of pooling does the stem use?",
        )


QUESTIONS = (
    Question("shape", "Are there 64 maps of a quarter of the height and width?", shape),
    Question("reach", "Does each output number see 11 columns of pixels?", reach),
    Question("normalization", "Does one follow the convolution?", normalization),
    Question("ReLU", "Is there one before the pooling?", relu),
    Question("maximum", "Does the pooling take the maximum?", maximum),
)
