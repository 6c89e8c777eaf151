"""The questions asked of two other residual blocks: the bottleneck and the pre-activated block."""

from __future__ import annotations

from typing import Any

import numpy
from mxnet import gluon

from utils.checks import _block_shape, _specimen
from utils.checks._ask import Question, ask_all
from utils.checks._block_sum import SHAPE, SIGNED
from utils.checks._report import Mistake, Report
from utils.checks._specimen import Specimen, agree, images, new_block, residual

WIDE, NARROW = 8, 2  # channels of a bottleneck in the experiments, outside and inside
WIDE_SHAPE = (2, WIDE, 6, 6)


def bottleneck(Bottleneck: Any) -> Report:
    """Question a class `Bottleneck(num_channels)`: 1x1, 3x3 and 1x1 convolutions, and a shortcut.

    The first reduces the channels to a quarter, the last restores them; the shape stays. Source:
    He et al., 2015, section 4.1, "Deeper Bottleneck Architectures", https://arxiv.org/abs/1512.03385
    """
    return ask_all("Bottleneck", BOTTLENECK, Bottleneck)


def preactivation(PreActivation: Any) -> Report:
    """Question a class `PreActivation(num_channels, use_1x1conv=False, strides=1)`.

    Normalization and ReLU come before each of the two convolutions, and nothing follows the sum.
    What the 1x1 convolution is applied to does not matter. Source: He et al., "Identity Mappings in
    Deep Residual Networks", 2016, figure 1 (b), https://arxiv.org/abs/1603.05027
    """
    return ask_all("Pre-activated block", PREACTIVATION, PreActivation)


# The bottleneck


def _bottleneck(Bottleneck: Any) -> Specimen:
    return Specimen(new_block(Bottleneck, WIDE), WIDE_SHAPE, lambda shape: shape)


def bottleneck_shape(Bottleneck: Any) -> None:
    """The shape stays, for every batch and image."""
    specimen = _bottleneck(Bottleneck)
    for shape in ((1, WIDE, 6, 6), (3, WIDE, 5, 8)):
        specimen.run(images(*shape))


def bottleneck_weights(Bottleneck: Any) -> None:
    """There are three convolutions: to a quarter of the channels, among these, and back."""
    found = [kernel.shape for kernel in _bottleneck(Bottleneck).kernels]
    expected = [(NARROW, WIDE, 1, 1), (NARROW, NARROW, 3, 3), (WIDE, NARROW, 1, 1)]
    if sorted(found) == sorted(expected):
        return
    name = "channels reduced to another number"
    if len(found) != 3:
        name = "another number of convolutions"
    elif sorted(shape[2:] for shape in found) != [(1, 1), (1, 1), (3, 3)]:
        name = "other kernel sizes"
    elif (WIDE, WIDE, 3, 3) in found:
        name = "channels not reduced"
    elif any(shape in found for shape in ((NARROW, WIDE, 3, 3), (WIDE, NARROW, 3, 3))):
        name = "3x3 convolution not in the middle"
    raise Mistake(
        name,
        f"For {WIDE} channels the weights have the shapes {found}, but {expected} were expected.",
        "The 3x3 convolution costs most. It works on a quarter of the channels, and so the block "
        "costs little more than one with two 3x3 convolutions on few channels.",
        "Write down for each convolution how many channels go in and how many come out.",
    )


def bottleneck_sum(Bottleneck: Any) -> None:
    """With all weights at zero the output is relu(x)."""
    specimen = _bottleneck(Bottleneck).fill(_specimen.zeros)
    high = images(*WIDE_SHAPE, low=10, high=11)
    Y = specimen.run(high)
    if numpy.ptp(Y) < 1e-3:
        raise _sum("no shortcut", "the same number comes out everywhere")
    if not agree(Y, high):
        raise _sum("shortcut changes x", "for a positive x something else than x comes out")
    signed = images(*WIDE_SHAPE, low=-2, high=2)
    if not agree(specimen.run(signed), numpy.maximum(signed, 0)):
        raise _sum("no ReLU at the end", "for an x with both signs something else comes out")


def _sum(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        f"With all convolution weights at zero the output should be relu(x), but {seen}.",
        "The shortcut and the last ReLU of a bottleneck are those of the block with two "
        "convolutions.",
        "Compare the last lines with your other block.",
    )


def bottleneck_relus(Bottleneck: Any) -> None:
    """Two negative convolutions, or a negative second one: nothing passes the ReLU behind it."""
    specimen = _bottleneck(Bottleneck)
    high = images(*WIDE_SHAPE, low=10, high=11)
    silent = specimen.fill(_specimen.zeros).run(high)
    first, second, *_ = _in_order(specimen)
    for place, negative in (("first", (first, second)), ("second", (second,))):
        specimen.fill(_specimen.positive)
        for kernel in negative:
            specimen.set(kernel, _specimen.negative(kernel.shape))
        if not agree(specimen.run(high), silent):
            raise Mistake(
                f"no ReLU behind the {place} convolution",
                f"The {place} convolution gave negative numbers alone, but something reached the "
                "sum. A ReLU behind it would let nothing pass.",
                "Convolutions with nothing in between can learn no more than a single one.",
                "What follows each of the first two convolutions?",
            )


