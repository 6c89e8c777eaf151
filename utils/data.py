"""Fashion-MNIST in memory: its three splits, and batches of them on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import mxnet as mx
import numpy
from mxnet import np

from utils import _guards
from utils.setup import fetch

CLASSES = [
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
]
# Of the 55,000 training images, with each pixel between 0 and 1.
MEAN = 0.2860
STD = 0.3530


@dataclass(frozen=True)
class Split:
    """Images, uint8 (N, 28, 28), and their labels, int32 (N,), 0 to 9.

    Raises ValueError or TypeError, with a sentence, for anything else.
    """

    images: numpy.ndarray
    labels: numpy.ndarray

    def __post_init__(self) -> None:
        _check_images(self.images)
        _check_labels(self.labels)
        if len(self.images) != len(self.labels):
            raise ValueError(
                "There are {images} images but {labels} labels. Each image needs one label: pass "
                "arrays of the same length.".format(
                    images=len(self.images), labels=len(self.labels)
                )
            )

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> Split:
        """Return the first `count` images."""
        return Split(self.images[:count], self.labels[:count])


@dataclass(frozen=True)
class FashionMNIST:
    """The three splits, each with its classes in equal numbers, and where they come from."""

    train: Split
    valid: Split
    test: Split
    source: fetch.Source


def load(budget: str = "full") -> FashionMNIST:
    """Return the data: 55,000 images to train, 5,000 to validate, 10,000 to test.

    With the budget "quick", and where the data cannot be had, these are 5,500, 500 and 1,000 images
    of the sample, wherever it comes from. The validation images are the last twelfth of each class.
    Raises fetch.DataError if FASHION_MNIST_DIR names a folder without the right files, and where
    neither the data nor a sample is within reach.
    """
    if budget not in ("full", "quick"):
        raise ValueError(
            "budget is {given!r}, but it must be 'full' (all images) or 'quick' (the "
            "sample).".format(given=budget)
        )
    source, contents = fetch.find() if budget == "full" else fetch.sample()
    images, labels = _arrays(contents, "train")
    is_valid = _last_twelfth(labels)
    return FashionMNIST(
        train=Split(images[~is_valid], labels[~is_valid]),
        valid=Split(images[is_valid], labels[is_valid]),
        test=Split(*_arrays(contents, "t10k")),
        source=source,
    )


def normalize(images: numpy.ndarray) -> numpy.ndarray:
    """Return uint8 images (N, 28, 28) as float32 (N, 1, 28, 28): mean 0, standard deviation 1."""
    _check_images(images)
    values = images[:, None].astype("float32")
    values *= numpy.float32(1 / (255 * STD))
    values -= numpy.float32(MEAN / STD)
    return values


@dataclass(frozen=True)
class Augmentation:
    """How training images are changed at random: a network hardly sees the same one twice.

    `flip` mirrors each image left-right half of the time. `shift` moves each by up to that many
    pixels, right or left and up or down, with black behind it. Raises ValueError for a shift that
    is not a whole number from 0 to 27.
    """

    flip: bool = False
    shift: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.shift, int) or self.shift not in range(28):
            raise ValueError(
                "shift is {given!r}, but it must be a whole number of pixels from 0 to 27, or "
                "nothing of an image is left. 2 is a good first choice.".format(given=self.shift)
            )

    def draw(
        self, rng: numpy.random.Generator, count: int
    ) -> Callable[[numpy.ndarray, slice], numpy.ndarray]:
        """Draw how each of `count` images is changed; return a function that changes a part.

        It takes images, which it may change in place, and their places among the `count`.
        """
        mirrored = rng.random(count) < 0.5 if self.flip else None
        moves = rng.integers(0, 2 * self.shift + 1, (count, 2)) if self.shift else None

        def augmented(images: numpy.ndarray, places: slice) -> numpy.ndarray:
            if mirrored is not None:
                images[mirrored[places]] = images[mirrored[places], :, ::-1]
            return images if moves is None else _moved(images, moves[places], self.shift)

        return augmented


UNCHANGED = Augmentation()


def batches(
    split: Split,
    batch_size: int,
    device: mx.Context,
    rng: numpy.random.Generator | None = None,
    *,
    augmentation: Augmentation = UNCHANGED,
    size: int = 28,
    start: int = 0,
    part: tuple[int, int] = (0, 1),
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Iterate over X, float32 (batch_size, 1, size, size), and y, int32 (batch_size,).

    With an `rng` it is a pass for training: in random order, with the augmentation, and without an
    incomplete last batch. Without one it is a pass for evaluation: in order, every image once and
    unchanged, so that the last batch may be smaller.

    `start` is the number of the first batch; a pass that goes on there has the same batches as the
    whole one. `part` (k, n) leaves the k-th of n equal parts of each batch; together they hold the
    images of the whole one. A size other than 28 is interpolated, bilinear, corner pixels on corner
    pixels.

    Raises ValueError if batch_size or size is not a positive whole number, if batch_size does not
    divide into the parts, or if a pass for training would not have a single batch.
    """
    _guards.check_positive(batch_size=batch_size, size=size)
    if rng is not None and batch_size > len(split):
        raise ValueError(
            "batch_size is {batch_size}, but there are {count} images, which do not fill one "
            "batch. Pass a batch_size of at most {count}.".format(
                batch_size=batch_size, count=len(split)
            )
        )
    _guards.check_divides(batch_size, workers=part[1])
    # All chance is drawn before the first batch, so that each batch follows from its number alone.
    order, augmented, end = numpy.arange(len(split)), None, len(split)
    if rng is not None:
        order, end = rng.permutation(len(split)), len(split) - batch_size + 1
        augmented = augmentation.draw(rng, len(split))
    length = batch_size // part[1]
    firsts = (first + part[0] * length for first in range(start * batch_size, end, batch_size))
    places = (slice(first, first + length) for first in firsts)

    def batch(places: slice) -> tuple[np.ndarray, np.ndarray]:
        chosen = order[places]
        images = split.images[chosen]
        if augmented is not None:
            images = augmented(images, places)
        X = np.array(normalize(images), ctx=device)
        return _resize(X, size), np.array(split.labels[chosen], ctx=device)

    return map(batch, places)


