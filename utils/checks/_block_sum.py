"""Questions on a residual block: the two roads, their sum, and the ReLU after it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import islice
from typing import Any

import mxnet as mx
import numpy
from mxnet import autograd, gluon, np

from utils.checks import _specimen
from utils.checks._report import Mistake
from utils.checks._specimen import CHANNELS, Specimen, agree, images, residual

SHAPE = (2, CHANNELS, 6, 6)
HIGH = images(*SHAPE, low=10, high=11)  # so high that the last ReLU lets every sum pass
UNEQUAL = HIGH * numpy.array([1, 2]).reshape(2, 1, 1, 1)  # two images with other statistics
SIGNED = images(*SHAPE, low=-2, high=2)
END = (  # why it matters, and where to look
    "What follows expects an output of the block without negative numbers, and a network of sums "
    "alone would be less able to bend its function.",
    "What is the last operation in your code, and what is the last in the drawing?",
)


def in_place(Residual: Any) -> None:
    """The input is the same after the call as before it."""
    specimen = residual(Residual).fill(_specimen.mixed)
    X = np.array(HIGH)
    with autograd.predict_mode():
        specimen.block(X).wait_to_read()
    if not numpy.array_equal(X.asnumpy(), HIGH):
        raise Mistake(
            "input changed in place",
            "After the call, the array that was passed to the block holds other numbers.",
            "The input belongs to whoever called: the block before this one, or you. Training "
            "needs it unchanged for the gradient.",
            "Look for `+=` and for `[:] =`. They write into an array that exists already.",
        )


def shortcut(Residual: Any) -> None:
    """With all 3x3 weights at zero, x arrives at the sum: once and unchanged."""
    specimen = residual(Residual).fill(_specimen.mixed)
    if agree(specimen.run(HIGH), specimen.run(images(*SHAPE))):
        raise _shortcut("input ignored", "two very different inputs gave the same output")
    sizes = [kernel.shape[-1] for kernel in specimen.kernels]
    if 1 in sizes and sizes.count(3) == 2:  # else it may stand in the place of another
        raise _shortcut("1x1 convolution always", "it has a 1x1 convolution that nobody asked for")
    Y = specimen.fill(_specimen.zeros).run(HIGH, training=True)
    what = "with all convolution weights at zero the output should be x, but it is "
    if numpy.ptp(Y) < 1e-3:
        if numpy.ptp(specimen.run(images(*SHAPE, low=0, high=1), training=True)) > 1e-2:
            raise _other_end("Large sums come out as the same number everywhere")
        raise _shortcut("no shortcut", f"{what}the same number everywhere")
    if agree(Y, 2 * HIGH):
        raise _shortcut("shortcut added twice", f"{what}2x")
    if agree(Y, HIGH / 2):
        raise _shortcut("sum averaged", f"{what}x / 2")
    if agree(Y, numpy.maximum(_normalized(HIGH), 0)):
        raise _shortcut(_normalized_where(specimen), f"{what}x with mean 0 and deviation 1")
    if not agree(Y, HIGH):
        raise _shortcut("shortcut changes x", f"{what}something else")
    for shift in islice(last_shifts(specimen), 1):
        specimen.set(shift, numpy.full(shift.shape, 10))
        moved = specimen.run(HIGH) - HIGH  # a bias before a normalization moves by a little less
        if not agree(specimen.run(SIGNED), SIGNED + moved):
            raise _shortcut(
                "ReLU on the shortcut", "negative numbers of x do not arrive at the sum"
            )
        specimen.set(shift, numpy.zeros(shift.shape))


def _normalized_where(specimen: Specimen) -> str:
    """Tell apart what is normalized: x alone, or its sum with the layers.

    In a sum, larger weights leave less to x.
    """
    small, large = (
        specimen.fill(lambda shape, factor=factor: factor * _specimen.strong(shape)).run(
            HIGH, training=True
        )
        for factor in (0.1, 10)
    )
    if agree(small, large):
        return "normalization on the shortcut"
    return "shortcut added before the second normalization"


def _normalized(X: numpy.ndarray) -> numpy.ndarray:
    over = {"axis": (0, 2, 3), "keepdims": True}
    return (X - X.mean(**over)) / X.std(**over)


def _shortcut(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        f"The shortcut does not do its work: {seen}.",
        "The block is the identity when its layers give zeros only if x reaches the sum untouched.",
        "Follow x from the input to the plus sign, in your code and in the drawing of the block.",
    )


def projection(Residual: Any) -> None:
    """With all 3x3 weights at zero, the output is the 1x1 convolution of x, with the stride."""
    for channels_in, strides in ((3, 2), (CHANNELS, 1)):
        specimen = residual(Residual, channels_in=channels_in, use_1x1conv=True, strides=strides)
        specimen.fill(_specimen.zeros).fill(_specimen.mixed, size=1)
        narrow = [k for k in specimen.kernels if k.shape[-1] == 1]
        if len(narrow) != 1:
            raise _projection(f"{len(narrow)} convolutions of 1x1 were found, where 1 belongs")
        weights = narrow[0].data().asnumpy()[:, :, 0, 0]
        X = images(2, channels_in, 6, 6, low=-2, high=2)
        expected = numpy.einsum("oi,nihw->nohw", weights, X[:, :, ::strides, ::strides])
        for shift in islice(last_shifts(specimen, X), 1):
            specimen.set(shift, numpy.full(shift.shape, 20))
            moved = specimen.run(0 * X)  # where the 1x1 convolution gives zeros
            if not agree(specimen.run(X), expected + moved, tolerance=1e-2):
                raise _projection("the sum does not get the 1x1 convolution of x")
            specimen.set(shift, numpy.zeros(shift.shape))
        positive = (numpy.maximum(Y, 0) for Y in (specimen.run(X), expected))
        if not agree(*positive, tolerance=1e-2):  # a normalization with a large epsilon may follow
            raise _projection("the output is not the 1x1 convolution of x")


def _projection(seen: str) -> Mistake:
    return Mistake(
        "shortcut is not the 1x1 convolution of x",
        f"With all 3x3 weights at zero, {seen}.",
        "This shortcut gives x another shape and does nothing else: no ReLU, and x counts once.",
        "What happens to the result of the 1x1 convolution on its way to the plus sign?",
    )


def last_shifts(specimen: Specimen, X: numpy.ndarray = HIGH) -> Iterator[gluon.Parameter]:
    """Find the shifts and biases that are added to the sum by their effect, the last ones first.

    All 3x3 weights must be zero, so that nothing else reaches the sum. In inference mode, since a
    normalization written by hand may move its statistics in any other.
    """
    for parameter in reversed(specimen.others):
        values = parameter.data().asnumpy()
        specimen.set(parameter, numpy.full(values.shape, 20))
        at_20 = specimen.run(X)
        specimen.set(parameter, numpy.full(values.shape, 30))
        is_added = agree(specimen.run(X), at_20 + 10)
        specimen.set(parameter, values)
        if is_added:
            yield parameter


def last_relu(Residual: Any) -> None:
    """The output is never negative."""
    specimen = residual(Residual).fill(_specimen.zeros)
    Y = specimen.run(SIGNED)
    if agree(Y[SIGNED < 0], numpy.zeros(1)):
        return
    if Y.min() > -1e-3:
        raise _other_end(f"Sums below 0 did not become 0: up to {Y[SIGNED < 0].max():.2g} came out")
    specimen.fill(_specimen.mixed)
    if (specimen.run(SIGNED) - SIGNED).min() > -1e-3:
        raise Mistake(
            "shortcut added after the last ReLU",
            "The output is never smaller than x, as if x were added behind the last ReLU.",
            *END,
        )
    raise Mistake(
        "no ReLU at the end",
        f"The output goes down to {Y.min():.2g}, but after a ReLU nothing is below 0.",
        *END,
    )


def _other_end(seen: str) -> Mistake:
    return Mistake(
        "another function at the end",
        f"{seen}. A ReLU makes zeros of negative sums and lets all others pass.",
        *END,
    )


def subtracts(Residual: Any) -> None:
    """The layers may also make x smaller: what they add has both signs."""
    specimen = residual(Residual).fill(_specimen.zeros)
    silent = specimen.run(HIGH, training=True)
    if (specimen.fill(_specimen.mixed).run(HIGH, training=True) - silent).min() > -0.1:
        raise Mistake(
            "ReLU before the addition",
            "What the layers add to x is never negative.",
            "A block that can only add lets the numbers grow from block to block, and never "
            "corrects downward.",
            "What stands between the second normalization and the plus sign?",
        )


def gradient(Residual: Any) -> None:
    """The gradient reaches the input through the shortcut, and the weights through the layers."""
    specimen = residual(Residual).fill(_specimen.zeros)
    X = np.array(HIGH)
    X.attach_grad()
    backward(specimen, X)
    if not abs(X.grad.asnumpy()).min() > 0:
        raise _gradient("the input", "With all convolution weights at zero, the shortcut alone")
    specimen.fill(_specimen.mixed)
    backward(specimen, np.array(HIGH))
    for kernel in specimen.kernels:
        if not abs(kernel.grad().asnumpy()).max() > 0:
            raise _gradient("the weights of a convolution", "In training, the layers")


def backward(specimen: Specimen, X: np.ndarray) -> None:
    with autograd.record():
        Y = specimen.block(X)
        total = (Y * Y).sum()
    with contextlib.suppress(mx.MXNetError):  # raised where no road to a gradient is left
        total.backward()


def _gradient(where: str, carrier: str) -> Mistake:
    return Mistake(
        "no gradient passes",
        f"No gradient arrives at {where}. {carrier} should carry it there.",
        "What gets no gradient learns nothing, and neither does anything before it.",
        "Look for `detach`, `asnumpy`, `autograd.pause`, and functions of numpy itself.",
    )
