"""Checks of the parts of a network: the stem, its first layers, and a stage of blocks."""

from __future__ import annotations

import math
from typing import Any

import numpy
from mxnet import np

from utils.checks import _specimen
from utils.checks._ask import Question, ask_all
from utils.checks._block_shape import columns_seen
from utils.checks._errors import convolution_uses
from utils.checks._report import Mistake, Report
from utils.checks._specimen import Specimen, agree, images, new_block, specimen_of

STEM_CHANNELS = 64


def stem(net: Any) -> Report:
    """Check the stem of ResNet, a block or a function without arguments that makes one.

    It turns (N, C, H, W) into (N, 64, H / 4, W / 4), rounded up: a 7x7 convolution and a 3x3 max
    pooling, both with stride 2, and between them batch normalization and ReLU. A block is given
    back with the parameters that it had.
    """
    return ask_all("Stem", STEM_QUESTIONS, net)


def stem_shape(net: Any) -> None:
    """Height and width are divided by 4, rounded up, and there are 64 channels."""
    specimen = specimen_of(net)
    for height, width in ((28, 28), (30, 45)):
        Y = specimen.run(images(2, specimen.channels, height, width))
        expected = (2, STEM_CHANNELS, math.ceil(height / 4), math.ceil(width / 4))
        if Y.shape != expected:
            raise _wrong_stem_shape(Y.shape, expected, height)


def _wrong_stem_shape(shape: tuple[int, ...], expected: tuple[int, ...], height: int) -> Mistake:
    name = "wrong output shape"
    if len(shape) == 4 and shape[1] != STEM_CHANNELS:
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


STEM_QUESTIONS = (
    Question("shape", "Are there 64 maps of a quarter of the height and width?", stem_shape),
    Question("reach", "Does each output number see 11 columns of pixels?", reach),
    Question("normalization", "Does one follow the convolution?", normalization),
    Question("ReLU", "Is there one before the pooling?", relu),
    Question("maximum", "Does the pooling take the maximum?", maximum),
)


WIDTH = 8  # channels of the stages in the experiments
HALF = WIDTH // 2


def stage(resnet_block: Any) -> Report:
    """Check a function `resnet_block(num_channels, num_residuals, first_block=False)`.

    Of the blocks, only what belongs to the stage is checked: their number, their shortcuts, and
    where height and width are halved.
    """
    return ask_all("Stage", STAGE_QUESTIONS, resnet_block)


def _later(resnet_block: Any, num_residuals: int = 2) -> Specimen:
    return Specimen(new_block(resnet_block, WIDTH, num_residuals), (2, HALF, 6, 6))


def _first(resnet_block: Any, num_residuals: int = 2) -> Specimen:
    block = new_block(resnet_block, WIDTH, num_residuals, first_block=True)
    return Specimen(block, (2, WIDTH, 6, 6))


def stage_shapes(resnet_block: Any) -> None:
    """The first stage keeps the shape; the others halve height and width."""
    Y = _first(resnet_block).run(images(2, WIDTH, 6, 6))
    if Y.shape == (2, WIDTH, 3, 3):
        raise _wrong_stage_shape(
            "first stage halves", Y.shape, (2, WIDTH, 6, 6), "first_block=True"
        )
    if Y.shape != (2, WIDTH, 6, 6):
        raise _wrong_stage_shape(
            "wrong output shape", Y.shape, (2, WIDTH, 6, 6), "first_block=True"
        )
    Y = _later(resnet_block).run(images(2, HALF, 6, 6))
    expected = (2, WIDTH, 3, 3)
    if Y.shape == (2, WIDTH, 6, 6):
        raise _wrong_stage_shape("stage does not halve", Y.shape, expected, "first_block=False")
    if Y.shape == (2, WIDTH, 2, 2):
        raise _wrong_stage_shape("every block halves", Y.shape, expected, "first_block=False")
    if Y.shape != expected:
        raise _wrong_stage_shape("wrong output shape", Y.shape, expected, "first_block=False")


