"""How the weights of a witness moved, step by step, and whether its recipe moves them so.

Each step is taken apart into a multiple of the gradient, the learning rate, and a multiple of the
momentum that had gathered before it. So it does not matter who moved the weights: the recipe's
trainer, another one, or code of the learner's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy

from utils.checks import _witness
from utils.checks._report import Mistake
from utils.checks._witness import Witness
from utils.recipes import Recipe

TOLERANCE = (
    0.02  # part of a step or of the highest rate; right ones are less than a tenth of it off
)
LOST = 0.1  # part of the momentum
NOTHING = 1e-3  # part of the highest learning rate


class Step(NamedTuple):
    """One step: how many images it had, their gradient, and the weights before and after it."""

    images: int
    gradient: numpy.ndarray
    before: numpy.ndarray
    after: numpy.ndarray

    @property
    def moved(self) -> numpy.ndarray:
        return self.after - self.before


class Reading(NamedTuple):
    """What moved the weights in one step: a learning rate, and a share of the momentum.

    `rest` is the part of the step that neither explains.
    """

    rate: float
    kept: float
    rest: float


def check_carried(net: Witness, recipe: Recipe) -> None:
    """Raise Mistake if the weights were changed by anything but steps."""
    has_learned = False
    for weight in (*(call.weight for call in net.calls), net.weight_now):
        is_first = numpy.array_equal(weight, net.weight_before)
        if has_learned and is_first:
            raise Mistake(
                "network starts again",
                "After some steps the network had the weights again with which it began.",
                "What it had learned until then is lost.",
                "Where do the weights get their first values, and how often does that line run?",
            )
        has_learned = has_learned or not is_first
    steps = list(_steps(net, recipe))
    if any(not numpy.array_equal(one.after, two.before) for one, two in zip(steps, steps[1:])):
        raise Mistake(
            "weights replaced",
            "Between two steps, the weights of the network were replaced by others.",
            "A step should begin where the one before it ended.",
            "Who writes to the weights, apart from the trainer?",
        )


def check_path(net: Witness, recipe: Recipe, planned: int) -> None:
    """Raise Mistake unless each step moved the weights as the recipe would.

    `planned` is the number of steps in the whole run.
    """
    steps = list(_steps(net, recipe))
    if not any(step.moved.any() for step in steps):
        raise wrong_step("weights do not move", "The weights did not move at all.")
    _check_sizes(steps, recipe)
    measured = replace(recipe, weight_decay=_decay(steps[0]))
    readings = _best(steps, measured)
    if not _explained(readings):
        raise _wrong_direction(steps, measured)
    _check_momentum(readings, recipe)
    _check_rates(readings, recipe, planned)
    _check_decay(measured.weight_decay, recipe.weight_decay)


def wrong_step(name: str, seen: str) -> Mistake:
    """Return the Mistake of a step of the wrong length or direction."""
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


def wrong_length(ratio: float, count: int) -> Mistake:
    """Return the Mistake of steps in batches of `count` that are `ratio` times as long as right."""
    if ratio < 0:
        return wrong_step(
            "step uphill", "The weights moved along the gradient, and not against it."
        )
    name = "wrong step length"
    if math.isclose(ratio, count, rel_tol=TOLERANCE):
        name = "not divided by the batch size"
    elif math.isclose(ratio, 1 / count, rel_tol=TOLERANCE):
        name = "divided by the batch size twice"
    return wrong_step(
        name,
        "The weights moved in the right direction, but {ratio:.3g} times as far.".format(
            ratio=ratio
        ),
    )


# Steps


def _steps(net: Witness, recipe: Recipe) -> Iterator[Step]:
    """Yield the training steps: calls with the same weights belong to one, as do two half batches.

    Where the weights stay the same to the end, nothing tells how many steps that was; then a step
    has as many images as a batch.
    """
    numbers: list[int] = []
    for call, following in zip(net.calls, [*net.calls[1:], None]):
        after = following.weight if following else net.weight_now
        if call.recorded:
            numbers += call.numbers
        if numbers and not numpy.array_equal(call.weight, after):
            yield _step(numbers, call.weight, after)
            numbers = []
    for start in range(0, len(numbers), recipe.batch_size):
        batch = numbers[start : start + recipe.batch_size]
        yield _step(batch, net.weight_now, net.weight_now)


def _step(numbers: Sequence[int], before: numpy.ndarray, after: numpy.ndarray) -> Step:
    shown = numpy.array(numbers) % 10  # an image shows the last digit of its number
    return Step(len(numbers), _witness.gradient(before, shown, shown), before, after)


def _check_sizes(steps: Sequence[Step], recipe: Recipe) -> None:
    """Raise Mistake unless each step has a whole batch; the last one of an epoch may be smaller."""
    sizes = [step.images for step in steps]
    smaller = sum(size < recipe.batch_size for size in sizes)
    if max(sizes) > recipe.batch_size or smaller > recipe.epochs:
        raise Mistake(
            "another batch size",
            "The recipe asks for a step on each batch of {expected} images. The network took "
            "steps on {found}.".format(
                expected=recipe.batch_size, found=", ".join(map(str, sorted(set(sizes))))
            ),
            "The batch size decides how many steps there are and how much chance is in each of "
            "them. Learning rate and schedule belong to it.",
            "From where does your code take the number of images in a batch, and how often does it "
            "call `trainer.step`?",
        )


# What moved the weights


def _best(steps: Sequence[Step], recipe: Recipe) -> list[Reading]:
    """Read the steps as Nesterov's momentum or as plain momentum, whichever explains them better.

    The recipe has the former, but the latter learns nearly as well.
    """
    readings = [_read(steps, recipe, nesterov=nesterov) for nesterov in (True, False)]
    return min(readings, key=lambda read: sum(reading.rest for reading in read))


def _read(steps: Sequence[Step], recipe: Recipe, *, nesterov: bool) -> list[Reading]:
    momentum, decay = recipe.momentum, recipe.weight_decay
    velocity = numpy.zeros_like(steps[0].before)
    readings = []
    for step in steps:
        pull = step.gradient + decay * step.before
        glide = momentum * velocity
        if nesterov:  # as if the gradient were applied once more after the momentum
            rate, kept, rest = parts(step.moved, -(1 + momentum) * pull, momentum * glide)
        else:
            rate, kept, rest = parts(step.moved, -pull, glide)
        readings.append(Reading(rate, kept if velocity.any() else 1.0, rest))
        velocity = kept * glide - rate * pull
    return readings


def parts(moved: numpy.ndarray, *columns: numpy.ndarray) -> tuple[float, float, float]:
    """Return how often each of two columns is contained in a step, and the rest of the step."""
    matrix = numpy.stack([column.ravel() for column in columns], axis=1)
    (one, two), *_ = numpy.linalg.lstsq(matrix, moved.ravel(), rcond=None)
    rest = numpy.linalg.norm(moved.ravel() - matrix @ (one, two))
    return float(one), float(two), float(rest / (numpy.linalg.norm(moved) or 1))


def _explained(readings: Sequence[Reading]) -> bool:
    return all(reading.rest < TOLERANCE for reading in readings)


def _decay(first: Step) -> float:
    """Return the weight decay of the first step, in which there is no momentum yet."""
    gradient, weight, _ = parts(first.moved, first.gradient, first.before)
    return weight / gradient if gradient else 0.0


def _check_decay(found: float, expected: float) -> None:
    if abs(found - expected) > LOST * expected:
        raise Mistake(
            "another weight decay",
            "The recipe says weight_decay={expected:g}, but the weights moved as with "
            "{found:.2g}.".format(expected=expected, found=round(found, 4) + 0),
            "Two runs can be compared only if each does what its recipe says.",
            "Who makes the trainer, and what does it know of the recipe?",
        )


def _wrong_direction(steps: Sequence[Step], recipe: Recipe) -> Mistake:
    """Return the Mistake of steps that their own gradient and momentum do not explain."""
    sums = numpy.cumsum([step.gradient for step in steps], axis=0)
    added = [step._replace(gradient=gradient) for step, gradient in zip(steps, sums)]
    if _explained(_best(added, recipe)):
        return Mistake(
            "gradients accumulated",
            "Each step also contains the gradients of all batches before it.",
            "A step should follow the gradient at the current weights. Old gradients pile up and "
            "point elsewhere.",
            "Look for `grad_req` and for a second `backward`: are gradients added to old ones?",
        )
    for momentum in (percent / 100 for percent in range(100)):
        readings = _best(steps, replace(recipe, momentum=momentum))
        if _explained(readings) and not _lost(readings):
            return _wrong_momentum(
                "another momentum",
                "The weights moved as with {found:g}.".format(found=momentum),
                recipe,
            )
    return wrong_step("wrong direction", "The weights moved in another direction.")


def _lost(readings: Sequence[Reading]) -> list[int]:
    """Return the numbers of the steps that did not keep the momentum; the first one is 1."""
    return [i for i, reading in enumerate(readings, start=1) if abs(reading.kept - 1) > LOST]


def _check_momentum(readings: Sequence[Reading], recipe: Recipe) -> None:
    """Raise Mistake unless each step kept the momentum of the one before."""
    lost = _lost(readings)
    if not lost:
        return
    share = recipe.momentum * readings[lost[0] - 1].kept
    everywhere = len(lost) == len(readings) - 1
    raise _wrong_momentum(
        "another momentum" if everywhere else "momentum lost",
        "Another share came in {count} of {steps} steps: in step {first} it was {share:g}.".format(
            count=len(lost), steps=len(readings), first=lost[0], share=round(share, 2) + 0
        ),
        recipe,
    )


def _wrong_momentum(name: str, seen: str, recipe: Recipe) -> Mistake:
    expected = "By the recipe, each step keeps {momentum:g} of the movement before it.".format(
        momentum=recipe.momentum
    )
    return Mistake(
        name,
        f"{expected} {seen}",
        "Momentum adds up what many batches agree on. It gathers over some ten steps, and is gone "
        "when something new takes the place of what held it.",
        "What holds the momentum, how often is it made, and what does it know of the recipe?",
    )


# The learning rate


def _check_rates(readings: Sequence[Reading], recipe: Recipe, planned: int) -> None:
    """Raise Mistake unless the rates follow the recipe's schedule for a run of `planned` steps.

    It may also be the schedule for the steps that were taken, or for those of a run that uses the
    last, incomplete batch of each epoch; and it may be one step early or late.
    """
    peak = recipe.learning_rate
    rates = numpy.array([reading.rate for reading in readings])
    lengths = {*range(planned, planned + recipe.epochs + 1), len(rates)}
    if any(_follows(rates, recipe, length) for length in lengths):
        return
    expected = _rates(recipe, planned, len(rates))[1:-1]
    ratio = float(rates @ expected / (expected @ expected))
    if numpy.allclose(rates, ratio * expected, rtol=0, atol=TOLERANCE * abs(ratio) * peak):
        raise wrong_length(ratio, recipe.batch_size)
    moving = numpy.flatnonzero(abs(rates) > NOTHING * peak)
    last = int(moving[-1]) + 1 if len(moving) else 0
    if last < len(rates) and expected[last] > TOLERANCE * peak:
        raise _wrong_rate(
            "learning rate zero before the end",
            "After step {last} of {steps} the learning rate was zero.".format(
                last=last, steps=len(rates)
            ),
        )
    if rates[-1] > expected[-1] + LOST * peak:
        raise _wrong_rate(
            "learning rate not zero at the end",
            "In the last step the learning rate was {found:.2g}; by the recipe it is "
            "{expected:.2g}.".format(found=rates[-1], expected=expected[-1] + 0),
        )
    worst = int(abs(rates - expected).argmax())
    raise _wrong_rate(
        "another learning rate",
        "In step {step} of {steps} the learning rate was {found:.2g}; by the recipe it is "
        "{expected:.2g}.".format(
            step=worst + 1,
            steps=len(rates),
            found=round(rates[worst], 4) + 0,
            expected=expected[worst],
        ),
    )


def _follows(rates: numpy.ndarray, recipe: Recipe, length: int) -> bool:
    """Return whether each rate is that of its step, of the step before or of the one after."""
    expected = _rates(recipe, length, len(rates))
    neighbors = numpy.stack([expected[:-2], expected[1:-1], expected[2:]])
    allowed = TOLERANCE * recipe.learning_rate
    low, high = neighbors.min(axis=0) - allowed, neighbors.max(axis=0) + allowed
    return bool(((low <= rates) & (rates <= high)).all())


def _rates(recipe: Recipe, length: int, steps: int) -> numpy.ndarray:
    """Return the rates of the steps 0 to `steps` + 1; the first step of a run has the number 1."""
    schedule: Callable[[int], float] = recipe.schedule(length)
    return numpy.array([schedule(step) for step in range(steps + 2)])


def _wrong_rate(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "The schedule makes long steps first and short ones at the end, where the network "
        "settles. It does so only if it knows how long the whole run is. With a rate of zero, "
        "nothing is learned any more.",
        "For how many steps is the schedule made, and how many are taken?",
    )
