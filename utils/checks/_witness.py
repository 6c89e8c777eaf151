"""Networks that record what a learner's training does with them, and images that tell them apart.

What right training does to such a network is calculated by NumPy, for comparison. What the images
looked like on their way to it is checked here, for all checks of a training.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import mxnet as mx
import numpy
from mxnet import autograd, gluon, init, np
from mxnet.gluon import nn

from utils import data
from utils.checks._report import Mistake
from utils.setup import fetch

RATE = 0.5  # learning rate
INKED = 255  # the value of a pixel that carries information
# Gray rows give the images the mean and the deviation of real ones, so that those who normalize by
# the statistics of what they are given arrive at the same scale as `data.normalize`.
GRAY, GRAY_ROWS = 184, slice(4, 15)
_pixels = numpy.stack([numpy.full((28, 28), value, "uint8") for value in (0, INKED)])
BLACK, WHITE = data.normalize(_pixels)[:, 0, 0, 0].tolist()
NARROW, WIDE = 0.5, 20  # from black to white: what training gets along with; normalized: 2.8


@dataclass(frozen=True)
class SeenBatch:
    """One batch that a network was called with, the mode, and the weights at that moment.

    `black` and `white` are the values of black and white pixels, which show how the images were
    scaled.
    """

    numbers: tuple[int, ...]
    training: bool
    recorded: bool
    weight: numpy.ndarray
    black: float
    white: float


class Linear(nn.Block):
    """Scores (N, 10) of ten pixels (N, 10)."""

    def __init__(self, weight: numpy.ndarray) -> None:
        super().__init__()
        start = init.Constant(np.array(weight))
        self.weight = self.params.get("weight", shape=(10, 10), init=start)

    def forward(self, X: np.ndarray) -> np.ndarray:
        return np.dot(X, self.weight.data())


class Witness(nn.Block):
    """A linear network that records every call, for the images that `numbered` makes.

    It computes scores (N, 10) for images (N, 1, 28, 28) from the ten pixels in the first row that
    show the class. The second row holds the number of an image, which tells it apart, mirrored or
    not.
    """

    def __init__(self, weight: numpy.ndarray) -> None:
        super().__init__()
        self.weight_before = weight.astype("float32")
        # In a layer of its own: MXNet cannot load the parameters of a network that is one itself.
        self.linear = Linear(self.weight_before)
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
        scale = float(pixels[:, 2, 1].mean()), float(pixels[:, 2, 0].mean())
        self.calls.append(
            SeenBatch(tuple(int(number) for number in numbers), *modes, self.weight_now, *scale)
        )
        inked = np.array(pixels[:, 0, :10] > pixels[:, 2, 1:2], dtype="float32")
        return self.linear(inked)

    @property
    def weight_now(self) -> numpy.ndarray:
        return self.linear.weight.data().asnumpy()

    def seen(self, *, recorded: bool) -> list[int]:
        """Return the numbers of the images seen while recording, or while not, in order."""
        calls = [call for call in self.calls if call.recorded == recorded]
        return [number for call in calls for number in call.numbers]


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
    """Return `count` images that show their number and, in its last digit, their class."""
    numbers = numpy.arange(first, first + count)
    labels = (numbers % 10).astype("int32")
    images = numpy.zeros((count, 28, 28), "uint8")
    images[:, GRAY_ROWS] = GRAY
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


# The scale of the images


def check_as_given(net: Witness) -> None:
    """Raise Mistake unless each image had the scale of normalized images."""
    for call in net.calls:
        if not _alike(call, BLACK, WHITE):
            raise _wrong_scale(
                "images on another scale",
                "In normalized images a black pixel is {black:.2f} and a white one {white:.2f}. "
                "The network got images in which they are {seen_black:.3g} and "
                "{seen_white:.3g}.".format(
                    black=BLACK, white=WHITE, seen_black=call.black, seen_white=call.white
                ),
            )


def check_normalized(net: Witness) -> None:
    """Raise Mistake unless the training images had a scale at which networks learn.

    The normalization need not be the course's own: pixels between 0 and 1 will do.
    """
    for call in net.calls:
        if call.recorded and not NARROW < call.white - call.black < WIDE:
            raise _wrong_scale(
                "images not normalized",
                "In the images that the network was trained on, a black pixel is {black:.3g} and "
                "a white one {white:.3g}. After normalization they are {expected_black:.2f} and "
                "{expected_white:.2f}.".format(
                    black=call.black,
                    white=call.white,
                    expected_black=BLACK,
                    expected_white=WHITE,
                ),
            )


def check_one_scale(net: Witness) -> None:
    """Raise Mistake unless all images had the scale of the first training images."""
    first = next((call for call in net.calls if call.recorded), None)
    for call in net.calls:
        if first and not _alike(call, first.black, first.white):
            raise _wrong_scale(
                "images on two scales",
                "The network was trained on images in which a black pixel is {black:.3g} and a "
                "white one {white:.3g}. It also got images in which they are {other_black:.3g} "
                "and {other_white:.3g}.".format(
                    black=first.black,
                    white=first.white,
                    other_black=call.black,
                    other_white=call.white,
                ),
            )


def _alike(call: SeenBatch, black: float, white: float) -> bool:
    """Return whether the scale of a batch is this one, apart from a tenth of its width.

    A blank image, such as `train.initialize` shows to a network, has no scale.
    """
    if call.white == call.black:
        return True
    allowed = 0.1 * (white - black)
    return abs(call.black - black) < allowed and abs(call.white - white) < allowed


def _wrong_scale(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "To a network, an image on another scale is another image: what it has learned does not "
        "fit, and a learning rate that was right for the one is wrong for the other.",
        "What happens to the images on their way to the network? Bytes go from 0 to 255; "
        "`data.batches` gives normalized images.",
    )
