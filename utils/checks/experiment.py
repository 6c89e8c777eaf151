"""Check an experiment that a learner designs: does it change only one thing?

Notebooks 01 and 06 ask for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

from utils.checks._ask import Question, ask_all, check_function, short
from utils.checks._report import Mistake, Report
from utils.experiments import Trial


def experiment(function: Any, like: Sequence[Trial], **changed: Any) -> Report:
    """Check a function that gets the trials `like` and returns those of an experiment.

    The experiment should keep networks, images and seeds, give each recipe the settings in
    `changed`, and change nothing else. Nothing is trained.
    """
    settings = ", ".join(f"{name}={value}" for name, value in changed.items())
    questions = (
        Question(
            "change",
            "Does every recipe have {settings}?".format(settings=settings),
            partial(_change, changed, like),
            2,
        ),
        Question("rest", "Is the rest of the recipe unchanged?", partial(_rest, changed, like)),
        Question("networks", "Are the networks the same as before?", partial(_networks, like)),
        Question("images", "Is the number of images the same?", partial(_images, like)),
        Question("seeds", "Does each seed come once?", partial(_seeds, like)),
    )
    return ask_all("Experiment", questions, function)


def _trials(like: Sequence[Trial], function: Callable[..., Any]) -> list[Trial]:
    check_function(function)
    made = function(list(like))
    trials = list(made) if isinstance(made, Iterable) else []
    if not trials or not all(isinstance(trial, Trial) for trial in trials):
        raise Mistake(
            "no trials",
            "The function should return a list of trials, but it returned {made}.".format(
                made=short(made)
            ),
            "A trial says what to train: network, recipe, seed and images. It has not run yet.",
            "Does your function end with `return`? Does it return trials, or their results?",
        )
    return trials


def _change(changed: dict[str, Any], like: Sequence[Trial], function: Callable[..., Any]) -> None:
    for name, value in changed.items():
        found = {getattr(trial.recipe, name) for trial in _trials(like, function)}
        if found != {value}:
            raise Mistake(
                "change not made",
                "In every recipe, `{name}` should be {value}, but these values were found: "
                "{found}.".format(name=name, value=value, found=_listed(found)),
                "An experiment asks what one change does, so every trial must make it.",
                "Where does the recipe of your trials come from?",
            )


def _rest(changed: dict[str, Any], like: Sequence[Trial], function: Callable[..., Any]) -> None:
    names = [field.name for field in fields(like[0].recipe) if field.name not in changed]
    for trial in _trials(like, function):
        others = [
            name for name in names if getattr(trial.recipe, name) != getattr(like[0].recipe, name)
        ]
        if others:
            raise _also_changed(
                "something else changed, too",
                "In the recipe, these settings changed as well: {names}.".format(
                    names=", ".join(others)
                ),
                "Does your recipe start from the old one?",
            )


def _networks(like: Sequence[Trial], function: Callable[..., Any]) -> None:
    wanted = _layers(like[0])
    if any(_layers(trial) != wanted for trial in _trials(like, function)):
        raise _also_changed(
            "another network",
            "The layers of a network are different.",
            "Look at `build` in your trials.",
        )


def _layers(trial: Trial) -> list[tuple]:
    """Return the shape of each parameter, and whether training moves it, in order of the layers."""
    return [(p.shape, p.grad_req) for p in trial.build().collect_params().values()]


def _images(like: Sequence[Trial], function: Callable[..., Any]) -> None:
    found = {trial.images for trial in _trials(like, function)}
    if found != {like[0].images}:
        raise _also_changed(
            "another number of images",
            "The earlier trials train on {expected} images, the new ones on {found}.".format(
                expected=like[0].images, found=_listed(found)
            ),
            "How many images did the earlier trials get?",
        )


def _seeds(like: Sequence[Trial], function: Callable[..., Any]) -> None:
    wanted = sorted(trial.seed for trial in like)
    found = sorted(trial.seed for trial in _trials(like, function))
    if found == wanted:
        return
    name = "other seeds"
    if len(set(found)) < len(found):
        name = "a seed used twice"
    elif set(found) < set(wanted):
        name = "seeds left out"
    raise _also_changed(
        name,
        "The seeds are {found}, but they should be {wanted}.".format(found=found, wanted=wanted),
        "With the same seeds, each new run has an earlier one to be compared with. Where do your "
        "seeds come from?",
    )


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(map(str, sorted(values)))


def _also_changed(name: str, seen: str, look: str) -> Mistake:
    expected = "The old and the new trials should differ in one thing only."
    return Mistake(
        name,
        f"{expected} {seen}",
        "If two things change, nobody can say which of them had the effect.",
        look,
    )
