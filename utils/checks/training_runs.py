"""Questions on a learner's passes over the data: an epoch, an evaluation, a whole run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import mxnet as mx
import numpy

from utils import train
from utils.checks import instruments
from utils.checks.instruments import Witness
from utils.checks.report import Mistake
from utils.checks.training_step import figures

RECIPE = train.Recipe(epochs=2, batch_size=16, learning_rate=0.1, one_cycle=False)
IMAGES, BATCHED = 50, 48  # to train with; without the incomplete last batch
VALID, TEST = 20, 30


# train_epoch(net, split, recipe, trainer, rng, device)


def pairs(train_epoch: Callable[..., Any]) -> None:
    """A network that knows every class has nothing to learn, if the labels are the right ones."""
    net = _epoch(train_epoch)
    if abs(net.weight_now - net.weight_before).max() > 1e-2:
        raise apart("A network that knows every image already had to learn")


def every_image(train_epoch: Callable[..., Any]) -> None:
    """Every image is learned from once."""
    seen = _epoch(train_epoch).seen(recorded=True)
    if len(seen) == len(set(seen)) and len(seen) in (BATCHED, IMAGES):
        return
    again = len(seen) - len(set(seen))
    raise Mistake(
        "images seen again" if again else "images left out",
        f"Of {IMAGES} images, in batches of {RECIPE.batch_size}, {len(set(seen))} were learned "
        f"from, {again} of them more than once. An epoch looks at {BATCHED} once.",
        "An image that is left out teaches nothing, and one that comes again counts twice.",
        "How are the batches cut? Look at the first index of each, and at the last.",
    )


def order(train_epoch: Callable[..., Any]) -> None:
    """The order of the images is drawn anew for every epoch."""
    rng = numpy.random.default_rng(0)
    first, second = (_epoch(train_epoch, rng).seen(recorded=True) for _ in range(2))
    name = "not shuffled" if first == sorted(first) else "the same order in every epoch"
    if first == sorted(first) or first == second:
        raise Mistake(
            name,
            "The images came in the order of the file, or twice in the same order.",
            "In another order every batch is a new mixture, and the network cannot lean on who "
            "comes after whom.",
            "Where does the order come from? `rng` is there to draw it.",
        )


def _epoch(train_epoch: Callable[..., Any], rng: numpy.random.Generator | None = None) -> Witness:
    net = instruments.knowing()
    rng = rng or numpy.random.default_rng(0)
    split, optimizer = instruments.numbered(IMAGES), instruments.trainer(net)
    for _ in train_epoch(net, split, RECIPE, optimizer, rng, mx.cpu()) or ():
        pass  # a generator does its work while someone asks for results
    return net


# evaluate(net, split, device)


def inference(evaluate: Callable[..., Any]) -> None:
    """The network is judged in inference mode."""
    net, _ = _evaluation(evaluate)
    if any(call.training for call in net.calls):
        raise Mistake(
            "evaluation in training mode",
            "While it was judged, the network was in training mode.",
            "Normalizations then use the statistics of the batch, so that the answer to one image "
            "depends on the others, and a dropout would drop numbers.",
            "Is there an `autograd.record` or `train_mode` around the call?",
        )


def judged(evaluate: Callable[..., Any]) -> None:
    """Mean loss and accuracy are those of all images: 150 of 750 have a label that is wrong."""
    net, result = _evaluation(evaluate)
    loss, accuracy = figures(result)
    if numpy.isclose(accuracy, 0.8) and numpy.isclose(loss, 0.2 * 20, rtol=1e-2):
        return
    seen = [number for call in net.calls for number in call.numbers]
    if sorted(seen) == list(range(750)) and seen != sorted(seen):
        raise apart(f"The accuracy is {accuracy:.2f}, but it should be 0.80")
    if len(set(seen)) < 750:
        name = "images left out"
    elif numpy.isclose(accuracy, 0.8 * 750):
        name = "count in place of a share"
    elif numpy.isclose(loss, 750 * 4, rtol=1e-2):
        name = "loss not averaged"
    else:
        name = "other accuracy or loss"
    raise Mistake(
        name,
        f"For 750 images, of which 600 are recognized, the accuracy is {accuracy:.2f} and the loss "
        f"{loss:.2f}, but 0.80 and 4.00 were expected.",
        "These figures decide which network is better. Batches of different sizes must not count "
        "alike: the last one is smaller.",
        "Over what are the figures averaged, and are all images among them?",
    )


def _evaluation(evaluate: Callable[..., Any]) -> tuple[Witness, Any]:
    net = instruments.knowing()
    split = instruments.mislabeled(instruments.numbered(750), slice(600, 750))
    return net, evaluate(net, split, mx.cpu())


# fit(net, fashion, recipe, seed=..., device=...)


def no_test_images(fit: Callable[..., Any]) -> None:
    """No test image is looked at: neither to learn from nor to choose by."""
    net = _run(fit)
    learned, looked = (_among(net, "test", recorded=recorded) for recorded in (True, False))
    if learned or looked:
        raise Mistake(
            "test data in training" if learned else "test data used during training",
            f"{learned or looked} test images were shown to the network while it was being "
            f"{'trained' if learned else 'judged, during training'}.",
            "The test says how good the network is on images that had no influence on it. After "
            "this, nothing can say that any more.",
            "Which split does each loop go over? The test images wait until everything is chosen.",
        )


def validation(fit: Callable[..., Any]) -> None:
    """The validation images are for judging, and are never learned from."""
    net = _run(fit)
    if _among(net, "valid", recorded=True):
        raise _validation("validation data in training", "the network learned from some of them")
    if not _among(net, "valid", recorded=False):
        raise _validation("no validation", "the network was never judged by them")


def _validation(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        f"The validation images are there to judge the network after each epoch, but {seen}.",
        "Judged by images that it has learned from, a network looks better than it is.",
        "Which split is passed to the training, and which to the evaluation?",
    )


def epochs(fit: Callable[..., Any]) -> None:
    """Every training image is learned from once in each epoch."""
    seen = [n for n in _run(fit).seen(recorded=True) if n < IMAGES]
    most = max(Counter(seen).values(), default=0)
    if len(seen) in (RECIPE.epochs * BATCHED, RECIPE.epochs * IMAGES) and most <= RECIPE.epochs:
        return
    raise Mistake(
        "another number of epochs",
        f"The recipe asks for {RECIPE.epochs} epochs, {RECIPE.epochs * BATCHED} images in all, but "
        f"{len(seen)} were learned from, none more than {most} times.",
        "The schedule of the learning rate counts on the number of steps.",
        "How often does the loop over the epochs run, and over all batches of each?",
    )


def _among(net: Witness, split: str, *, recorded: bool) -> int:
    """Return how many looks at images of that split the network had."""
    first, count = {"valid": (IMAGES, VALID), "test": (IMAGES + VALID, TEST)}[split]
    return sum(first <= number < first + count for number in net.seen(recorded=recorded))


def _run(fit: Callable[..., Any]) -> Witness:
    net = instruments.learning()
    fit(net, instruments.fashion(IMAGES, VALID, TEST), RECIPE, seed=0, device=mx.cpu())
    return net


def apart(seen: str) -> Mistake:
    return Mistake(
        "labels shuffled apart from images",
        f"{seen}: images met the labels of other images.",
        "A network can learn nothing from labels that do not belong to its images.",
        "Images and labels must be put in the same order. How often is the order drawn?",
    )
