"""Judge a submission's training by the small network it trained, from the weights alone.

A frame holds, for each seed, the seven arrays that `procedures.fit` returns: weight and bias of
both dense layers, the history, the indices of the training images, and the network's scores.
"""

from __future__ import annotations

import functools

import numpy

from jailed import task
from jailed.frames import Frame

ARRAYS = 7  # for each seed
SHARE = 0.7  # of the loss's fall under the solution; the order of the images changes it a little
EPOCHS, IMAGES = 4, 100
_fashion = functools.cache(task.fashion)


def learned(expected: Frame, given: Frame) -> str:
    """For each seed, the loss falls by at least SHARE of what the solution reaches."""
    if why := _misshapen(expected, given):
        return why
    train = _fashion().train
    start, _ = task.loss_and_accuracy(task.start(), train)
    for first in range(0, len(given.arrays), ARRAYS):
        goal, reached = (
            task.loss_and_accuracy(frame.arrays[first : first + ARRAYS], train)[0]
            for frame in (expected, given)
        )
        if not start - reached >= SHARE * (start - goal):  # NaN must not pass
            return "The loss on the training images falls much less than it should."
    return ""


def ordered(expected: Frame, given: Frame) -> str:
    """In each epoch every image comes once, in an order that no other epoch has."""
    if why := _misshapen(expected, given):
        return why
    epochs = given.arrays[5].reshape(EPOCHS, IMAGES)
    if not all((numpy.sort(epoch) == numpy.arange(IMAGES)).all() for epoch in epochs):
        return "In an epoch, some images are learned from more than once, or not at all."
    if len({epoch.tobytes() for epoch in epochs}) < EPOCHS:
        return "The images come in the same order in several epochs."
    return ""


def judged(expected: Frame, given: Frame) -> str:
    """The history holds each epoch's mean training loss, and the validation accuracy."""
    if why := learned(expected, given):
        return why
    history, indices, scores = given.arrays[4:7]
    if not numpy.isin(indices, numpy.arange(IMAGES)).all():
        return "The network has learned from images that are not training images."
    losses = task.losses(scores, _fashion().train.labels[indices.astype(int)])
    if not numpy.allclose(history[:, 0], losses.reshape(EPOCHS, -1).mean(axis=1), rtol=1e-2):
        return "The training losses are not the means over the steps of each epoch."
    _, accuracy = task.loss_and_accuracy(given.arrays, _fashion().valid)
    if not abs(history[-1, 1] - accuracy) < 1e-3:
        return "The last accuracy is not that of the trained network on the validation images."
    return ""


def repeated(expected: Frame, given: Frame) -> str:
    """The same seed gives the same weights; another seed gives another order and other weights."""
    if why := learned(expected, given):
        return why
    first, again, other = (given.arrays[i * ARRAYS : i * ARRAYS + 4] for i in range(3))
    if not _equal(first, again):
        return "Two trainings with the same seed end with different weights."
    if _equal(first, other):
        return "Trainings with different seeds end with the same weights. What decides the order?"
    return ""


def _equal(weights: list[numpy.ndarray], others: list[numpy.ndarray]) -> bool:
    return all(numpy.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(weights, others))


def _misshapen(expected: Frame, given: Frame) -> str:
    """Say what the shapes of the arrays reveal; "" if they are those of the solution."""
    right, found = ([array.shape for array in frame.arrays] for frame in (expected, given))
    if right == found:
        return ""
    if right[4::ARRAYS] != found[4::ARRAYS]:
        return "The result does not hold one pair of numbers for each epoch."
    return "The network has not learned from each training image once in each epoch."