def _wrong_stage_shape(
    name: str, shape: tuple[int, ...], expected: tuple[int, ...], asked: str
) -> Mistake:
    return Mistake(
        name,
        "With `{asked}`, the output has the shape {shape}, but {expected} was expected.".format(
            asked=asked, shape=shape, expected=expected
        ),
        "The stem has already divided height and width by 4, so the first stage keeps them. Each "
        "later stage halves them once.",
        "Which block of the stage gets `strides=2`, and does that depend on `first_block`?",
    )


def blocks(resnet_block: Any) -> None:
    """There are `num_residuals` blocks, each with two 3x3 convolutions of its own."""
    for asked in (1, 3):
        specimen = _first(resnet_block, asked)
        found = sum(kernel.shape[-1] == 3 for kernel in specimen.kernels) / 2
        uses = convolution_uses(specimen.block, np.array(images(2, WIDTH, 6, 6)))
        reused = len({id(use.weight) for use in uses}) < len(uses)
        if found != asked:
            raise Mistake(
                "one block used again" if reused else "number of blocks",
                "With `num_residuals={asked}`, the stage has the weights of {found:g} blocks, two "
                "convolutions each.".format(asked=asked, found=found),
                "Each block learns its own residual. A block that is used again adds no weights.",
                "How often does the loop run, and does each pass make a new block?",
            )


def shortcut_shapes(resnet_block: Any) -> None:
    """A 1x1 convolution is where the shape changes: once, and never in the first stage."""
    if any(kernel.shape[-1] == 1 for kernel in _first(resnet_block).kernels):
        raise _shortcuts(
            "1x1 convolution in the first stage",
            "With `first_block=True`, no 1x1 convolution is needed, but there is one.",
        )
    later = _later(resnet_block)
    found = sum(kernel.shape[-1] == 1 for kernel in later.kernels)
    if found != 1 and columns_seen(later.fill(_specimen.positive), width=31) < 15:
        raise _shortcuts(
            "a later block halves",
            "The stage should halve height and width in its first block, with one 1x1 convolution. "
            "A later block halves them, and the stage has {found}.".format(found=found),
        )
    if found != 1:
        raise _shortcuts(
            "1x1 convolution in every block",
            "The stage should have one 1x1 convolution, but it has {found}.".format(found=found),
        )


def _shortcuts(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "Only the first block of a stage changes the shape. Everywhere else the shortcut passes x "
        "on unchanged, and that is what lets a block do nothing.",
        "For which blocks does your code set `use_1x1conv=True`?",
    )


def shortcuts(resnet_block: Any) -> None:
    """With all 3x3 weights at zero, the input still passes every block."""
    X = images(2, WIDTH, 6, 6)
    if not agree(_first(resnet_block).fill(_specimen.zeros, size=3).run(X), X):
        raise _no_shortcut("first_block=True")
    later = _later(resnet_block).fill(_specimen.positive).fill(_specimen.zeros, size=3)
    X = images(2, HALF, 6, 6)
    if not numpy.ptp(later.run(X)) > 1e-3:
        raise _no_shortcut("first_block=False")


def _no_shortcut(asked: str) -> Mistake:
    return Mistake(
        "block without a shortcut in the stage",
        "With `{asked}` and all 3x3 weights at zero, x did not pass through the whole "
        "stage.".format(asked=asked),
        "One block without a shortcut is enough to stop what the others pass on.",
        "Is every block of the stage a residual block?",
    )


STAGE_QUESTIONS = (
    Question("shapes", "Does every stage but the first halve height and width?", stage_shapes),
    Question("blocks", "Are there as many blocks as requested?", blocks),
    Question("1x1 convolutions", "Is there one only where the shape changes?", shortcut_shapes),
    Question("shortcuts", "Does x pass through all blocks of the stage?", shortcuts),
)
