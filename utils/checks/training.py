"""Check the functions of a learner's training, and the history that it leaves.

Notebook 05 asks for `evaluate`, for `train_step` and for `fit`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy

from utils.checks import _training_runs, _training_step
from utils.checks._ask import Question, ask_all, check_function, short
from utils.checks._report import Mistake, Report

CHANCE = math.log(10)  # the loss of a network that finds all ten classes equally likely


def training(
    train_step: Callable[..., Any] | None = None,
    train_epoch: Callable[..., Any] | None = None,
    evaluate: Callable[..., Any] | None = None,
    fit: Callable[..., Any] | None = None,
    history: Any = None,
) -> Report:
    """Check one or more functions of a training by what they do to small networks.

    - train_step(net, X, y, trainer) returns the mean loss and the number of correct predictions
    - train_epoch(net, split, recipe, trainer, rng, device) trains on each batch once
    - evaluate(net, split, device) returns the mean loss and the accuracy
    - fit(net, fashion, recipe, *, seed, device) trains and validates
    - history has the lists train_loss, valid_loss, train_accuracy, valid_accuracy

    Only what is passed is checked.
    """
    given = {
        "train_step": train_step,
        "train_epoch": train_epoch,
        "evaluate": evaluate,
        "fit": fit,
        "history": history,
    }
    asked = [
        question
        for name, questions in QUESTIONS.items()
        if given[name] is not None
        for question in questions
    ]
    runs = _training_runs.Runs(fit) if fit is not None else None
    return ask_all("Training", asked or [NOTHING], {**given, "runs": runs})


def starts_near_chance(history: Any) -> None:
    """A new network prefers no class, so that its loss is near ln 10."""
    first = _series(history, "train_loss")[0]
    if not 0 <= first <= 3 * CHANCE:
        raise Mistake(
            "loss not averaged",
            "The training loss of the first epoch is {first:.3g}. A network that finds all ten "
            "classes equally likely has a loss of {chance:.2f}, and the mean over the first epoch "
            "is hardly larger.".format(first=first, chance=CHANCE),
            "A sum over a batch grows with the batch size, and cannot be compared with anything.",
            "What does the training step return: the losses, their sum, or their mean?",
        )


def falls(history: Any) -> None:
    """The training loss is lower at the end than at the beginning."""
    losses = _series(history, "train_loss")
    if len(losses) > 1 and not losses[-1] < losses[0]:
        raise Mistake(
            "loss does not fall",
            "The training loss went from {first:.3g} to {last:.3g}.".format(
                first=losses[0], last=losses[-1]
            ),
            "A network that learns gets better at least on the images it is trained on.",
            "Is the learning rate too high? Do the weights move at all? Do the labels belong to "
            "their images?",
        )


def accuracies(history: Any) -> None:
    """Accuracies lie between 0 and 1, one for each epoch."""
    epochs = len(_series(history, "train_loss"))
    for name in ("train_accuracy", "valid_accuracy"):
        values = _series(history, name)
        if len(values) != epochs or not all(0 <= value <= 1 for value in values):
            raise Mistake(
                "accuracy not between 0 and 1",
                "`{name}` should hold {epochs} numbers between 0 and 1, but it holds "
                "{values}.".format(name=name, epochs=epochs, values=short(values)),
                "Only fractions can be compared between splits of different sizes.",
                "By what do you divide the number of correct predictions?",
            )


def _series(history: Any, name: str) -> list[float]:
    """Return the list of that name; raise Mistake unless it holds numbers."""
    values = getattr(history, name, None)
    if isinstance(values, (list, tuple, numpy.ndarray)) and _are_numbers(values):
        return [float(value) for value in values]
    raise Mistake(
        "no history",
        "The check expects a history with a list of numbers `{name}`, but it was given "
        "{given}.".format(name=name, given=short(values if hasattr(history, name) else history)),
        "The curves are drawn from these lists.",
        "Pass what `train.fit` returns, after at least one epoch.",
    )


def _are_numbers(values: Sequence[Any] | numpy.ndarray) -> bool:
    return len(values) > 0 and all(isinstance(v, (int, float, numpy.number)) for v in values)


def _nothing(given: dict[str, Any]) -> None:
    raise Mistake(
        "nothing to check",
        "No function was passed.",
        "A check needs something to check.",
        "Pass your functions by name, for example `training(train_step=train_step)`.",
    )


def _of(name: str, *questions: tuple[str, str, Callable[[Any], None]]) -> tuple[Question, ...]:
    """Return questions about one of the arguments of `training`."""
    return tuple(
        Question(f"{name}: {topic}", text, partial(_ask, name, ask))
        for topic, text, ask in questions
    )


def _ask(name: str, ask: Callable[[Any], None], given: dict[str, Any]) -> None:
    if name != "history":
        check_function(given[name])
    ask(given["runs" if name == "fit" else name])


NOTHING = Question("functions", "Is there anything to check?", _nothing)
QUESTIONS = {
    "train_step": _of(
        "train_step",
        (
            "memory",
            "Do the two numbers belong to this call alone?",
            _training_step.own_result,
        ),
        ("loss", "Is the loss the mean over the batch?", _training_step.mean_loss),
        (
            "predictions",
            "Are the correct predictions counted?",
            _training_step.correct_predictions,
        ),
        ("step", "Do the weights move the right way, and the right distance?", _training_step.step),
        (
            "next step",
            "Does the next step have a new gradient, and the trainer's momentum?",
            _training_step.next_step,
        ),
        ("mode", "Does the network run in training mode?", _training_step.training_mode),
        ("scale", "Does the network get the images on their own scale?", _training_step.images),
    ),
    "train_epoch": _of(
        "train_epoch",
        ("memory", "Does what you return belong to each epoch alone?", _training_runs.own_numbers),
        ("scale", "Are the images normalized?", _training_runs.normalized),
        (
            "steps",
            "Do images with their own labels move the weights, as the trainer does?",
            _training_runs.steps,
        ),
        ("images", "Does each image come once?", _training_runs.every_image),
        ("order", "Is the order of the images new in every epoch?", _training_runs.order),
    ),
    "evaluate": _of(
        "evaluate",
        ("mode", "Does the network run in inference mode?", _training_runs.inference_mode),
        ("scale", "Are the images normalized as in training?", _training_runs.scale),
        ("memory", "Do the two numbers belong to this call alone?", _training_runs.own_result),
        (
            "results",
            "Are loss and accuracy means over all images?",
            _training_runs.loss_and_accuracy,
        ),
    ),
    "fit": _of(
        "fit",
        ("test images", "Are the test images left alone?", _training_runs.no_test_images),
        (
            "validation",
            "Are the validation images used to evaluate, and for nothing else?",
            _training_runs.validation,
        ),
        ("scale", "Are all images normalized, in the same way?", _training_runs.one_scale),
        (
            "weights",
            "Does each epoch go on from the weights of the one before?",
            _training_runs.carried_weights,
        ),
        (
            "steps",
            "Do images with their own labels move the weights, as the recipe says?",
            _training_runs.recipe_steps,
        ),
        ("epochs", "Are there as many epochs as the recipe says?", _training_runs.epochs),
        ("order", "Is the order of the images new in every epoch?", _training_runs.new_order),
        ("seed", "Does the seed, and it alone, decide the order?", _training_runs.order_by_seed),
        ("memory", "Does what you return belong to each epoch alone?", _training_runs.reported),
    ),
    "history": _of(
        "history",
        (
            "start",
            "Does the loss start near that of equally likely classes?",
            starts_near_chance,
        ),
        ("fall", "Does the training loss fall?", falls),
        (
            "accuracy",
            "Is there an accuracy between 0 and 1 for each epoch?",
            accuracies,
        ),
    ),
}
