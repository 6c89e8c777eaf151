"""Questions on a learner's `fit(net, fashion, recipe, *, seed, device)`, a whole training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import mxnet as mx
import numpy

from utils.checks import _witness
from utils.checks._report import Mistake
from utils.checks._training_runs import BATCHED, IMAGES, RECIPE, check_order, in_training_mode
from utils.checks._witness import Witness

VALID, TEST = 20, 30  # images


def no_test_images(fit: Callable[..., Any]) -> None:
    """No test image is looked at: neither to learn from nor to choose by."""
    net = _run(fit)
    last_step = max((i for i, call in enumerate(net.calls) if call.recorded), default=0)
    if learned := _among("test", net.seen(recorded=True)):
        name, when = "test data in training", "to learn from"
    elif _among("test", [n for call in net.calls[:last_step] for n in call.numbers]):
        name, when = "test data used during training", "between the steps of the training"
    else:
        name, when = "test data looked at by fit", "after the last step of the training"
    looked = learned or _among("test", net.seen(recorded=False))
    if not looked:
        return
    raise Mistake(
        name,
        f"{looked} times the network was shown a test image {when}.",
        "The test says how good the network is on images that had no influence on it. A recipe is "
        "chosen after many runs; if each of them looks at the test, the choice depends on it.",
        "Which split does each loop go over? The test images wait until everything is chosen.",
    )


def validation(fit: Callable[..., Any]) -> None:
    """The validation images judge the network after each epoch, and are never learned from."""
    net = _run(fit)
    if _among("valid", net.seen(recorded=True)):
        raise _validation("validation data in training", "the network learned from some of them")
    looked = _among("valid", net.seen(recorded=False))
    if not looked:
        raise _validation("no validation", "the network was never judged by them")
    ran = _passes(_learned(net))
    if looked < ran * VALID:
        raise _validation(
            "validation not after each epoch",
            f"in {ran} epochs the network looked {looked} times at one of the {VALID}",
        )
    if any(call.training and _among("valid", call.numbers) for call in net.calls):
        raise in_training_mode()


def _validation(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        f"The validation images are there to judge the network after each epoch, but {seen}.",
        "Judged by images that it has learned from, a network looks better than it is. And without "
        "a figure for each epoch nobody sees when more training stopped helping.",
        "Which split is passed to the training, which to the evaluation, and how often?",
    )


def new_order(fit: Callable[..., Any]) -> None:
    """Each epoch has an order of its own."""
    first, second = numpy.array_split(_learned(_run(fit)), RECIPE.epochs)
    check_order(first.tolist(), second.tolist())


def epochs(fit: Callable[..., Any]) -> None:
    """Every training image is learned from once in each epoch."""
    seen = _learned(_run(fit))
    most = _passes(seen)
    if len(seen) in (RECIPE.epochs * BATCHED, RECIPE.epochs * IMAGES) and most <= RECIPE.epochs:
        return
    raise Mistake(
        "another number of epochs",
        f"The recipe asks for {RECIPE.epochs} epochs, {RECIPE.epochs * BATCHED} images in all, but "
        f"{len(seen)} were learned from, none more than {most} times.",
        "The schedule of the learning rate counts on the number of steps.",
        "How often does the loop over the epochs run, and over all batches of each?",
    )


def _learned(net: Witness) -> list[int]:
    """Return the training images that the network learned from, in order."""
    return [number for number in net.seen(recorded=True) if number < IMAGES]


def _passes(seen: list[int]) -> int:
    """Return how often the image came that came most often."""
    return max(Counter(seen).values(), default=0)


def _among(split: str, numbers: Iterable[int]) -> int:
    """Return how many of the numbers are those of images of that split."""
    first, count = {"valid": (IMAGES, VALID), "test": (IMAGES + VALID, TEST)}[split]
    return sum(first <= number < first + count for number in numbers)


def _run(fit: Callable[..., Any]) -> Witness:
    net = _witness.learning()
    fit(net, _witness.fashion(IMAGES, VALID, TEST), RECIPE, seed=0, device=mx.cpu())
    return net
