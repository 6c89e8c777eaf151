"""Networks that record what a learner's training does with them, and images that tell them apart.

What right training does to such a network is calculated by NumPy, for comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import mxnet as mx
import numpy
from mxnet import autograd, gluon, init, np
from mxnet.gluon import nn

from utils import _gluon, data
from utils.setup import fetch

RATE = 0.5  # learning rate
INKED = 255  # the value of a pixel that carries information


@dataclass(frozen=True)
class SeenBatch:
    """One batch that a network was called with: the numbers of its images, and the mode."""

    numbers: tuple[int, ...]
    training: bool
    recorded: bool


class Witness(nn.Block):
    """A linear network that records every call, for the images that `numbered` makes.

    It computes scores (N, 10) for images (N, 1, 28, 28) from the ten pixels in the first row that
    show the class. The second row holds the number of an image, which tells it apart, mirrored or
    not.
    """

    def __init__(self, weight: numpy.ndarray) -> None:
        super().__init__()
        self.weight_before = weight.astype("float32")
        start = init.Constant(np.array(self.weight_before))
        self.weight = self.params.get("weight", shape=(10, 10), init=start)
        self.calls: list[SeenBatch] = []
        self.mirrored = 0  # number of images seen mirrored

    def forward(self, X: np.ndarray) -> np.ndarray:
        pixels = X.asnumpy()[:, 0]
        is_mirrored = pixels[:, 2, -1] > pixels[:, 2, -2]  # otherwise the mark is on the left
        self.mirrored += int(is_mirrored.sum())
        pixels = numpy.where(is_mirrored[:, None, None], pixels[..., ::-1], pixels)
        bits = pixels[:, 1, :16] > pixels[:, 2, 1:2]  # the third row is black except for the mark
        numbers = (bits * 2 ** numpy.arange(16)).sum(axis=1)
        modes = autograd.is_training(), autograd.is_recording()
        self.calls.append(SeenBatch(tuple(int(number) for number in numbers), *modes))
        inked = np.array(pixels[:, 0, :10] > pixels[:, 2, 1:2], dtype="float32")
        return np.dot(inked, self.weight.data())

    @property
    def weight_now(self) -> numpy.ndarray:
        return self.weight.data().asnumpy()

    def seen(self, *, recorded: bool) -> list[int]:
        """Return the numbers of the images seen while recording, or while not, in order."""
        calls = [call for call in self.calls if call.recorded == recorded]
        return [number for call in calls for number in call.numbers]


class Memory(nn.Block):
    """A network that records how many images are held in memory until their backward pass."""

    def __init__(self, net: Witness) -> None:
        super().__init__()
        self.net = net
        self.waiting = self.largest_call = self.most_held = 0

    def forward(self, X: np.ndarray) -> np.ndarray:
        scores = self.net(X)
        if not autograd.is_recording():
            return scores
        if _gluon.take_new_gradient(self.net.weight.data()):
            self.waiting = 0
        self.waiting += len(X)
        self.largest_call = max(self.largest_call, len(X))
        self.most_held = max(self.most_held, self.waiting)
        return scores


def knowing() -> Witness:
    """Return a network that recognizes every image with certainty."""
    return _ready(20 * numpy.eye(10))


def learning() -> Witness:
    """Return a network with small random weights, which one step visibly changes."""
    return _ready(numpy.random.default_rng(1).normal(size=(10, 10)) / 3)


def _ready(weight: numpy.ndarray) -> Witness:
    net = Witness(weight)
    net.initialize(ctx=mx.cpu())
    return net


def trainer(net: gluon.Block, momentum: float = 0.0) -> gluon.Trainer:
    """Return gradient descent, plain or with momentum."""
    settings = {"learning_rate": RATE, "momentum": momentum}
    return gluon.Trainer(net.collect_params(), "sgd", settings)


def numbered(count: int, first: int = 0) -> data.Split:
    """Return `count` images that show their class and their number; the classes take turns."""
    labels = (numpy.arange(count) % 10).astype("int32")
    numbers = numpy.arange(first, first + count)
    images = numpy.zeros((count, 28, 28), "uint8")
    images[numpy.arange(count), 0, labels] = INKED
    images[:, 2, 0] = INKED  # marks the left side
    images[:, 1, :16] = INKED * (numbers[:, None] >> numpy.arange(16) & 1)
    return data.Split(images, labels)


def batch(count: int, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return X (N, 1, 28, 28) and y (N,) of numbered images."""
    split = numbered(count, first)
    return next(data.batches(split, count, mx.cpu()))


def mislabeled(split: data.Split, wrong: slice) -> data.Split:
    """Return the split with wrong labels in this slice."""
    labels = split.labels.copy()
    labels[wrong] = (labels[wrong] + 1) % 10
    return replace(split, labels=labels)


def fashion(train: int, valid: int, test: int) -> data.FashionMNIST:
    """Return a dataset of numbered images: training first, then validation, then test."""
    return data.FashionMNIST(
        train=numbered(train),
        valid=numbered(valid, train),
        test=numbered(test, train + valid),
        source=fetch.Source("numbered images", Path()),
    )


# What right training does to a witness, calculated by NumPy. Weights are (10, 10): row k holds the
# scores of an image that shows class k. Labels and classes are whole numbers (N,).


def losses(scores: numpy.ndarray, labels: numpy.ndarray) -> numpy.ndarray:
    """Return the cross-entropy of each image (N,), given its scores (N, 10)."""
    return -numpy.log(softmax(scores)[numpy.arange(len(labels)), labels])


def softmax(scores: numpy.ndarray) -> numpy.ndarray:
    exponentials = numpy.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def hits(scores: numpy.ndarray, labels: numpy.ndarray) -> int:
    """Return for how many images the highest score is that of the label."""
    return int((scores.argmax(axis=1) == labels).sum())


def gradient(weight: numpy.ndarray, shown: numpy.ndarray, labels: numpy.ndarray) -> numpy.ndarray:
    """Return the gradient of the mean loss over images that show the classes `shown` (N,)."""
    one_hot = numpy.eye(10)
    return one_hot[shown].T @ (softmax(weight[shown]) - one_hot[labels]) / len(labels)


def learned(
    weight: numpy.ndarray, batches: Sequence[Sequence[int]], rate: float = RATE
) -> numpy.ndarray:
    """Return the weight after one step for each batch; a batch is given by its image numbers."""
    for batch in batches:
        shown = numpy.array(batch) % 10  # an image shows the last digit of its number
        weight = weight - rate * gradient(weight, shown, shown)
    return weight
