"""Fashion-MNIST in memory: its three splits, and batches of them on the device."""

from __future__ import annotations

from collections.abc import Iterator
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
                f"There are {len(self.images)} images but {len(self.labels)} labels. "
                "Each image needs one label: pass arrays of the same length."
            )

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> Split:
        """Return the first images, so many of them."""
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
    of the bundled sample. The validation images are the last twelfth of each class.
    Raises fetch.DataError if FASHION_MNIST_DIR names a folder without the right files.
    """
    if budget not in ("full", "quick"):
        raise ValueError(
            f"budget is {budget!r}, but it must be 'full' (all images) or 'quick' (the sample)."
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
    """Return uint8 images (N, 28, 28) as float32 (N, 1, 28, 28) of mean 0 and deviation 1."""
    _check_images(images)
    values = images[:, None].astype("float32")
    values *= numpy.float32(1 / (255 * STD))
    values -= numpy.float32(MEAN / STD)
    return values


def batches(
    split: Split,
    batch_size: int,
    device: mx.Context,
    rng: numpy.random.Generator | None = None,
    flip: bool = False,
    size: int = 28,
    shift: int = 0,
    start: int = 0,
    part: tuple[int, int] = (0, 1),
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield X, float32 (batch_size, 1, size, size), and y, int32 (batch_size,), on the device.

    With an rng it is a pass for training: in random order, each image mirrored left-right half of
    the time if `flip`, and moved up to `shift` pixels in both directions, with black behind it; an
    incomplete last batch is left out. Without one it is a pass for evaluation:
    in order, every image once, so that the last batch may be smaller. `start` is the number of the
    first batch: a pass that goes on there has the same batches as the whole one. `part` (k, n)
    leaves the k-th of n equal parts of each batch; together they are the whole one's images.
    A size other than 28 is interpolated, bilinear, corner pixels on corner pixels.
    Raises ValueError if batch_size or size is not a positive whole number or does not divide into
    the parts, if shift is not one of 0 to 27 pixels, or if a pass for training would not have a
    single batch.
    """
    _guards.check_positive(batch_size=batch_size, size=size)
    if shift not in range(28):
        raise ValueError(
            f"shift is {shift!r}, but it must be a whole number of pixels from 0 to 27, or nothing "
            "of an image is left. 2 is a good first choice."
        )
    if rng is not None and batch_size > len(split):
        raise ValueError(
            f"batch_size is {batch_size}, but there are {len(split)} images, which do not fill one "
            f"batch. Pass a batch_size of at most {len(split)}."
        )
    _guards.check_divides(batch_size, workers=part[1])
    return _batches(split, batch_size, device, rng, flip, size, shift, start, part)


def _batches(split, batch_size, device, rng, flip, size, shift, start, part):
    """Draw all that is left to chance before the first batch, so that each follows from its place.

    A generator whose parameters `batches` has checked.
    """
    order = numpy.arange(len(split)) if rng is None else rng.permutation(len(split))
    mirrored = rng.random(len(split)) < 0.5 if rng is not None and flip else None
    moves = rng.integers(0, 2 * shift + 1, (len(split), 2)) if rng is not None and shift else None
    end = len(split) if rng is None else len(split) - batch_size + 1
    length = batch_size // part[1]
    for first in range(start * batch_size, end, batch_size):
        places = slice(first + part[0] * length, first + (part[0] + 1) * length)
        chosen = order[places]
        images = split.images[chosen]
        if mirrored is not None:
            images[mirrored[places]] = images[mirrored[places], :, ::-1]
        if moves is not None:
            images = _moved(images, moves[places], shift)
        X = np.array(normalize(images), ctx=device)
        yield _resize(X, size), np.array(split.labels[chosen], ctx=device)


def _moved(images: numpy.ndarray, moves: numpy.ndarray, shift: int) -> numpy.ndarray:
    """Cut each image out of a larger one with a black border; `moves` (N, 2): 0 to 2 * shift."""
    framed = numpy.pad(images, ((0, 0), (shift, shift), (shift, shift)))
    windows = numpy.lib.stride_tricks.sliding_window_view(framed, images.shape[1:], axis=(1, 2))
    return windows[numpy.arange(len(images)), moves[:, 0], moves[:, 1]]


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
        given = getattr(images, "dtype", type(images).__name__)
        raise TypeError(
            f"The images are {given}, but they must be a numpy array of uint8, 0 to 255. "
            "Convert them: numpy.asarray(images, dtype='uint8')."
        )
    if images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(
            f"The images have the shape {images.shape}, but they must be (N, 28, 28): N images of "
            "28 by 28 pixels. For one image, add an axis: images[None]."
        )


def _check_labels(labels: numpy.ndarray) -> None:
    if not isinstance(labels, numpy.ndarray) or labels.dtype != numpy.int32:
        given = getattr(labels, "dtype", type(labels).__name__)
        raise TypeError(
            f"The labels are {given}, but they must be a numpy array of int32. "
            "Convert them: numpy.asarray(labels, dtype='int32')."
        )
    if labels.ndim != 1:
        raise ValueError(
            f"The labels have the shape {labels.shape}, but they must be (N,): one per image."
        )
    wrong = numpy.flatnonzero((labels < 0) | (labels >= len(CLASSES)))
    if len(wrong):
        raise ValueError(
            f"Label {wrong[0]} is {labels[wrong[0]]}, but the labels must be 0 to "
            f"{len(CLASSES) - 1}, one number per class. Check how the labels were made."
        )
