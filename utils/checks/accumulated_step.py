"""The questions asked of a step whose gradient is added up over the parts of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy
from mxnet import gluon, np

from utils.checks import _witness
from utils.checks._ask import Question, ask_all, check_function
from utils.checks._report import Mistake, Report
from utils.checks._witness import RATE, Witness

BATCHES = ((5, 9, 6), (8, 4))  # images in each part
MOMENTUM = 0.9


def accumulated_step(function: Any) -> Report:
    """Question a function `accumulated_step(net, parts, trainer)` that takes one step.

    `parts` are a batch in pieces: a list of (X, y), X (N, 1, 28, 28) and y (N,), where N differs.
    The step should be that of the whole batch, with one part at a time in the network.
    """
    return ask_all("A step over the parts of a batch", QUESTIONS, function)


def step(function: Callable[..., Any]) -> None:
    """The weights move as they do for the whole batch: each image counts once."""
    for place, sizes in enumerate(BATCHES):
        net, optimizer = _new()
        _learn(function, net, optimizer, place)
        moved = net.weight_now - net.weight_before
        counts = _counts(moved, _sums(net.weight_before, place), sum(sizes))
        _check_counts(counts, sizes)


def fresh_gradient(function: Callable[..., Any]) -> None:
    """The gradient of the second step has nothing left of the first one's."""
    net, optimizer = _new()
    weights = [net.weight_before]
    for place in range(len(BATCHES)):
        _learn(function, net, optimizer, place)
        weights.append(net.weight_now)
    first, second = numpy.diff(weights, axis=0)
    old = sum(_sums(weights[0], 0))
    images = sum(BATCHES[1])
    *_, of_old = _counts(second - MOMENTUM * first, [*_sums(weights[1], 1), old], images)
    if abs(of_old) > 0.05:
        raise _step(
            "gradients not put to zero",
            f"in a second step, {of_old:.0%} of the first one's gradient was there again",
        )


def memory(function: Callable[..., Any]) -> None:
    """No more than one part is held at any time."""
    check_function(function)
    net = _witness.Memory(_witness.learning())
    function(net, _parts(0), _witness.trainer(net, MOMENTUM))
    allowed, images = max(BATCHES[0]), sum(BATCHES[0])
    if net.most_held <= allowed:
        return
    together = net.largest_call > allowed
    raise Mistake(
        "parts put together" if together else "all parts held until the end",
        f"Of {images} images in parts of at most {allowed}, the network held {net.most_held} at "
        "the same time.",
        "What the network computes for an image stays in memory until its backward pass. A step in "
        "parts is for a device that has room for one part alone.",
        "How many images does the network get in one call?"
        if together
        else "When does the backward pass of the first part begin: before the second part, or "
        "behind the last one?",
    )


def _new() -> tuple[Witness, gluon.Trainer]:
    net = _witness.learning()
    return net, _witness.trainer(net, MOMENTUM)


def _learn(
    function: Callable[..., Any], net: Witness, optimizer: gluon.Trainer, place: int
) -> None:
    """Call the learner's function with a batch; raise Mistake unless the trainer took one step."""
    check_function(function)
    before, weight = optimizer.optimizer.num_update, net.weight_now
    function(net, _parts(place), optimizer)
    steps = optimizer.optimizer.num_update - before
    if steps == 1:
        return
    if steps == len(BATCHES[place]):
        raise _step("a step for each part", f"{steps} parts led to {steps} steps")
    if steps:
        raise _step("several steps", f"the trainer took {steps} steps")
    if (net.weight_now == weight).all():
        raise _step("weights do not move", "the weights did not move at all")
    raise _step("step without the trainer", "the weights moved, but the trainer took no step")


def _parts(place: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(_witness.batch(len(labels))[0], np.array(labels)) for _, labels in _contents(place)]


def _contents(place: int) -> list[tuple[numpy.ndarray, numpy.ndarray]]:
    """Return of each part the classes that its images show, and labels that belong to no other."""
    contents = []
    for number, size in enumerate(BATCHES[place], start=1 + sum(map(len, BATCHES[:place]))):
        shown = numpy.arange(size)
        contents.append((shown, ((shown + number) % 10).astype("int32")))
    return contents


def _sums(weight: numpy.ndarray, place: int) -> list[numpy.ndarray]:
    """Return the gradient of each part's sum of losses."""
    return [
        len(labels) * _witness.gradient(weight, shown, labels) for shown, labels in _contents(place)
    ]


def _counts(moved: numpy.ndarray, sums: Sequence[numpy.ndarray], images: int) -> tuple[float, ...]:
    """Return how often each of these gradients is in a step over so many images."""
    columns = numpy.stack([-RATE / images * gradient.ravel() for gradient in sums], axis=1)
    counts, *_ = numpy.linalg.lstsq(columns, moved.ravel(), rcond=None)
    rest = moved.ravel() - columns @ counts
    if numpy.linalg.norm(rest) > 1e-2 * numpy.linalg.norm(moved):
        raise _step("other step", "the weights moved in another direction")
    return tuple(counts)


def _check_counts(counts: Sequence[float], sizes: Sequence[int]) -> None:
    if numpy.allclose(counts, 1, atol=1e-2):
        return
    raise _step(
        _name(numpy.array(counts), sizes),
        f"in parts of {_listed(sizes)} images, each counts {_listed(counts)} times",
    )


def _listed(numbers: Sequence[float]) -> str:
    *others, last = (f"{round(number, 2) + 0:g}" for number in numbers)
    return f"{', '.join(others)} and {last}"


def _name(counts: numpy.ndarray, sizes: Sequence[int]) -> str:
    """Return the diagnosis for how often an image of each part counts."""
    used = abs(counts) > 1e-2
    if not used.all():
        alone = {0: "first part alone", len(sizes) - 1: "last part alone"}
        return alone.get(used.argmax(), "parts left out") if used.sum() == 1 else "parts left out"
    if (counts < 0).all():
        return "steps uphill"
    if numpy.ptp(counts) < 1e-2 * counts.max():
        divisors = {
            1: "step size forgotten",
            len(sizes): "divided by the number of parts",
            sizes[-1]: "divided by the size of the last part",
        }
        return divisors.get(round(sum(sizes) / counts.mean()), "another step size")
    of_parts = counts * sizes
    alike = numpy.ptp(of_parts) < 1e-2 * of_parts.max()
    return "mean of means" if alike else "parts weighed differently"


def _step(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        "The step should be that of the whole batch, in which each image counts once. "
        f"Seen: {seen}.",
        "Only then is a batch in parts the same training as on a larger device, with the same "
        "learning rate.",
        "Follow the gradient from part to part: what is in it before the first part, behind the "
        "first, behind the last? By which number of images is it divided, and how often?",
    )


QUESTIONS = (
    Question("step", "Does each image of the batch count once, in one step?", step, 2),
    Question("next step", "Does it begin with a gradient of zero?", fresh_gradient),
    Question("memory", "Is one part held at a time?", memory),
)
