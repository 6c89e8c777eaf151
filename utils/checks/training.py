"""The questions asked of a learner's training, and of the history that it leaves."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy

from utils.checks import _training_fit, _training_runs, _training_step
from utils.checks._ask import Question, ask_all, check_function, short
from utils.checks._report import Mistake, Report

CHANCE = math.log(10)  # loss of a network that gives ten classes equal chances


def training(
    train_step: Callable[..., Any] | None = None,
    train_epoch: Callable[..., Any] | None = None,
    evaluate: Callable[..., Any] | None = None,
    fit: Callable[..., Any] | None = None,
    history: Any = None,
) -> Report:
    """Question the functions of a training, or some of them, by what they do to small networks.

    - train_step(net, X, y, trainer) returns the mean loss and the number of images recognized
    - train_epoch(net, split, recipe, trainer, rng, device) learns from each batch once
    - evaluate(net, split, device) returns mean loss and accuracy
    - fit(net, fashion, recipe, *, seed, device) trains and validates
    - history has the lists train_loss, valid_loss, train_accuracy, valid_accuracy

    Only those that were passed are questioned.
    """
    given = {
        "train_step": train_step,
        "train_epoch": train_epoch,
        "evaluate": evaluate,
        "fit": fit,
        "history": history,
    }
    asked = [
        q for name, questions in QUESTIONS.items() if given[name] is not None for q in questions
    ]
    return ask_all("Training", asked or [NOTHING], given)


def starts_at_chance(history: Any) -> None:
    """A new network has no strong opinions, so that its loss is near the logarithm of 10."""
    first = _series(history, "train_loss")[0]
    if not 0 <= first <= 3 * CHANCE:
        raise Mistake(
            "loss not averaged",
            f"The training loss of the first epoch is {first:.3g}, but ten equal chances give "
            f"{CHANCE:.2f}, and a mean over an epoch is hardly larger.",
            "A sum over a batch grows with the batch, and cannot be compared with anything.",
            "What does the training step return: the losses, their sum, or their mean?",
        )


def falls(history: Any) -> None:
    """The training loss is lower at the end than at the beginning."""
    losses = _series(history, "train_loss")
    if len(losses) > 1 and not losses[-1] < losses[0]:
        raise Mistake(
            "loss does not fall",
            f"The training loss went from {losses[0]:.3g} to {losses[-1]:.3g}.",
            "A network that learns gets better at least on the images it learns from.",
            "Is the learning rate too large? Do the weights move at all? Do the labels belong to "
            "their images?",
        )


def shares(history: Any) -> None:
    """Accuracies lie between 0 and 1, one for each epoch."""
    epochs = len(_series(history, "train_loss"))
    for name in ("train_accuracy", "valid_accuracy"):
        values = _series(history, name)
        if len(values) != epochs or not all(0 <= value <= 1 for value in values):
            raise Mistake(
                "accuracy is not a share",
                f"{name} should hold {epochs} numbers between 0 and 1, but it holds "
                f"{short(values)}.",
                "Only shares can be compared between splits of different sizes.",
                "By what is the number of recognized images divided?",
            )


def _series(history: Any, name: str) -> list[float]:
    values = getattr(history, name, None)
    is_list = isinstance(values, (list, tuple, numpy.ndarray)) and len(values) > 0
    if not is_list or not all(isinstance(v, (int, float, numpy.number)) for v in values):
        raise Mistake(
            "no history",
            f"A history with a list of numbers `{name}` was expected, but this came: "
            f"{short(values if hasattr(history, name) else history)}.",
            "The curves are drawn from these lists.",
            "Pass what `train.fit` returns, after at least one epoch.",
        )
    return [float(value) for value in values]


def _nothing(given: dict[str, Any]) -> None:
    raise Mistake(
        "nothing to question",
        "No function was passed.",
        "Questions can only be asked of something.",
        "Pass your functions by name, for example training(train_step=train_step).",
    )


def _of(name: str, *questions: tuple[str, str, Callable[[Any], None]]) -> tuple[Question, ...]:
    """Return questions on one of the things that were passed to `training`."""
    return tuple(
        Question(f"{name}: {topic}", text, partial(_ask, name, ask))
        for topic, text, ask in questions
    )


def _ask(name: str, ask: Callable[[Any], None], given: dict[str, Any]) -> None:
    if name != "history":
        check_function(given[name])
    ask(given[name])


NOTHING = Question("functions", "Is there something to question?", _nothing)
QUESTIONS = {
    "train_step": _of(
        "train_step",
        ("loss", "Is it the mean over the batch?", _training_step.loss),
        ("hits", "Are the recognized images counted?", _training_step.hits),
        ("step", "Do the weights move as far as they should?", _training_step.step),
        ("gradient", "Does it belong to this batch alone?", _training_step.fresh_gradient),
        ("mode", "Is the network in training mode?", _training_step.mode),
    ),
    "train_epoch": _of(
        "train_epoch",
        ("steps", "Do images and their own labels move the weights?", _training_runs.steps),
        ("images", "Does each come once?", _training_runs.every_image),
        ("order", "Is it new in every epoch?", _training_runs.order),
    ),
    "evaluate": _of(
        "evaluate",
        ("mode", "Is the network in inference mode?", _training_runs.inference),
        ("figures", "Are they those of all images?", _training_runs.judged),
    ),
    "fit": _of(
        "fit",
        ("test images", "Are they left alone?", _training_fit.no_test_images),
        ("validation", "Do these images judge, and nothing else?", _training_fit.validation),
        ("epochs", "Are there as many as the recipe says?", _training_fit.epochs),
        ("order", "Is it new in every epoch?", _training_fit.new_order),
    ),
    "history": _of(
        "history",
        ("start", "Does the loss start near that of equal chances?", starts_at_chance),
        ("fall", "Does the training loss fall?", falls),
        ("accuracy", "Is it a share, one for each epoch?", shares),
    ),
}