def bottleneck_normalizations(Bottleneck: Any) -> None:
    """In training mode, larger weights in the channels of a convolution change nothing."""
    specimen = _bottleneck(Bottleneck)
    high = images(*WIDE_SHAPE, low=10, high=11)
    for place, kernel in zip(("first", "second", "third"), _in_order(specimen)):
        if specimen.changes_with_scale(high, _specimen.strong, _specimen.unequal, kernels=[kernel]):
            raise Mistake(
                f"normalization missing behind the {place} convolution",
                f"In training, larger weights in the {place} convolution change the output. A "
                "batch normalization behind it would take the size out again.",
                "Each convolution is followed by a normalization of its own.",
                "Count: how many normalizations are made, and where is each of them called?",
            )


def _in_order(specimen: Specimen) -> list[gluon.Parameter]:
    """Return the kernels in the order in which a bottleneck uses them, wrong ones as well."""
    narrow = [kernel for kernel in specimen.kernels if kernel.shape[-1] == 1]
    wide = [kernel for kernel in specimen.kernels if kernel.shape[-1] != 1]
    first, *rest = sorted(narrow, key=lambda kernel: -kernel.shape[1])
    return [first, *wide, *rest]


# The pre-activated block


def preactivation_sum(PreActivation: Any) -> None:
    """With all 3x3 weights at zero the output is x itself, negative numbers included."""
    Y = residual(PreActivation).fill(_specimen.zeros).run(SIGNED)
    if agree(Y, SIGNED):
        return
    name, seen = "shortcut changes x", "something else came out"
    if numpy.ptp(Y) < 1e-3:
        name, seen = "no shortcut", "the same number came out everywhere"
    elif agree(Y, numpy.maximum(SIGNED, 0)):
        name, seen = "ReLU after the sum", "relu(x) came out"
    raise Mistake(
        name,
        f"With all convolution weights at zero the output should be x, but {seen}.",
        "In this block x passes from the first block of a stage to the last without any function "
        "on its way.",
        "What happens to x between the input and the end of the block?",
    )


def preactivation_relus(PreActivation: Any) -> None:
    """A ReLU stands before each convolution: it gets no negative number."""
    specimen = residual(PreActivation)
    for place, sign in (("first", -1), ("second", 1)):
        X = sign * images(*SHAPE)
        silent = specimen.fill(_specimen.zeros).run(X)
        if not agree(specimen.fill(_specimen.negative).run(X), silent):
            raise Mistake(
                f"no ReLU before the {place} convolution",
                f"The {place} convolution got negative numbers, although a ReLU before it lets "
                "none pass.",
                "Here the function comes first and the convolution after it, so that nothing needs "
                "to follow the sum.",
                f"What is done to the input of the {place} convolution?",
            )


def preactivation_normalizations(PreActivation: Any) -> None:
    """In training mode, neither the scale of x nor that of the weights reaches a convolution."""
    specimen = residual(PreActivation).fill(_specimen.mixed)
    scales = _specimen.unequal(numpy.arange(SHAPE[1])).reshape(1, -1, 1, 1)
    X = images(*SHAPE, low=20, high=40)  # with a deviation beside which the epsilon is nothing
    added = [specimen.run(Z, training=True) - Z for Z in (X, scales * X)]
    if not agree(*added):
        raise _normalization("first", "channels of x with another scale")
    specimen = residual(PreActivation, channels_in=3, use_1x1conv=True)
    first = [kernel for kernel in specimen.kernels if kernel.shape[1:] == (3, 3, 3)]
    if specimen.changes_with_scale(
        images(2, 3, 6, 6), _specimen.strong, _specimen.unequal, kernels=first
    ):
        raise _normalization("second", "larger weights in the channels of the first convolution")


def _normalization(place: str, change: str) -> Mistake:
    return Mistake(
        f"no normalization before the {place} convolution",
        f"In training, {change} changed what the layers add to x. A batch normalization before "
        f"the {place} convolution would take the scale out.",
        "Without it the numbers grow from block to block, and nothing brings them back.",
        f"What is done to the input of the {place} convolution, and in which order?",
    )


BOTTLENECK = (
    Question("shape", "Is it the same behind the block as before it?", bottleneck_shape),
    Question("weights", "Is the 3x3 convolution the narrow one of three?", bottleneck_weights, 2),
    Question("sum", "Do shortcut and last ReLU do their work?", bottleneck_sum, 2),
    Question("ReLUs", "Is there one behind each of the first two?", bottleneck_relus),
    Question("normalizations", "Is there one behind each?", bottleneck_normalizations),
)
PREACTIVATION = (
    Question("shapes", "Is the output shape right, for every input?", _block_shape.shape),
    Question("weights", "Are they those of two 3x3 convolutions, and 1x1?", _block_shape.weights),
    Question("sum", "Does x reach the output, once and unchanged?", preactivation_sum, 2),
    Question("ReLUs", "Is there one before each convolution?", preactivation_relus),
    Question(
        "normalizations", "Is there one before each convolution?", preactivation_normalizations
    ),
)