def _moved(images: numpy.ndarray, moves: numpy.ndarray, shift: int) -> numpy.ndarray:
    """Cut each image out of a larger one with a black border; `moves` (N, 2): 0 to 2 * shift."""
    framed = numpy.pad(images, ((0, 0), (shift, shift), (shift, shift)))
    windows = numpy.lib.stride_tricks.sliding_window_view(framed, (1, *images.shape[1:]))
    return windows[numpy.arange(len(images)), moves[:, 0], moves[:, 1], 0]


def _resize(X: np.ndarray, size: int) -> np.ndarray:
    if size == X.shape[-1]:
        return X
    # mxnet.np has no interpolation of its own.
    resized = mx.nd.contrib.BilinearResize2D(X.as_nd_ndarray(), height=size, width=size)
    return resized.as_np_ndarray()


def _arrays(contents: fetch.Contents, part: str) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return the images and labels of two IDX files, whose headers have 16 and 8 bytes."""
    images = numpy.frombuffer(contents[f"{part}-images-idx3-ubyte"], numpy.uint8, offset=16)
    labels = numpy.frombuffer(contents[f"{part}-labels-idx1-ubyte"], numpy.uint8, offset=8)
    return images.reshape(-1, 28, 28), labels.astype("int32")


def _last_twelfth(labels: numpy.ndarray) -> numpy.ndarray:
    chosen = numpy.zeros(len(labels), bool)
    for label in range(len(CLASSES)):
        places = numpy.flatnonzero(labels == label)
        chosen[places[len(places) * 11 // 12 :]] = True
    return chosen


def _check_images(images: numpy.ndarray) -> None:
    if not isinstance(images, numpy.ndarray) or images.dtype != numpy.uint8:
        raise TypeError(
            "The images are {given}, but they must be a numpy array of uint8, 0 to 255. "
            "Convert them: numpy.asarray(images, dtype='uint8').".format(given=_kind(images))
        )
    if images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(
            "The images have the shape {given}, but they must be (N, 28, 28): N images of 28 by 28 "
            "pixels. For one image, add an axis: images[None].".format(given=images.shape)
        )


def _check_labels(labels: numpy.ndarray) -> None:
    if not isinstance(labels, numpy.ndarray) or labels.dtype != numpy.int32:
        raise TypeError(
            "The labels are {given}, but they must be a numpy array of int32. "
            "Convert them: numpy.asarray(labels, dtype='int32').".format(given=_kind(labels))
        )
    if labels.ndim != 1:
        raise ValueError(
            "The labels have the shape {given}, but they must be (N,): one per image.".format(
                given=labels.shape
            )
        )
    wrong = numpy.flatnonzero((labels < 0) | (labels >= len(CLASSES)))
    if len(wrong):
        raise ValueError(
            "Label {place} is {given}, but the labels must be 0 to {last}, one number per class. "
            "Check how the labels were made.".format(
                place=wrong[0], given=labels[wrong[0]], last=len(CLASSES) - 1
            )
        )


def _kind(given: object) -> str:
    return str(getattr(given, "dtype", type(given).__name__))
