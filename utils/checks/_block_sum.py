"""Questions on a residual block: what happens to x, the sum, and the ReLU after it."""

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
HIGH = images(*SHAPE, low=10, high=11)  # so high that every sum passes the last ReLU
UNEQUAL = HIGH * numpy.array([1, 2]).reshape(2, 1, 1, 1)  # two images with different statistics
SIGNED = images(*SHAPE, low=-2, high=2)
ONLY_ADDS = (
    "If blocks can only add, the numbers grow from block to block and are never corrected downward."
)
AFTER_LAYERS = "What is between the second normalization and the plus sign?"
LAST_OPERATION = "What is the last operation in your code, and what is the last in the drawing?"


def in_place(specimen: Specimen) -> None:
    """The input is the same after the call as before it, in both modes and for both signs."""
    specimen.fill(_specimen.mixed)
    for numbers in (specimen.images(), specimen.images(low=-2, high=2)):
        for training in (False, True):
            X = np.array(numbers)
            with autograd.train_mode() if training else autograd.predict_mode():
                specimen.block(X).wait_to_read()
            if not numpy.array_equal(X.asnumpy(), numbers):
                raise _changed_input()


def _changed_input() -> Mistake:
    return Mistake(
        "input changed in place",
        "After the call, the array that was passed to the block holds other numbers.",
        "The input belongs to the caller: to the block before this one, or to you. The gradient is "
        "computed from it, so it must stay as it was.",
        "Look for `+=`, `[:] =` and `out=`. They write into an existing array.",
    )


def shortcut(Residual: Any) -> None:
    """With all 3x3 weights at zero, x arrives at the sum once and unchanged."""
    specimen = residual(Residual).fill(_specimen.mixed)
    if agree(specimen.run(HIGH), specimen.run(images(*SHAPE))):
        raise _shortcut("input ignored", "Two very different inputs gave the same output.")
    specimen.fill(_specimen.zeros)
    silent = specimen.run(HIGH)
    if not agree(specimen.fill(_specimen.mixed, size=1).run(HIGH), silent):
        raise _shortcut(
            "1x1 convolution always",
            "With all 3x3 weights at zero, a 1x1 convolution still acts: the block has one on its "
            "shortcut, although none was requested.",
        )
    _check_sum(specimen)
    for shift in islice(last_shifts(specimen), 1):
        specimen.set(shift, numpy.full(shift.shape, 10))
        moved = specimen.run(HIGH) - HIGH  # a bias before a normalization moves by a little less
        if not agree(specimen.run(SIGNED), SIGNED + moved):
            raise _shortcut("ReLU on the shortcut", "Negative numbers of x do not reach the sum.")
        specimen.set(shift, numpy.zeros(shift.shape))


def _check_sum(specimen: Specimen) -> None:
    Y = specimen.fill(_specimen.zeros).run(HIGH, training=True)
    if agree(Y, HIGH):
        return
    if numpy.ptp(Y) < 1e-3:
        if numpy.ptp(specimen.run(images(*SHAPE, low=0, high=1), training=True)) > 1e-2:
            raise _other_end("Large sums all come out as the same number.")
        raise _shortcut(
            "x does not reach the sum",
            "With all convolution weights at zero, the output should be x, but it is the same "
            "number everywhere.",
        )
    wider = specimen.run(UNEQUAL, training=True)
    factor, constant = float((wider / UNEQUAL).mean()), float((wider - UNEQUAL).mean())
    if agree(wider, factor * UNEQUAL):
        raise _shortcut(
            _multiplied_what(specimen, factor),
            "With all convolution weights at zero, the output should be x, but it is "
            "{factor:.3g}x.".format(factor=factor),
        )
    if agree(wider, UNEQUAL + constant):
        raise _shortcut(
            "constant added to x",
            "With all convolution weights at zero, the output should be x, but it is x + "
            "({constant:.3g}).".format(constant=constant),
        )
    if agree(Y, numpy.maximum(normalized(HIGH), 0)):
        raise _shortcut(
            _normalized_where(specimen),
            "With all convolution weights at zero, the output should be x, but it is x normalized "
            "to mean 0 and standard deviation 1.",
        )
    raise _shortcut(
        "shortcut changes x",
        "With all convolution weights at zero, the output should be x, but it is something else.",
    )


def normalized(X: numpy.ndarray) -> numpy.ndarray:
    """Return images with mean 0 and standard deviation 1 in each channel, over the batch."""
    mean, deviation = X.mean(axis=(0, 2, 3)), X.std(axis=(0, 2, 3))
    return (X - mean[:, None, None]) / deviation[:, None, None]


