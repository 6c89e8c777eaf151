"""Questions about a learner's `train_step(net, X, y, trainer)`.

It returns the mean loss of the batch and the number of correct predictions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
from mxnet import np

from utils.checks import _witness
from utils.checks._ask import short
from utils.checks._report import Mistake
from utils.checks._witness import RATE, Witness

COUNT = 20  # images in a batch


def mean_loss(train_step: Callable[..., Any]) -> None:
    """The first number is the mean loss of the batch, before the weights move."""
    scores, labels = _before()
    expected = float(_witness.losses(scores, labels).mean())
    found, second = two_numbers(_steps(train_step, 1)[1])
    if numpy.isclose(found, expected, rtol=1e-3):
        return
    if numpy.isclose(second, expected, rtol=1e-3):
        raise swapped(
            "Both numbers are right, but their order is not: the loss comes first, then the "
            "number of correct predictions."
        )
    of_probabilities = _witness.losses(_witness.softmax(scores), labels).mean()
    if numpy.isclose(found, of_probabilities, rtol=1e-3):
        raise softmax_twice(found, expected)
    is_sum = numpy.isclose(found, COUNT * expected, rtol=1e-3)
    raise Mistake(
        "loss not averaged" if is_sum else "wrong loss",
        "The returned loss is {found:.3f}, but the mean over the {count} images is "
        "{expected:.3f}.".format(found=found, count=COUNT, expected=expected),
        "A mean can be compared between batches of different sizes, and with ln 10, the loss of a "
        "network that finds all ten classes equally likely. A sum cannot.",
        "What does your function do with the losses of the images before it returns them? Are they "
        "computed before the step?",
    )


def correct_predictions(train_step: Callable[..., Any]) -> None:
    """The second number counts the predictions that were correct before the weights moved."""
    scores, labels = _before()
    expected = _witness.hits(scores, labels)
    net, result = _steps(train_step, 1)
    _, found = two_numbers(result)
    if abs(found - expected) < 1e-3:  # a fraction times the batch size is rarely a whole number
        return
    diagnoses = {
        "fraction instead of a count": expected / COUNT,
        "percentage instead of a count": 100 * expected / COUNT,
        "counted after the step": _witness.hits(net.weight_now[_shown(0)], labels),
    }
    matching = [name for name, value in diagnoses.items() if abs(found - value) < 1e-3]
    raise Mistake(
        matching[0] if matching else "wrong count",
        "The second number is {found:g}, but before the step {expected} of {count} predictions "
        "were correct.".format(found=found, expected=expected, count=COUNT),
        "The counts of all batches add up to the accuracy of an epoch. They must belong to the "
        "same weights as the loss.",
        "For how many images is the class with the highest score the label? When are the scores "
        "computed, and is the count divided by anything?",
    )


def step(train_step: Callable[..., Any]) -> None:
    """The weights move against the gradient of the mean loss, scaled by the learning rate."""
    net, _ = _steps(train_step, 1)
    gradient = _gradient(net.weight_before, 0)
    check_moved(net, lambda rate: -rate * gradient, COUNT)


def check_moved(net: Witness, moves: Callable[[float], numpy.ndarray], count: int) -> None:
    """Raise Mistake unless the weights moved as they should in batches of `count` images.

    `moves` returns the right change of the weights, (10, 10), for a learning rate.
    """
    moved, expected = net.weight_now - net.weight_before, moves(RATE)
    if numpy.allclose(moved, expected, atol=1e-3 * abs(expected).max()):
        return
    if not moved.any():
        raise _wrong_step("weights do not move", "The weights did not move at all.")
    ratio = numpy.linalg.norm(moved) / numpy.linalg.norm(expected)
    too_far = "The weights moved in the right direction, but {ratio:.3g} times as far.".format(
        ratio=ratio
    )
    diagnoses = {
        "not divided by the batch size": RATE * count,
        "divided by the batch size twice": RATE / count,
    }
    for name, rate in diagnoses.items():
        if numpy.allclose(moved, moves(rate), atol=1e-2 * abs(moves(rate)).max()):
            raise _wrong_step(name, too_far)
    cosine = (moved * expected).sum() / (numpy.linalg.norm(moved) * numpy.linalg.norm(expected))
    if cosine > 0.99:
        raise _wrong_step("wrong step length", too_far)
    if cosine < -0.5:
        raise _wrong_step(
            "step uphill", "The weights moved along the gradient, and not against it."
        )
    raise _wrong_step("wrong direction", "The weights moved in another direction.")


def _wrong_step(name: str, seen: str) -> Mistake:
    expected = (
        "In one step the weights should move against the gradient of the mean loss, by the "
        "learning rate times that gradient."
    )
    return Mistake(
        name,
        f"{expected} {seen}",
        "A learning rate means the same for every batch size only if the step uses the gradient of "
        "the mean loss.",
        "Which number do you pass to `trainer.step(...)`? Do you call `backward` on the losses or "
        "on their mean?",
    )


def fresh_gradient(train_step: Callable[..., Any]) -> None:
    """The second step follows the gradient of the second batch alone."""
    first, _ = _steps(train_step, 1)
    net, _ = _steps(train_step, 2)
    middle, last = first.weight_now, net.weight_now
    one, two = _gradient(first.weight_before, 0), _gradient(middle, COUNT)
    (of_two, of_one), *_ = numpy.linalg.lstsq(
        numpy.stack([two.ravel(), one.ravel()], axis=1), (last - middle).ravel(), rcond=None
    )
    if abs(of_one) > 0.05 * abs(of_two):
        raise Mistake(
            "gradients accumulated",
            "The second step also contains the gradient of the first batch, {ratio:.1f} times as "
            "strong as that of the second.".format(ratio=of_one / of_two),
            "A step should follow the gradient at the current weights. Old gradients pile up and "
            "point elsewhere.",
            "Look for `grad_req` and for a second `backward`: are gradients added to old ones?",
        )


def training_mode(train_step: Callable[..., Any]) -> None:
    """The network runs in training mode while the gradient is recorded."""
    net, _ = _steps(train_step, 1)
    if any(call.recorded and not call.training for call in net.calls):
        raise Mistake(
            "learns in inference mode",
            "While the gradient was recorded, the network ran in inference mode.",
            "In inference mode, normalizations use their running statistics, and never update "
            "them.",
            "What do you pass to `autograd.record`?",
        )


def softmax_twice(found: float, expected: float) -> Mistake:
    """Return the Mistake of a loss that got probabilities in place of scores."""
    return Mistake(
        "softmax before the loss",
        "The loss is {found:.3f}. That is the loss of the probabilities, but the loss of the "
        "scores is {expected:.3f}.".format(found=found, expected=expected),
        "This loss applies a softmax itself. After a second softmax, the best and the worst answer "
        "hardly differ, and the gradient is small.",
        "What stands between the output of the network and the loss?",
    )


def swapped(seen: str) -> Mistake:
    """Return the Mistake of two right numbers in the wrong order."""
    return Mistake(
        "numbers swapped",
        seen,
        "Code that calls the function takes the first number for the loss.",
        "In which order does your `return` name them?",
    )


def two_numbers(result: Any) -> tuple[float, float]:
    """Return a result as two numbers; raise Mistake for anything else."""
    try:
        first, second = (float(number) for number in result)
    except Exception as error:
        raise Mistake(
            "not two numbers",
            "The function should return two numbers, but it returned {result}.".format(
                result=short(result)
            ),
            "The training loop adds these numbers up and plots them.",
            "Read the `return` of your function. Is each of the two a single number, and not an "
            "array?",
        ) from error
    return first, second


def _steps(train_step: Callable[..., Any], count: int) -> tuple[Witness, Any]:
    """Return a network after `count` steps on different batches, and the result of the last."""
    net = _witness.learning()
    optimizer = _witness.trainer(net)
    result = None
    for i in range(count):
        X, y = _batch(i * COUNT)
        try:
            result = train_step(net, X, y, optimizer)
        except TypeError as error:
            if "step() missing" in str(error):
                raise _wrong_step(
                    "not divided by the batch size", "`trainer.step` was called without a number."
                ) from error
            raise
    return net, result


def _batch(first: int) -> tuple[Any, Any]:
    """Return the batch that begins with image `first`, with labels that are all wrong."""
    X, _ = _witness.batch(COUNT, first)
    return X, np.array(_labels(first))


def _shown(first: int) -> numpy.ndarray:
    """Return the classes that the images of a batch show, (N,)."""
    return numpy.arange(first, first + COUNT) % 10


def _labels(first: int) -> numpy.ndarray:
    """Return the class after the shown one for each image; in the second batch, two after it."""
    return ((_shown(first) + 1 + first // COUNT) % 10).astype("int32")


def _gradient(weight: numpy.ndarray, first: int) -> numpy.ndarray:
    return _witness.gradient(weight, _shown(first), _labels(first))


def _before() -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return the scores of the first batch before any step, and its labels."""
    return _witness.learning().weight_before[_shown(0)], _labels(0)
