"""Check of a function that makes a stage: several residual blocks in a row."""

from __future__ import annotations

from typing import Any

import numpy
from mxnet import np

from utils.checks import _specimen
from utils.checks._ask import Question, ask_all
from utils.checks._block_shape import columns_seen
from utils.checks._errors import convolution_uses
from utils.checks._report import Mistake, Report
from utils.checks._specimen import Specimen, agree, images, new_block

WIDTH = 8  # channels of the stages in the experiments
HALF = WIDTH // 2


def stage(resnet_block: Any) -> Report:
    """Check a function `resnet_block(num_channels, num_residuals, first_block=False)`.

    Of the blocks, only what belongs to the stage is checked: their number, their shortcuts, and
    where height and width are halved.
    """
    return ask_all("Stage", QUESTIONS, resnet_block)


def _later(resnet_block: Any, num_residuals: int = 2) -> Specimen:
    return Specimen(new_block(resnet_block, WIDTH, num_residuals), (2, HALF, 6, 6))


def _first(resnet_block: Any, num_residuals: int = 2) -> Specimen:
    block = new_block(resnet_block, WIDTH, num_residuals, first_block=True)
    return Specimen(block, (2, WIDTH, 6, 6))


def shapes(resnet_block: Any) -> None:
    """The first stage keeps the shape; the others halve height and width."""
    Y = _first(resnet_block).run(images(2, WIDTH, 6, 6))
    if Y.shape == (2, WIDTH, 3, 3):
        raise _wrong_shape("first stage halves", Y.shape, (2, WIDTH, 6, 6), "first_block=True")
    if Y.shape != (2, WIDTH, 6, 6):
        raise _wrong_shape("wrong output shape", Y.shape, (2, WIDTH, 6, 6), "first_block=True")
    Y = _later(resnet_block).run(images(2, HALF, 6, 6))
    expected = (2, WIDTH, 3, 3)
    if Y.shape == (2, WIDTH, 6, 6):
        raise _wrong_shape("stage does not halve", Y.shape, expected, "first_block=False")
    if Y.shape == (2, WIDTH, 2, 2):
        raise _wrong_shape("every block halves", Y.shape, expected, "first_block=False")
    if Y.shape != expected:
        raise _wrong_shape("wrong output shape", Y.shape, expected, "first_block=False")


def _wrong_shape(
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


QUESTIONS = (
    Question("shapes", "Does every stage but the first halve height and width?", shapes),
    Question("blocks", "Are there as many blocks as requested?", blocks),
    Question("1x1 convolutions", "Is there one only where the shape changes?", shortcut_shapes),
    Question("shortcuts", "Does x pass through all blocks of the stage?", shortcuts),
)
