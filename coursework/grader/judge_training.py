"""Judging a training by what it makes of a small network, computed here from the weights alone.

An answer holds for each seed what `procedures.fit` returns: the arrays of two dense layers, the
figures that were reported, the numbers of the images that were learned from, and their scores.
"""

from __future__ import annotations

import functools

import numpy

from jailed import task
from jailed.frames import Frame

ARRAYS = 7  # for each seed: two weights, two biases, figures, numbers of images, scores
SHARE = 0.7  # of the solution's fall of the loss; another order of the images changes it a little
EPOCHS, IMAGES = 4, 100
_fashion = functools.cache(task.fashion)  # each submission is judged several times


def learned(expected: Frame, given: Frame) -> str:
    """For each seed the loss falls at least by SHARE of what the solution reaches."""
    if why := _misshapen(expected, given):
        return why
    train = _fashion().train
    start, _ = task.loss_and_accuracy(task.start(), train)
    for first in range(0, len(given.arrays), ARRAYS):
        goal, reached = (
            task.loss_and_accuracy(frame.arrays[first : first + ARRAYS], train)[0]
            for frame in (expected, given)
        )
        if not start - reached >= SHARE * (start - goal):  # so that a NaN is not enough
            return "The loss on the images it learned from falls much less than it should."
    return ""


def ordered(expected: Frame, given: Frame) -> str:
    """In each epoch every image comes once, in an order that no other epoch has."""
    if why := _misshapen(expected, given):
        return why
    epochs = given.arrays[5].reshape(EPOCHS, IMAGES)
    if not all((numpy.sort(epoch) == numpy.arange(IMAGES)).all() for epoch in epochs):
        return "In an epoch some images are learned from more than once, or not at all."
    if len({epoch.tobytes() for epoch in epochs}) < EPOCHS:
        return "The images come in the same order in several epochs."
    return ""


def judged(expected: Frame, given: Frame) -> str:
    """The figures are the mean training loss of each epoch, and the validation accuracy."""
    if why := learned(expected, given):
        return why
    reported, numbers, scores = given.arrays[4:7]
    numbers = numbers.astype(int)
    if not ((numbers >= 0) & (numbers < IMAGES)).all():
        return "The network has learned from images that are not the training images."
    losses = task.losses(scores, _fashion().train.labels[numbers])
    if not numpy.allclose(reported[:, 0], losses.reshape(EPOCHS, -1).mean(axis=1), rtol=1e-2):
        return "The training losses are not the means over the steps of each epoch."
    _, accuracy = task.loss_and_accuracy(given.arrays, _fashion().valid)
    if not abs(reported[-1, 1] - accuracy) < 1e-3:
        return "The last accuracy is not that of the trained network on the validation images."
    return ""


def repeated(expected: Frame, given: Frame) -> str:
    """The same seed gives the same weights, another seed another order and other weights."""
    if why := learned(expected, given):
        return why
    first, again, other = (given.arrays[i * ARRAYS : i * ARRAYS + 4] for i in range(3))
    if not all(numpy.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(first, again)):
        return "Two trainings with the same seed end with different weights."
    if all(numpy.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(first, other)):
        return "Trainings with different seeds end with the same weights: what decides the order?"
    return ""


def _misshapen(expected: Frame, given: Frame) -> str:
    shapes = [[array.shape for array in frame.arrays] for frame in (expected, given)]
    if shapes[0] == shapes[1]:
        return ""
    if shapes[0][4::ARRAYS] != shapes[1][4::ARRAYS]:
        return "The result has not a pair of numbers for each epoch."
    return "The network has not learned from each training image once in each epoch."
