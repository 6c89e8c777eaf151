"""Questions about a learner's `train_step(net, X, y, trainer)`.

It returns the mean loss of the batch and the number of correct predictions. Whether a function
remembers what it should forget is asked here for all checks of a training.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy
from mxnet import gluon, np

from utils.checks import _witness
from utils.checks._ask import short
from utils.checks._report import Mistake
from utils.checks._training_path import TOLERANCE, parts, wrong_length, wrong_step
from utils.checks._witness import RATE, Witness, check_as_given

COUNT = 20  # images in a batch
MOMENTUM = 0.9
DEPTH = 4  # lists in lists in an object: results are rarely nested more deeply

Numbers = tuple[float, ...]


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
    moved, expected = net.weight_now - net.weight_before, -RATE * _gradient(net.weight_before, 0)
    if numpy.allclose(moved, expected, atol=1e-3 * abs(expected).max()):
        return
    if not moved.any():
        raise wrong_step("weights do not move", "The weights did not move at all.")
    ratio = float((moved * expected).sum() / (expected * expected).sum())
    cosine = ratio * numpy.linalg.norm(expected) / numpy.linalg.norm(moved)
    if cosine > 0.99 or cosine < -0.5:
        raise wrong_length(ratio, COUNT)
    raise wrong_step("wrong direction", "The weights moved in another direction.")


def next_step(train_step: Callable[..., Any]) -> None:
    """The second step has the gradient of the second batch alone, and the trainer's momentum."""
    first, _ = _steps(train_step, 1)
    net, _ = _steps(train_step, 2)
    middle, last = first.weight_now, net.weight_now
    one, two = _gradient(first.weight_before, 0), _gradient(middle, COUNT)
    glide = MOMENTUM * (middle - first.weight_before)
    of_two, of_one, rest = parts(last - middle - glide, two, one)
    if not of_two or rest > TOLERANCE:
        return  # another direction: the question about the step says so
    ratio = of_one / of_two
    if ratio > 0.05:
        raise Mistake(
            "gradients accumulated",
            "The second step also contains the gradient of the first batch, {ratio:.1f} times as "
            "strong as that of the second.".format(ratio=ratio),
            "A step should follow the gradient at the current weights. Old gradients pile up and "
            "point elsewhere.",
            "Look for `grad_req` and for a second `backward`: are gradients added to old ones?",
        )
    if ratio < -0.05:
        raise Mistake(
            "momentum lost",
            "The trainer has a momentum of {momentum:g}: its second step should contain so much of "
            "the first one. It contained {share:.2g} of it.".format(
                momentum=MOMENTUM, share=max(0, MOMENTUM + ratio)
            ),
            "Momentum adds up what many batches agree on. It is gone when something new takes the "
            "place of what held it.",
            "Which trainer takes the step, and how often is it made?",
        )


def own_result(train_step: Callable[..., Any]) -> None:
    """A call's numbers are those of its own batch and network."""

    def call() -> tuple[float, float]:
        return two_numbers(_steps(train_step, 1)[1])

    def another() -> tuple[float, float]:
        net = _witness.knowing()
        return two_numbers(_call(train_step, net, *_witness.batch(COUNT), _trainer(net)))

    check_forgets(call, another)


def images(train_step: Callable[..., Any]) -> None:
    """The network gets the images on the scale on which they came."""
    net, _ = _steps(train_step, 1)
    check_as_given(net)


def training_mode(train_step: Callable[..., Any]) -> None:
    """The network runs in training mode while the gradient is recorded."""
    net, _ = _steps(train_step, 1)
    check_training_mode(net)


def check_training_mode(net: Witness) -> None:
    """Raise Mistake if the network ran in inference mode while a gradient was recorded."""
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
    trainer = _trainer(net)
    results = [_call(train_step, net, *_batch(i * COUNT), trainer) for i in range(count)]
    return net, results[-1]


def _call(
    train_step: Callable[..., Any], net: Witness, X: np.ndarray, y: np.ndarray, trainer: Any
) -> Any:
    try:
        return train_step(net, X, y, trainer)
    except TypeError as error:
        if "step() missing" in str(error):
            raise wrong_step(
                "not divided by the batch size", "`trainer.step` was called without a number."
            ) from error
        raise


def _trainer(net: Witness) -> gluon.Trainer:
    return _witness.trainer(net, MOMENTUM)


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


# What a function remembers from one call or epoch to the next


def check_forgets(call: Callable[[], Numbers], another: Callable[[], Numbers]) -> None:
    """Raise Mistake unless each call has the result of its own arguments.

    `another` must have a result of which each number is different.
    """
    first, between, again = call(), another(), call()
    if not numpy.allclose(again, first, rtol=1e-3, atol=1e-6):
        raise Mistake(
            "result depends on earlier calls",
            "The function was called three times, the third time as the first: with the same "
            "images and an equal network. First it returned {first}, at last {again}.".format(
                first=_listed(first), again=_listed(again)
            ),
            "A result that contains those of other batches, epochs or networks belongs to none of "
            "them.",
            "What lives on after your function has returned, and where is it set to zero again?",
        )
    if any(numpy.isclose(first, between, rtol=1e-3, atol=1e-6)):
        raise Mistake(
            "the same result in every call",
            "Called on other images, where the right numbers are others, the function returned "
            "{between} after {first}.".format(first=_listed(first), between=_listed(between)),
            "A result that does not change says nothing about the network.",
            "Is each number computed anew in each call, from the arguments of that call?",
        )


def check_reported(result: Any, epochs: Mapping[str, Sequence[float]]) -> None:
    """Raise Mistake if a result gives, for an epoch, the mean over all epochs up to it.

    `epochs` holds right values, one for each epoch; the names say what of. The result may be
    anything: numbers are looked for in it.
    """
    reported = numpy.array(list(_numbers(result, DEPTH)))

    def contains(values: numpy.ndarray) -> bool:
        return all(numpy.isclose(reported, value, rtol=1e-4, atol=0).any() for value in values)

    for name, values in epochs.items():
        own = numpy.array(values)
        so_far = own.cumsum() / numpy.arange(1, len(own) + 1)
        changed = ~numpy.isclose(own, so_far, rtol=1e-3)
        if changed[1:].all() and contains(so_far) and not contains(own[-1:]):
            raise Mistake(
                "not reset between epochs",
                "For the last epoch your function returned {found:.4f}. That is the {name} of all "
                "epochs together; of the last one it is {expected:.4f}.".format(
                    name=name, found=so_far[-1], expected=own[-1]
                ),
                "A mean over all epochs changes less and less, so that a curve looks smooth when "
                "it is not. It also contains what the network could do at the beginning.",
                "What is added up from batch to batch, and where is it set to zero again?",
            )


def _listed(numbers: Numbers) -> str:
    return " and ".join(f"{number:.4g}" for number in numbers)


def _numbers(value: Any, depth: int) -> Iterator[float]:
    """Yield the numbers inside a result of any kind."""
    if isinstance(value, str) or depth < 0:
        return
    with contextlib.suppress(Exception):  # whatever the learner's own types raise
        value = float(value)
    if isinstance(value, float):
        yield value
        return
    parts: Any = value
    if hasattr(value, "to_numpy"):  # a table of pandas, whose iterator gives its columns' names
        parts = value.to_numpy().ravel()
    elif isinstance(value, Mapping):
        parts = value.values()
    elif hasattr(value, "__dict__") and not hasattr(value, "__iter__"):
        parts = vars(value).values()
    with contextlib.suppress(TypeError):
        for part in parts:
            yield from _numbers(part, depth - 1)
