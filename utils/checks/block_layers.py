"""Questions on a residual block: the ReLU between its layers and their normalizations."""

from __future__ import annotations

from typing import Any

import numpy
from mxnet import gluon

from utils.checks import specimens
from utils.checks.block_sum import HIGH, SHAPE, UNEQUAL, last_shifts
from utils.checks.report import Mistake
from utils.checks.specimens import Specimen, agree, images, residual


def between(Residual: Any) -> None:
    """With negative weights and a positive input, nothing passes the ReLU between the layers.

    In inference mode, where a neutral normalization changes nothing.
    """
    specimen = residual(Residual)
    X = images(*SHAPE)
    silent = specimen.fill(specimens.zeros).run(X)
    Y = specimen.fill(specimens.negative).run(X)
    if agree(Y, silent):
        return
    advice = (
        "Two convolutions with nothing in between can learn no more than a single one.",
        "Compare your code with the drawing: what follows the first normalization?",
    )
    twice = specimen.fill(lambda shape: 2 * specimens.positive(shape)).run(X)
    if agree(twice - silent, 4 * (Y - silent)):
        raise Mistake(
            "no ReLU between the convolutions",
            "Negative numbers pass from the first convolution to the second, where the minus signs "
            "of the weights cancel.",
            *advice,
        )
    raise Mistake(
        "another function between the convolutions",
        "The first convolution gave negative numbers alone, and a ReLU would have made zeros of "
        "them. Something else arrived at the second convolution.",
        *advice,
    )


def first_normalization(Residual: Any) -> None:
    """In training mode, the same experiment: now the first normalization centers the numbers.

    Then half of them are positive, and pass the ReLU. A normalization that comes after the ReLU
    gets zeros alone and cannot bring them back.
    """
    specimen = residual(Residual)
    silent = specimen.fill(specimens.zeros).run(HIGH, training=True)
    if not agree(specimen.fill(specimens.negative).run(HIGH, training=True), silent):
        return
    rescaled = _changes_with_scale(specimen, lambda channel: 4.0**channel)
    if not rescaled:
        raise _normalization(
            "normalization after the ReLU",
            "The ReLU gets numbers that are not centered yet, and lets all of them or none pass",
            "Which comes first behind the first convolution: normalization or ReLU?",
        )
    where = "Compare what follows each convolution with the drawing of the block."
    if not _changes_with_scale(specimen, lambda channel: 3.0):
        raise _normalization(
            "first normalization missing",
            "The numbers behind the first convolution grow with its weights",
            where,
        )
    added = specimen.fill(specimens.mixed).run(HIGH, training=True) - HIGH
    if added.min() > -1e-3:
        raise _normalization(
            "ReLU in place of normalization",
            "The numbers grow with the weights behind both convolutions, and are never negative",
            where,
        )
    raise _normalization(
        "no normalization", "The numbers behind both convolutions grow with their weights", where
    )


def second_normalization(Residual: Any) -> None:
    """In training mode, three times larger weights give the same output.

    What is added to x has the mean 0 over the whole batch. A high shift keeps a ReLU, if there is
    one before the sum, from interfering.
    """
    specimen = residual(Residual)
    if _changes_with_scale(specimen, lambda channel: 3.0):
        raise _normalization(
            "second normalization missing",
            "The numbers that are added to x grow with the weights of the convolutions",
            "What stands between the second convolution and the plus sign?",
        )
    shifts = last_shifts(specimen.fill(specimens.zeros))
    if shifts and not any(_centers(specimen, shift) for shift in shifts):
        raise _normalization(
            "statistics of single images",
            "What the layers add to x does not have the mean 0 over the batch",
            "Which kind of normalization do the layers use?",
        )


def _centers(specimen: Specimen, shift: gluon.Parameter) -> bool:
    specimen.set(shift, numpy.full(shift.shape, 20))
    silent = specimen.fill(specimens.zeros).run(UNEQUAL, training=True)
    added = specimen.fill(specimens.mixed).run(UNEQUAL, training=True) - silent
    specimen.set(shift, numpy.zeros(shift.shape))
    return bool(abs(added.mean(axis=(0, 2, 3))).max() < 1e-3)


def _changes_with_scale(specimen: Specimen, factor: Any) -> bool:
    """Return whether the output changes when each output channel's weights grow by its factor."""

    def scaled(shape: tuple[int, ...]) -> numpy.ndarray:
        factors = numpy.array([factor(channel) for channel in range(shape[0])])
        return specimens.mixed(shape) * factors[:, None, None, None]

    before = specimen.fill(specimens.mixed).run(HIGH, training=True)
    return not agree(specimen.fill(scaled).run(HIGH, training=True), before)


def own_normalizations(Residual: Any) -> None:
    """The last shift moves the sum and nothing else: no normalization stands in two places."""
    specimen = residual(Residual).fill(specimens.zeros)
    shifts = last_shifts(specimen)
    specimen.fill(specimens.mixed)
    for shift in shifts:
        values = 20 * numpy.ones(shift.shape)
        specimen.set(shift, values)
        before = specimen.run(HIGH, training=True)
        specimen.set(shift, values + 20 * numpy.arange(values.size).reshape(values.shape))
        moved = specimen.run(HIGH, training=True) - before
        specimen.set(shift, numpy.zeros(shift.shape))
        if not agree(moved, numpy.broadcast_to(moved[:1, :, :1, :1], moved.shape)):
            raise _normalization(
                "one normalization in both places",
                f"`{shift.name}` shifts the numbers behind both convolutions",
                "How many normalizations are made in `__init__`, and which of them are called?",
            )


def _normalization(name: str, seen: str, look: str) -> Mistake:
    return Mistake(
        name,
        f"Batch normalization does not act as expected: {seen}.",
        "Each convolution is followed by a normalization of its own, which measures the whole "
        "batch in training. It keeps the numbers in the same range from block to block.",
        look,
    )
