"""Questions on a learner's passes over the data: an epoch, and an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import mxnet as mx
import numpy

from utils import train
from utils.checks import _witness
from utils.checks._report import Mistake
from utils.checks._training_step import check_moved, figures, softmax_twice, swapped
from utils.checks._witness import RATE, Witness

RECIPE = train.Recipe(epochs=2, batch_size=16, learning_rate=RATE, one_cycle=False)
IMAGES, BATCHED = 50, 48  # to train with; without the incomplete last batch
JUDGED, RIGHT = 750, 600  # images to evaluate; so many of them have their own label, the first ones


# train_epoch(net, split, recipe, trainer, rng, device)


def every_image(train_epoch: Callable[..., Any]) -> None:
    """Every image is learned from once, and not mirrored."""
    net = _epoch(train_epoch)
    if net.mirrored:
        raise Mistake(
            "images mirrored",
            f"{net.mirrored} images came with left and right exchanged, although the recipe says "
            f"flip={RECIPE.flip}.",
            "Two runs can only be compared if each did what its recipe says.",
            "Where are images mirrored, and does the recipe decide about it?",
        )
    seen = net.seen(recorded=True)
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


def steps(train_epoch: Callable[..., Any]) -> None:
    """After each batch the weights make a step, by the learning rate times the mean gradient.

    A network that knows every class has nothing to learn, if images have their own labels.
    """
    net = _epoch(train_epoch)
    if abs(net.weight_now - net.weight_before).max() > 1e-2:
        raise apart("A network that knows every image already had to learn")
    net = _epoch(train_epoch, net=_witness.learning())
    seen, size = net.seen(recorded=True), RECIPE.batch_size
    # Cut by the recipe and not by calls: one step may use the gradients of two half batches.
    batches = [seen[start : start + size] for start in range(0, len(seen), size)]
    before = net.weight_before
    check_moved(net, lambda rate: _witness.learned(before, batches, rate) - before, size)


def order(train_epoch: Callable[..., Any]) -> None:
    """The order of the images is drawn anew for every epoch."""
    rng = numpy.random.default_rng(0)
    check_order(*(_epoch(train_epoch, rng).seen(recorded=True) for _ in range(2)))


def check_order(first: list[int], second: list[int]) -> None:
    """Raise Mistake unless two epochs saw their images in two orders, neither that of the file."""
    if first == sorted(first) or first == second:
        raise Mistake(
            "not shuffled" if first == sorted(first) else "the same order in every epoch",
            "The images came in the order of the file, or twice in the same order.",
            "In another order every batch is a new mixture, and the network cannot lean on who "
            "comes after whom.",
            "Where does the order come from, and what does each epoch draw it with?",
        )


def _epoch(
    train_epoch: Callable[..., Any],
    rng: numpy.random.Generator | None = None,
    net: Witness | None = None,
) -> Witness:
    net = net or _witness.knowing()
    rng = rng or numpy.random.default_rng(0)
    split, optimizer = _witness.numbered(IMAGES), _witness.trainer(net)
    result = train_epoch(net, split, RECIPE, optimizer, rng, mx.cpu())
    if isinstance(result, Iterator):  # a generator does its work while someone asks for results
        for _ in result:
            pass
    return net


# evaluate(net, split, device)


def inference(evaluate: Callable[..., Any]) -> None:
    """The network is judged in inference mode."""
    net, _ = _evaluation(evaluate)
    if any(call.training for call in net.calls):
        raise in_training_mode()


def in_training_mode() -> Mistake:
    return Mistake(
        "evaluation in training mode",
        "While it was judged, the network was in training mode.",
        "Normalizations then use the statistics of the batch, so that the answer to one image "
        "depends on the others, and a dropout would drop numbers.",
        "Is there an `autograd.record` or `train_mode` around the call?",
    )


def judged(evaluate: Callable[..., Any]) -> None:
    """Mean loss and accuracy are those of all images: of 750 the last 150 have a wrong label."""
    net, result = _evaluation(evaluate)
    loss, accuracy = figures(result)
    if numpy.isclose(accuracy, 0.8) and numpy.isclose(loss, 4, rtol=1e-2):
        return
    if numpy.isclose(loss, 0.8) and numpy.isclose(accuracy, 4, rtol=1e-2):
        raise swapped("the loss first, then the accuracy")
    if numpy.isclose(loss, _loss_behind_softmax(), rtol=1e-3):
        raise softmax_twice(loss, 4)
    name = _name_of(net, loss, accuracy)
    if name == "labels shuffled apart from images":
        raise apart(f"The accuracy is {accuracy:.2f}, but it should be 0.80")
    raise Mistake(
        name,
        f"For {JUDGED} images, of which 600 are recognized, the accuracy is {accuracy:.2f} and the "
        f"loss {loss:.2f}, but 0.80 and 4.00 were expected.",
        "These figures decide which network is better. Batches of different sizes must not count "
        "alike: the last one is smaller.",
        "Over what are the figures averaged, and are all images among them?",
    )


def _name_of(net: Witness, loss: float, accuracy: float) -> str:
    """Return what is wrong with the figures of an evaluation."""
    seen = [number for call in net.calls for number in call.numbers]
    if numpy.isclose(accuracy, 0.8 * JUDGED):
        return "count in place of a share"
    if numpy.isclose(accuracy, 80):
        return "percent in place of a share"
    if numpy.isclose(loss, JUDGED * 4, rtol=1e-2):
        return "loss not averaged"
    if len(set(seen)) < JUDGED:
        return "images left out"
    wrong = numpy.mean([numpy.mean(numpy.array(call.numbers) >= RIGHT) for call in net.calls])
    is_right = numpy.isclose(loss, 4, rtol=1e-2)
    if numpy.isclose(loss, 20 * wrong, rtol=1e-2) or (
        is_right and numpy.isclose(accuracy, 1 - wrong)
    ):
        return "mean over the batches"
    if sorted(seen) == list(range(JUDGED)) and seen != sorted(seen):
        return "labels shuffled apart from images"
    return "other accuracy or loss"


def _loss_behind_softmax() -> float:
    numbers = numpy.arange(JUDGED)
    labels = (numbers + (numbers >= RIGHT)) % 10
    scores = _witness.knowing().weight_before[numbers % 10]
    return float(_witness.losses(_witness.softmax(scores), labels).mean())


def _evaluation(evaluate: Callable[..., Any]) -> tuple[Witness, Any]:
    net = _witness.knowing()
    split = _witness.mislabeled(_witness.numbered(JUDGED), slice(RIGHT, JUDGED))
    return net, evaluate(net, split, mx.cpu())


def apart(seen: str) -> Mistake:
    return Mistake(
        "labels shuffled apart from images",
        f"{seen}: images met the labels of other images.",
        "A network can learn nothing from labels that do not belong to its images.",
        "Images and labels must be put in the same order. How often is the order drawn?",
    )