def _multiplied_what(specimen: Specimen, factor: float) -> str:
    """Return the diagnosis for a multiple of x: x alone was multiplied, or its sum with the layers.

    In a sum, a shift of the layers is multiplied as well.
    """
    if any(True for _ in last_shifts(specimen, factor=factor)):
        return "sum averaged" if agree(HIGH * factor, HIGH / 2) else "sum multiplied by a number"
    twice = agree(HIGH * factor, 2 * HIGH)
    return "shortcut added twice" if twice else "shortcut multiplied by a number"


def _normalized_where(specimen: Specimen) -> str:
    """Return the diagnosis for a normalized x: x alone was normalized, or its sum with the layers.

    A layer on the shortcut is called on x itself. In a sum, larger weights of the layers leave less
    of x, unless the layers were normalized before it.
    """
    calls = specimen.fill(_specimen.mixed).calls(HIGH, training=True)
    if any(numpy.array_equal(call.input, HIGH) for call in calls if not call.kernel):
        return "normalization on the shortcut"
    small, large = (
        specimen.fill(lambda shape, factor=factor: factor * _specimen.strong(shape)).run(
            HIGH, training=True
        )
        for factor in (0.1, 10)
    )
    if agree(small, large):
        return "normalization after the sum"
    return "shortcut added before the second normalization"


def _shortcut(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "Only if x reaches the sum untouched is the block the identity when its layers give zeros.",
        "Follow x from the input to the plus sign, in your code and in the drawing of the block.",
    )


def projection(Residual: Any) -> None:
    """With all 3x3 weights at zero, the output is the 1x1 convolution of x, with the stride."""
    for channels_in, strides in ((3, 2), (CHANNELS, 1)):
        specimen = residual(Residual, channels_in=channels_in, use_1x1conv=True, strides=strides)
        specimen.fill(_specimen.zeros).fill(_specimen.mixed, size=1)
        narrow = [k for k in specimen.kernels if k.shape[-1] == 1]
        if len(narrow) != 1:
            raise _projection(
                "The block should have one 1x1 convolution, but it has {count}.".format(
                    count=len(narrow)
                ),
                "another number of 1x1 convolutions",
            )
        weights = narrow[0].data().asnumpy()[:, :, 0, 0]
        X = images(2, channels_in, 6, 6, low=-2, high=2)
        expected = numpy.einsum("oi,nihw->nohw", weights, X[:, :, ::strides, ::strides])
        for shift in islice(last_shifts(specimen, X), 1):
            specimen.set(shift, numpy.full(shift.shape, 20))
            moved = specimen.run(0 * X)  # where the 1x1 convolution gives zeros
            if not agree(specimen.run(X), expected + moved, tolerance=1e-2):
                raise _projection("What the shortcut adds is not the 1x1 convolution of x.")
            specimen.set(shift, numpy.zeros(shift.shape))
        Y = numpy.maximum(specimen.run(X), 0)
        # The tolerance allows for a normalization with a large epsilon behind the convolution.
        if not agree(Y, numpy.maximum(expected, 0), tolerance=1e-2):
            raise _projection(
                "With all 3x3 weights at zero, the output is not the 1x1 convolution of x."
            )


def _projection(seen: str, name: str = "shortcut is not the 1x1 convolution of x") -> Mistake:
    return Mistake(
        name,
        seen,
        "This shortcut gives x another shape and does nothing else: it has no ReLU, and x counts "
        "once.",
        "What happens to the result of the 1x1 convolution on its way to the plus sign?",
    )


def last_shifts(
    specimen: Specimen, X: numpy.ndarray = HIGH, factor: float = 1
) -> Iterator[gluon.Parameter]:
    """Find the shifts and biases that are added to the sum, by their effect, the last ones first.

    A sum that is multiplied by a factor moves by as much.

    All 3x3 weights must be zero, so that nothing else reaches the sum. The mode is inference, since
    in training a hand-written normalization may move its statistics.
    """
    for parameter in reversed(specimen.others):
        values = parameter.data().asnumpy()
        specimen.set(parameter, numpy.full(values.shape, 20))
        at_20 = specimen.run(X)
        specimen.set(parameter, numpy.full(values.shape, 30))
        is_added = agree(specimen.run(X), at_20 + 10 * factor)
        specimen.set(parameter, values)
        if is_added:
            yield parameter


