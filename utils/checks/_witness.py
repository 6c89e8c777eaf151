"""Networks, images and optimizers that record what a learner's training does with them."""

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
INKED = 255  # the value of a pixel that says something


@dataclass(frozen=True)
class SeenBatch:
    """One batch that the network saw: which images, and in which mode."""

    numbers: tuple[int, ...]
    training: bool
    recorded: bool


class Witness(nn.Block):
    """A linear network on the first row of an image, ten pixels that show its class.

    It computes scores (N, 10) for images (N, 1, 28, 28) and notes every call. Images are told apart
    by the number that `numbered` has written into their second row, mirrored ones as well.
    """

    def __init__(self, weight: numpy.ndarray) -> None:
        super().__init__()
        self.weight_before = weight.astype("float32")
        start = init.Constant(np.array(self.weight_before))
        self.weight = self.params.get("weight", shape=(10, 10), init=start)
        self.calls: list[SeenBatch] = []
        self.mirrored = 0  # images seen with left and right exchanged

    def forward(self, X: np.ndarray) -> np.ndarray:
        pixels = X.asnumpy()[:, 0]
        is_mirrored = pixels[:, 2, -1] > pixels[:, 2, -2]  # the mark is at the left, else
        self.mirrored += int(is_mirrored.sum())
        pixels = numpy.where(is_mirrored[:, None, None], pixels[..., ::-1], pixels)
        bits = pixels[:, 1, :16] > pixels[:, 2, 1:2]  # the third row is black but for its mark
        numbers = (bits * 2 ** numpy.arange(16)).sum(axis=1)
        modes = autograd.is_training(), autograd.is_recording()
        self.calls.append(SeenBatch(tuple(int(number) for number in numbers), *modes))
        inked = np.array(pixels[:, 0, :10] > pixels[:, 2, 1:2], dtype="float32")
        return np.dot(inked, self.weight.data())

    @property
    def weight_now(self) -> numpy.ndarray:
        return self.weight.data().asnumpy()

    def seen(self, *, recorded: bool) -> list[int]:
        """Return the numbers of the images seen with or without a gradient, in order."""
        calls = [call for call in self.calls if call.recorded == recorded]
        return [number for call in calls for number in call.numbers]


class Memory(nn.Block):
    """A network that notes how many images wait, inside of it, for their backward pass."""

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
    """Return a network that gives the class shown in the image by far the highest score."""
    return _ready(20 * numpy.eye(10))


def learning() -> Witness:
    """Return a network with small random weights; one step changes what it recognizes."""
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
    """Return images that show their class and their number, the classes in turn."""
    labels = (numpy.arange(count) % 10).astype("int32")
    numbers = numpy.arange(first, first + count)
    images = numpy.zeros((count, 28, 28), "uint8")
    images[numpy.arange(count), 0, labels] = INKED
    images[:, 2, 0] = INKED  # the mark of the left side
    images[:, 1, :16] = INKED * (numbers[:, None] >> numpy.arange(16) & 1)
    return data.Split(images, labels)


def batch(count: int, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return X (N, 1, 28, 28) and y (N,) of numbered images."""
    split = numbered(count, first)
    return next(data.batches(split, count, mx.cpu()))


def mislabeled(split: data.Split, wrong: slice) -> data.Split:
    """Return the split with other labels in the places of the slice."""
    labels = split.labels.copy()
    labels[wrong] = (labels[wrong] + 1) % 10
    return replace(split, labels=labels)


def fashion(train: int, valid: int, test: int) -> data.FashionMNIST:
    """Return a data set of numbered images: training first, then validation, then test."""
    return data.FashionMNIST(
        train=numbered(train),
        valid=numbered(valid, train),
        test=numbered(test, train + valid),
        source=fetch.Source("numbered images", Path()),
    )


# What right training does to a witness, calculated by numpy. Weights are (10, 10): row k holds the
# scores of an image that shows class k. Labels are whole numbers (N,), classes as well.


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
