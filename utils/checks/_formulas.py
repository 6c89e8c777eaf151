"""What right training does to the networks of `instruments`, calculated by numpy.

Weights are (10, 10), one row for each class that an image shows, so that row k holds the scores of
an image of class k. Labels are whole numbers (N,), classes as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from utils.checks._witness import RATE


def losses(scores: numpy.ndarray, labels: numpy.ndarray) -> numpy.ndarray:
    """Return the cross-entropy of each image (N,), for its scores (N, 10)."""
    return -numpy.log(softmax(scores)[numpy.arange(len(labels)), labels])


def softmax(scores: numpy.ndarray) -> numpy.ndarray:
    exponentials = numpy.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def hits(scores: numpy.ndarray, labels: numpy.ndarray) -> int:
    """Return how many labels have the highest score of their image."""
    return int((scores.argmax(axis=1) == labels).sum())


def gradient(weight: numpy.ndarray, shown: numpy.ndarray, labels: numpy.ndarray) -> numpy.ndarray:
    """Return the gradient of the mean loss of images that show the classes `shown` (N,)."""
    one_hot = numpy.eye(10)
    return one_hot[shown].T @ (softmax(weight[shown]) - one_hot[labels]) / len(labels)


def learned(
    weight: numpy.ndarray, batches: Sequence[Sequence[int]], rate: float = RATE
) -> numpy.ndarray:
    """Return the weight after a step for each batch of images, given by their numbers."""
    for batch in batches:
        shown = numpy.array(batch) % 10  # an image shows the last digit of its number
        weight = weight - rate * gradient(weight, shown, shown)
    return weight
