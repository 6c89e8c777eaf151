"""Questions on a learner's `train_step(net, X, y, trainer)`, which returns (mean loss, hits)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from utils.checks import instruments
from utils.checks.asking import short
from utils.checks.instruments import RATE, Witness
from utils.checks.report import Mistake

COUNT = 20  # images in a batch


def loss(train_step: Callable[..., Any]) -> None:
    """The first figure is the mean loss of the batch, before the weights moved."""
    before, _ = _reference(instruments.learning().weight_before)
    found, _ = figures(_steps(train_step, 1)[1])
    if numpy.isclose(found, before, rtol=1e-3):
        return
    summed = numpy.isclose(found, COUNT * before, rtol=1e-3)
    raise Mistake(
        "loss not averaged" if summed else "other loss",
        f"The loss is {found:.3f}, but the mean over the {COUNT} images is {before:.3f}.",
        "A mean can be compared between batches of different sizes, and with the logarithm of 10. "
        "A sum cannot.",
        "What does your function do with the losses of the images before it returns them?",
    )


def hits(train_step: Callable[..., Any]) -> None:
    """The second figure counts the images that were recognized."""
    _, expected = _reference(instruments.learning().weight_before)
    _, found = figures(_steps(train_step, 1)[1])
    if found == expected:
        return
    is_share = numpy.isclose(found, expected / COUNT)
    raise Mistake(
        "share in place of a count" if is_share else "other count of hits",
        f"The second figure is {found:g}, but {expected} of {COUNT} images were recognized.",
        "Counts of several batches can be added up to the accuracy of an epoch.",
        "Which class has the highest score, and how often is it the label?",
    )


def step(train_step: Callable[..., Any]) -> None:
    """The weights move against the gradient of the mean loss, by the learning rate."""
    net, _ = _steps(train_step, 1)
    expected = -RATE * _gradient(net.weight_before, 0)
    moved = net.weight_now - net.weight_before
    ratio = float((moved * expected).sum() / (expected**2).sum())
    if numpy.allclose(moved, expected, atol=1e-3 * abs(expected).max()):
        return
    if numpy.isclose(ratio, COUNT, rtol=1e-2):
        raise _step("step size forgotten", f"they moved {ratio:.0f} times as far")
    if numpy.isclose(ratio, 1 / COUNT, rtol=1e-2):
        raise _step("divided by the batch size twice", f"they moved {ratio:.2f} times as far")
    if not moved.any():
        raise _step("weights do not move", "they did not move at all")
    if ratio < 0:
        raise _step("steps uphill", "they moved along the gradient and not against it")
    raise _step("other step", "they moved in another direction, or another distance")


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
    net = instruments.learning()
    optimizer = instruments.trainer(net)
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
    """Return a batch in which every image has the label behind its own; the second one, two."""
    X, y = instruments.batch(COUNT, first)
    return X, ((y + 1 + first // COUNT) % 10).astype("int32")


def _gradient(weight: numpy.ndarray, first: int) -> numpy.ndarray:
    """Return the gradient of the mean loss on one of the batches, by the formula."""
    classes = numpy.arange(COUNT) % 10
    labels = (classes + 1 + first // COUNT) % 10
    inputs, targets = numpy.eye(10)[classes], numpy.eye(10)[labels]
    scores = numpy.exp(inputs @ weight)
    return inputs.T @ (scores / scores.sum(axis=1, keepdims=True) - targets) / COUNT


def _reference(weight: numpy.ndarray) -> tuple[float, int]:
    """Return the mean loss and the hits on the first batch, by the formula."""
    classes = numpy.arange(COUNT) % 10
    labels = (classes + 1) % 10
    scores = weight[classes]
    losses = numpy.log(numpy.exp(scores).sum(axis=1)) - scores[numpy.arange(COUNT), labels]
    return float(losses.mean()), int((scores.argmax(axis=1) == labels).sum())
