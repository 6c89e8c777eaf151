"""Questions about a learner's passes over the data: an epoch, an evaluation, a whole training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import mxnet as mx
import numpy

from utils.checks import _witness
from utils.checks._report import Mistake
from utils.checks._training_step import check_moved, softmax_twice, swapped, two_numbers
from utils.checks._witness import RATE, Witness
from utils.recipes import Recipe

RECIPE = Recipe(epochs=2, batch_size=16, learning_rate=RATE, one_cycle=False)
IMAGES, BATCHED = 50, 48  # training images; how many of them fill whole batches
VALID, TEST = 20, 30  # further images of `fit`
JUDGED, RIGHT = 750, 600  # images to evaluate; the first ones have their own label


# train_epoch(net, split, recipe, trainer, rng, device)


def every_image(train_epoch: Callable[..., Any]) -> None:
    """Every image is trained on once, and not mirrored."""
    net = _epoch(train_epoch)
    if net.mirrored:
        raise Mistake(
            "images mirrored",
            "Mirrored images came {count} times, although the recipe says flip={flip}.".format(
                count=net.mirrored, flip=RECIPE.flip
            ),
            "Two runs can be compared only if each does what its recipe says.",
            "Where are images mirrored, and does the recipe decide it?",
        )
    seen = net.seen(recorded=True)
    different = len(set(seen))
    again = len(seen) - different
    if not again and different in (BATCHED, IMAGES):
        return
    raise Mistake(
        "images seen again" if again else "images left out",
        "In batches of {batch_size}, an epoch should train once on each of {whole} images out of "
        "{images}. It trained on {different} different images; repetitions: {again}.".format(
            batch_size=RECIPE.batch_size,
            whole=BATCHED,
            images=IMAGES,
            different=different,
            again=again,
        ),
        "An image that is left out teaches the network nothing, and one that is repeated counts "
        "twice.",
        "How do you cut the batches? Look at the first and the last index of each.",
    )


def steps(train_epoch: Callable[..., Any]) -> None:
    """Each batch moves the weights by the learning rate times the mean gradient.

    A network that classifies every image correctly has nothing to learn, unless images meet the
    labels of others.
    """
    net = _epoch(train_epoch)
    if abs(net.weight_now - net.weight_before).max() > 1e-2:
        raise _shuffled_apart(
            "Images met the labels of other images: a network that classifies every image "
            "correctly still had to learn."
        )
    net = _epoch(train_epoch, net=_witness.learning())
    seen, size = net.seen(recorded=True), RECIPE.batch_size
    # Cut by the recipe and not by calls: one step may use the gradients of two half batches.
    batches = [seen[start : start + size] for start in range(0, len(seen), size)]
    before = net.weight_before
    check_moved(net, lambda rate: _witness.learned(before, batches, rate) - before, size)


def order(train_epoch: Callable[..., Any]) -> None:
    """Each epoch draws a new order of the images."""
    rng = numpy.random.default_rng(0)
    _check_order(*(_epoch(train_epoch, rng).seen(recorded=True) for _ in range(2)))


def _check_order(first: list[int], second: list[int]) -> None:
    """Raise Mistake unless two epochs saw the images in two orders, neither that of the file."""
    if first == sorted(first):
        raise _same_batches("not shuffled", "The images came in the order of the file.")
    if first == second:
        raise _same_batches(
            "the same order in every epoch", "In both epochs the images came in the same order."
        )


def _same_batches(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "Shuffling makes every batch a fresh sample of the images. In a fixed order, the network "
        "meets the same batches again and again.",
        "Where does the order come from, and is it drawn anew for each epoch?",
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
    if isinstance(result, Iterator):  # a generator works only while its results are asked for
        for _ in result:
            pass
    return net


# evaluate(net, split, device)


def inference_mode(evaluate: Callable[..., Any]) -> None:
    """The network is evaluated in inference mode."""
    net, _ = _evaluation(evaluate)
    if any(call.training for call in net.calls):
        raise _in_training_mode()


def _in_training_mode() -> Mistake:
    return Mistake(
        "evaluation in training mode",
        "The network was evaluated in training mode.",
        "In training mode, batch normalization uses the statistics of the batch, so that the "
        "scores of an image depend on the other images, and dropout would set values to zero.",
        "Is there an `autograd.record` or a `train_mode` around the call?",
    )


def loss_and_accuracy(evaluate: Callable[..., Any]) -> None:
    """Loss and accuracy are means over all images; of 750, the last 150 have a wrong label."""
    net, result = _evaluation(evaluate)
    loss, accuracy = two_numbers(result)
    if numpy.isclose(accuracy, 0.8) and numpy.isclose(loss, 4, rtol=1e-2):
        return
    if numpy.isclose(loss, 0.8) and numpy.isclose(accuracy, 4, rtol=1e-2):
        raise swapped(
            "Both numbers are right, but their order is not: the loss comes first, then the "
            "accuracy."
        )
    if numpy.isclose(loss, _loss_after_softmax(), rtol=1e-3):
        raise softmax_twice(loss, 4)
    name = _name_of(net, loss, accuracy)
    if name == "labels shuffled apart from images":
        raise _shuffled_apart(
            "Images met the labels of other images: the accuracy is {accuracy:.2f}, but it should "
            "be 0.80.".format(accuracy=accuracy)
        )
    raise Mistake(
        name,
        "The network classifies {right} of {images} images correctly, so that the loss should be "
        "4.00 and the accuracy 0.80. Your function returned {loss:.2f} and {accuracy:.2f}.".format(
            right=RIGHT, images=JUDGED, loss=loss, accuracy=accuracy
        ),
        "These numbers decide which network is better. Every image must count the same, although "
        "the last batch is smaller than the others.",
        "Over what do you average, and is every image included?",
    )


def _name_of(net: Witness, loss: float, accuracy: float) -> str:
    """Return the diagnosis of a wrong evaluation."""
    seen = [number for call in net.calls for number in call.numbers]
    if numpy.isclose(accuracy, 0.8 * JUDGED):
        return "count instead of a fraction"
    if numpy.isclose(accuracy, 80):
        return "percentage instead of a fraction"
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
    return "wrong loss or accuracy"


def _loss_after_softmax() -> float:
    numbers = numpy.arange(JUDGED)
    labels = (numbers + (numbers >= RIGHT)) % 10
    scores = _witness.knowing().weight_before[numbers % 10]
    return float(_witness.losses(_witness.softmax(scores), labels).mean())


def _evaluation(evaluate: Callable[..., Any]) -> tuple[Witness, Any]:
    net = _witness.knowing()
    split = _witness.mislabeled(_witness.numbered(JUDGED), slice(RIGHT, JUDGED))
    return net, evaluate(net, split, mx.cpu())


def _shuffled_apart(seen: str) -> Mistake:
    return Mistake(
        "labels shuffled apart from images",
        seen,
        "A network can learn nothing from labels that belong to other images.",
        "Images and labels must be put in the same order. How many times do you draw an order?",
    )


# fit(net, fashion, recipe, *, seed, device)


def no_test_images(fit: Callable[..., Any]) -> None:
    """The network sees no test image, neither to train on nor to be chosen by."""
    net = _fit(fit)
    last_step = max((i for i, call in enumerate(net.calls) if call.recorded), default=0)
    before_last = [number for call in net.calls[:last_step] for number in call.numbers]
    trained = _among("test", net.seen(recorded=True))
    evaluated = _among("test", net.seen(recorded=False))
    if not trained and not evaluated:
        return
    if trained:
        name = "test data in training"
        seen = "The network trained on test images: {count} times."
    elif _among("test", before_last):
        name = "test data used during training"
        seen = "Before the last training step, the network saw test images: {count} times in all."
    else:
        name = "test data used by fit"
        seen = "After the last training step, the network saw test images: {count} times."
    raise Mistake(
        name,
        seen.format(count=trained or evaluated),
        "The test accuracy tells how good a network is on images that had no influence on it. You "
        "choose a recipe after many runs. If each of them looks at the test images, the choice "
        "depends on them.",
        "Which split does each loop go over? Leave the test images alone until you have chosen.",
    )


def validation(fit: Callable[..., Any]) -> None:
    """The validation images evaluate the network after each epoch, and never train it."""
    net = _fit(fit)
    if _among("valid", net.seen(recorded=True)):
        raise _validation(
            "validation data in training", "The network trained on some of the validation images."
        )
    seen = _among("valid", net.seen(recorded=False))
    if not seen:
        raise _validation("no validation", "The network was never evaluated on them.")
    epochs = _most_often(_trained_on(net))
    if seen < epochs * VALID:
        raise _validation(
            "validation not after each epoch",
            "In {epochs} epochs it should see {expected} validation images, {images} after each, "
            "but it saw {seen}.".format(
                epochs=epochs, expected=epochs * VALID, images=VALID, seen=seen
            ),
        )
    if any(call.training and _among("valid", call.numbers) for call in net.calls):
        raise _in_training_mode()


def _validation(name: str, seen: str) -> Mistake:
    expected = "The network should be evaluated on the validation images after each epoch."
    return Mistake(
        name,
        f"{expected} {seen}",
        "On images that it was trained on, a network looks better than it is. And without numbers "
        "for each epoch, you cannot see when more training stopped helping.",
        "Which split do you pass to the training, which to the evaluation, and how often?",
    )


def new_order(fit: Callable[..., Any]) -> None:
    """Each epoch draws a new order of the images."""
    first, second = numpy.array_split(_trained_on(_fit(fit)), RECIPE.epochs)
    _check_order(first.tolist(), second.tolist())


def epochs(fit: Callable[..., Any]) -> None:
    """Every training image is trained on once in each epoch."""
    seen = _trained_on(_fit(fit))
    most = _most_often(seen)
    if len(seen) in (RECIPE.epochs * BATCHED, RECIPE.epochs * IMAGES) and most <= RECIPE.epochs:
        return
    raise Mistake(
        "wrong number of epochs",
        "The recipe asks for {epochs} epochs, that is, {expected} training images in all. The "
        "network trained on {seen}, and on none of them more than {most} times.".format(
            epochs=RECIPE.epochs, expected=RECIPE.epochs * BATCHED, seen=len(seen), most=most
        ),
        "The schedule of the learning rate counts on the number of steps.",
        "How often does the loop over the epochs run, and does each epoch go over all batches?",
    )


def _trained_on(net: Witness) -> list[int]:
    """Return the training images that the network was trained on, in order."""
    return [number for number in net.seen(recorded=True) if number < IMAGES]


def _most_often(seen: list[int]) -> int:
    """Return how often the most frequent image came."""
    return max(Counter(seen).values(), default=0)


def _among(split: str, numbers: Iterable[int]) -> int:
    """Return how many of the numbers belong to images of a split."""
    first, count = {"valid": (IMAGES, VALID), "test": (IMAGES + VALID, TEST)}[split]
    return sum(first <= number < first + count for number in numbers)


def _fit(fit: Callable[..., Any]) -> Witness:
    net = _witness.learning()
    fit(net, _witness.fashion(IMAGES, VALID, TEST), RECIPE, seed=0, device=mx.cpu())
    return net
