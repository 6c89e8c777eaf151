"""Questions on a learner's `train_step(net, X, y, trainer)`, which returns (mean loss, hits)."""

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


def loss(train_step: Callable[..., Any]) -> None:
    """The first figure is the mean loss of the batch, before the weights moved."""
    scores, labels = _before()
    mean = _witness.losses(scores, labels).mean()
    found, second = figures(_steps(train_step, 1)[1])
    if numpy.isclose(found, mean, rtol=1e-3):
        return
    if numpy.isclose(second, mean, rtol=1e-3):
        raise swapped("the loss first, then the number of recognized images")
    if numpy.isclose(found, _witness.losses(_witness.softmax(scores), labels).mean(), rtol=1e-3):
        raise softmax_twice(found, mean)
    summed = numpy.isclose(found, COUNT * mean, rtol=1e-3)
    raise Mistake(
        "loss not averaged" if summed else "other loss",
        f"The loss is {found:.3f}, but the mean over the {COUNT} images is {mean:.3f}.",
        "A mean can be compared between batches of different sizes, and with the logarithm of 10. "
        "A sum cannot.",
        "What does your function do with the losses of the images before it returns them?",
    )


def hits(train_step: Callable[..., Any]) -> None:
    """The second figure counts the images that were recognized, before the weights moved."""
    scores, labels = _before()
    expected = _witness.hits(scores, labels)
    net, result = _steps(train_step, 1)
    _, found = figures(result)
    if abs(found - expected) < 1e-3:  # a share times the batch size is not always a whole number
        return
    names = {
        "share in place of a count": expected / COUNT,
        "percent in place of a count": 100 * expected / COUNT,
        "hits counted after the step": _witness.hits(net.weight_now[_shown(0)], labels),
    }
    matching = [name for name, value in names.items() if abs(found - value) < 1e-3]
    raise Mistake(
        matching[0] if matching else "other count of hits",
        f"The second figure is {found:g}, but {expected} of {COUNT} images were recognized before "
        "the step.",
        "Counts of several batches can be added up to the accuracy of an epoch, and belong to the "
        "same weights as the loss.",
        "Which class has the highest score, and how often is it the label? When are the scores "
        "computed, and by what is the count divided?",
    )


def step(train_step: Callable[..., Any]) -> None:
    """The weights move against the gradient of the mean loss, by the learning rate."""
    net, _ = _steps(train_step, 1)
    gradient = _gradient(net.weight_before, 0)
    check_moved(net, lambda rate: -rate * gradient, COUNT)


def check_moved(net: Witness, moves: Callable[[float], numpy.ndarray], count: int) -> None:
    """Raise Mistake unless the weights moved as they should with `count` images in a batch.

    `moves` returns how far they move with a learning rate.
    """
    moved, expected = net.weight_now - net.weight_before, moves(RATE)
    if numpy.allclose(moved, expected, atol=1e-3 * abs(expected).max()):
        return
    if not moved.any():
        raise _step("weights do not move", "they did not move at all")
    length = numpy.linalg.norm(moved) / numpy.linalg.norm(expected)
    far = f"they moved in the right direction, but {length:.3g} times as far"
    mistaken = {
        "step size forgotten": RATE * count,
        "divided by the batch size twice": RATE / count,
    }
    for name, rate in mistaken.items():
        if numpy.allclose(moved, moves(rate), atol=1e-2 * abs(moves(rate)).max()):
            raise _step(name, far)
    cosine = (moved * expected).sum() / (numpy.linalg.norm(moved) * numpy.linalg.norm(expected))
    if cosine > 0.99:
        raise _step("another step size", far)
    if cosine < -0.5:
        raise _step("steps uphill", "they moved along the gradient and not against it")
    raise _step("other step", "they moved in another direction")


def _step(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        "In one step the weights should move by the learning rate times the gradient of the mean "
        f"loss, against it. Seen: {seen}.",
        "The learning rate of a recipe means the same for every batch size only if the step "
        "belongs to the mean.",
        "What is the number in `trainer.step(...)`, and is `backward` called on the losses or on "
        "their mean?",
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
            "The second step also contains the gradient of the first batch, "
            f"{of_one / of_two:.1f} times.",
            "Each step should use the gradient at the place where the weights are now. Old ones "
            "pile up and point elsewhere.",
            "Look for `grad_req` and for a second `backward`: are gradients added to old ones?",
        )


def mode(train_step: Callable[..., Any]) -> None:
    """The network computes in training mode."""
    net, _ = _steps(train_step, 1)
    if any(call.recorded and not call.training for call in net.calls):
        raise Mistake(
            "learns in inference mode",
            "While the gradient was recorded, the network was in inference mode.",
            "Then normalizations use running statistics that nobody has measured yet, and never "
            "measure any.",
            "What is passed to `autograd.record`?",
        )


def softmax_twice(found: float, expected: float) -> Mistake:
    """Return the Mistake of a loss that got probabilities in place of scores."""
    return Mistake(
        "softmax before the loss",
        f"The loss is {found:.3f}, which is that of probabilities, but the loss of the scores is "
        f"{expected:.3f}.",
        "This loss contains a softmax. Behind a second one the best and the worst answer hardly "
        "differ, and the gradient is small.",
        "What lies between the output of the network and the loss?",
    )


def swapped(order: str) -> Mistake:
    """Return the Mistake of two right figures in the wrong order."""
    return Mistake(
        "figures swapped",
        f"Both figures are right, but they come in the wrong order. It should be: {order}.",
        "Whoever calls the function takes the first figure for the loss.",
        "In which order does your `return` name them?",
    )


def figures(result: Any) -> tuple[float, float]:
    """Return two figures as numbers, or raise Mistake for anything else."""
    try:
        first, second = (float(figure) for figure in result)
    except Exception as error:
        raise Mistake(
            "returns other figures",
            f"Two numbers were expected, but this came: {short(result)}.",
            "Whoever calls the function adds these figures up and draws them.",
            "Read the `return` of your function. Is each figure one number, not an array of many?",
        ) from error
    return first, second


def _steps(train_step: Callable[..., Any], count: int) -> tuple[Witness, Any]:
    """Return a network after some steps on different batches, and the figures of the last."""
    net = _witness.learning()
    optimizer = _witness.trainer(net)
    result = None
    for i in range(count):
        X, y = _batch(i * COUNT)
        try:
            result = train_step(net, X, y, optimizer)
        except TypeError as error:
            if "step() missing" in str(error):
                seen = "`trainer.step` was called without a number"
                raise _step("step size forgotten", seen) from error
            raise
    return net, result


def _batch(first: int) -> tuple[Any, Any]:
    """Return the batch that begins with this image, with labels that do not belong to it."""
    X, _ = _witness.batch(COUNT, first)
    return X, np.array(_labels(first))


def _shown(first: int) -> numpy.ndarray:
    """Return the classes that the images of a batch show."""
    return numpy.arange(first, first + COUNT) % 10


def _labels(first: int) -> numpy.ndarray:
    """Return the label behind the own one of each image; in the second batch, two behind."""
    return ((_shown(first) + 1 + first // COUNT) % 10).astype("int32")


def _gradient(weight: numpy.ndarray, first: int) -> numpy.ndarray:
    return _witness.gradient(weight, _shown(first), _labels(first))


def _before() -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return the scores of the first batch, before any step, and its labels."""
    return _witness.learning().weight_before[_shown(0)], _labels(0)
