"""Judging a training by what it makes of a small network, computed here from the weights alone.

An answer holds, for each seed, the arrays of two dense layers and the figures that were reported,
as `procedures.fit` returns them.
"""

from __future__ import annotations

import numpy

from grader import small
from grader.frames import Frame

ARRAYS = 5  # for each seed: two weights, two biases, the figures
SHARE = 0.7  # of the solution's fall of the loss; another order of the images changes it a little
NEAR = 0.15  # relative: the mean loss of an epoch depends on the order, too


def learned(expected: Frame, given: Frame) -> str:
    """For each seed the loss falls at least by SHARE of what the solution reaches."""
    if why := _misshapen(expected, given):
        return why
    train = small.fashion().train
    start, _ = small.loss_and_accuracy(small.start(), train)
    for first in range(0, len(given.arrays), ARRAYS):
        goal, reached = (
            small.loss_and_accuracy(frame.arrays[first : first + ARRAYS], train)[0]
            for frame in (expected, given)
        )
        if not start - reached >= SHARE * (start - goal):  # so that a NaN is not enough
            return "The loss on the images it learned from falls much less than it should."
    return ""


def judged(expected: Frame, given: Frame) -> str:
    """For each epoch there is a mean training loss and a validation accuracy."""
    if why := _misshapen(expected, given):
        return why
    losses, accuracies = given.arrays[-1].T
    if not numpy.allclose(losses, expected.arrays[-1][:, 0], rtol=NEAR):
        return "The training losses of the epochs are not the means over their steps."
    _, accuracy = small.loss_and_accuracy(given.arrays, small.fashion().valid)
    if not abs(accuracies[-1] - accuracy) < 1e-3:
        return "The last accuracy is not that of the trained network on the validation images."
    return ""


def repeated(expected: Frame, given: Frame) -> str:
    """The same seed gives the same weights, another seed another order and other weights."""
    if why := learned(expected, given):
        return why
    first, again, other = (given.arrays[i * ARRAYS : (i + 1) * ARRAYS - 1] for i in range(3))
    if not all(numpy.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(first, again)):
        return "Two trainings with the same seed end with different weights."
    if all(numpy.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(first, other)):
        return "Trainings with different seeds end with the same weights: what decides the order?"
    return ""


def _misshapen(expected: Frame, given: Frame) -> str:
    if [a.shape for a in expected.arrays] == [a.shape for a in given.arrays]:
        return ""
    return "The result has not a pair of numbers for each epoch."