def last_relu(Residual: Any) -> None:
    """The output is never negative."""
    specimen = residual(Residual).fill(_specimen.zeros)
    Y = specimen.run(SIGNED)
    if agree(Y[SIGNED < 0], 0):
        return
    if Y.min() > -1e-3:
        raise _other_end(
            "Sums below 0 should become 0, but some became as large as {largest:.2g}.".format(
                largest=Y[SIGNED < 0].max()
            )
        )
    added = specimen.fill(_specimen.mixed).run(SIGNED) - SIGNED
    if added.min() > -1e-3 and not agree(added, 0):
        raise Mistake(
            "shortcut added after the last ReLU",
            "The output is never smaller than x, as if x were added after the last ReLU.",
            ONLY_ADDS,
            LAST_OPERATION,
        )
    raise _end(
        "no ReLU at the end",
        "The output goes down to {smallest:.2g}, but after a ReLU nothing is below 0.".format(
            smallest=Y.min()
        ),
    )


def _other_end(seen: str) -> Mistake:
    return _end(
        "another function at the end",
        f"{seen} A ReLU turns negative sums into zeros and lets all others pass.",
    )


def _end(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "In this design, the next layers expect an output without negative numbers. And without "
        "the ReLU after the sum, a network has fewer nonlinear functions to learn with.",
        LAST_OPERATION,
    )


def subtracts(Residual: Any) -> None:
    """The layers can also make x smaller: what they add has both signs.

    And no function follows the last shift: numbers far above 0 are handed on as those around it.
    """
    specimen = residual(Residual).fill(_specimen.zeros)
    silent = specimen.run(HIGH, training=True)
    added = specimen.fill(_specimen.mixed).run(HIGH, training=True) - silent
    if added.min() > -0.1:
        cut = (added < 1e-5).mean()  # a ReLU turns about half of the numbers into zeros
        raise Mistake(
            "ReLU before the addition" if cut > 0.2 else "another function before the addition",
            "What the layers add to x is never negative, and {percent:.0%} of it is 0.".format(
                percent=cut
            ),
            ONLY_ADDS,
            AFTER_LAYERS,
        )
    for shift in list(last_shifts(specimen.fill(_specimen.zeros))):
        lifted = [_added_above(specimen, shift, value) for value in (20, 40)]
        # A shift that is also used elsewhere adds something else each time it grows.
        if agree(lifted[0], lifted[1]) and not agree(lifted[0], added):
            raise Mistake(
                "another function before the addition",
                "With `{place}` at 20, the layers should add what they add with 0, and 20 to it, "
                "but they add something else.".format(place=specimen.place_of(shift)),
                "A function that treats negative numbers in another way makes it harder to "
                "correct downward than upward.",
                AFTER_LAYERS,
            )


def _added_above(specimen: Specimen, shift: gluon.Parameter, value: float) -> numpy.ndarray:
    """Return what the layers add in training mode, with a shift at a value, beyond this value."""
    specimen.set(shift, numpy.full(shift.shape, value))
    silent = specimen.fill(_specimen.zeros).run(HIGH, training=True)
    added = specimen.fill(_specimen.mixed).run(HIGH, training=True) - silent
    specimen.set(shift, numpy.zeros(shift.shape))
    return added


def gradient(specimen: Specimen) -> None:
    """The gradient reaches the input through the shortcut, and the weights through the layers."""
    specimen.fill(_specimen.zeros).fill(_specimen.positive, size=1)
    X = np.array(specimen.images())
    X.attach_grad()
    backward(specimen, X)
    if not abs(X.grad.asnumpy()).min() > 0:
        raise _gradient(
            "No gradient arrives at the input. Even with all 3x3 weights at zero, the shortcut "
            "should carry it there."
        )
    specimen.fill(_specimen.mixed)
    backward(specimen, np.array(specimen.images()))
    for kernel in specimen.kernels:
        if not abs(kernel.grad().asnumpy()).max() > 0:
            raise _gradient(
                "No gradient arrives at the weights of a convolution. In training, the layers "
                "should carry it there."
            )


def backward(specimen: Specimen, X: np.ndarray) -> None:
    """Run the block on X in training mode, then the backward pass from the sum of squares."""
    with autograd.record():
        Y = specimen.block(X)
        total = (Y * Y).sum()
    with contextlib.suppress(mx.MXNetError):  # raised if nothing that was recorded has a gradient
        total.backward()


def _gradient(seen: str) -> Mistake:
    return Mistake(
        "no gradient passes",
        seen,
        "What gets no gradient learns nothing, and neither does anything before it.",
        "Look for `detach`, `asnumpy`, `autograd.pause`, and functions of NumPy itself.",
    )
