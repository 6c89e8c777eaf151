"""The questions asked of an experiment that a learner designs: does it change one thing alone?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

from utils.checks._ask import Question, ask_all, check_function, short
from utils.checks._report import Mistake, Report
from utils.experiments import Trial


def experiment(function: Any, like: Sequence[Trial], **changed: Any) -> Report:
    """Question a function that gets trials, and returns those of an experiment on them.

    It gets `like`. What it returns should be the same networks, images and seeds again, with the
    values of the recipe in `changed`, and nothing else changed. Nothing is trained.
    """
    questions = (
        Question(
            "change",
            f"Is {' and '.join(f'{name} {value}' for name, value in changed.items())}?",
            partial(_change, changed, like),
            2,
        ),
        Question("rest", "Is the rest of the recipe as it was?", partial(_rest, changed, like)),
        Question("networks", "Are the networks the same as before?", partial(_networks, like)),
        Question("images", "Do they learn from as many images?", partial(_images, like)),
        Question("seeds", "Is each seed there, once?", partial(_seeds, like)),
    )
    return ask_all("Experiment", questions, function)


def _trials(like: Sequence[Trial], function: Callable[..., Any]) -> list[Trial]:
    check_function(function)
    made = function(list(like))
    trials = list(made) if isinstance(made, Iterable) else []
    if not trials or not all(isinstance(trial, Trial) for trial in trials):
        raise Mistake(
            "no trials",
            f"A list of trials was expected, but this came: {short(made)}.",
            "A trial says what to train: network, recipe, seed, images. It has not run yet.",
            "Does your function end with `return`, and does it return trials or their results?",
        )
    return trials


def _change(changed: dict[str, Any], like: Sequence[Trial], function: Callable[..., Any]) -> None:
    for name, value in changed.items():
        found = {getattr(trial.recipe, name) for trial in _trials(like, function)}
        if found != {value}:
            raise Mistake(
                "the change was not made",
                f"In the recipes, {name} is {' or '.join(map(str, sorted(found)))}, but {value} "
                "was asked for.",
                "An experiment asks what one change does, so it has to be made in every trial.",
                "Where does the recipe of your trials come from?",
            )


def _rest(changed: dict[str, Any], like: Sequence[Trial], function: Callable[..., Any]) -> None:
    names = [field.name for field in fields(like[0].recipe) if field.name not in changed]
    for trial in _trials(like, function):
        others = [
            name for name in names if getattr(trial.recipe, name) != getattr(like[0].recipe, name)
        ]
        if others:
            raise _also(
                "something else changed, too",
                f"{', '.join(others)} of the recipe differ from before",
                "Does your recipe begin with the old one?",
            )


def _networks(like: Sequence[Trial], function: Callable[..., Any]) -> None:
    wanted = _layers(like[0])
    if any(_layers(trial) != wanted for trial in _trials(like, function)):
        raise _also(
            "another network",
            "there is a network with other layers",
            "Look at `build` of your trials.",
        )


def _layers(trial: Trial) -> list[tuple]:
    """Return what training moves and what not: shapes, by the order of the layers."""
    return [(p.shape, p.grad_req) for p in trial.build().collect_params().values()]


def _images(like: Sequence[Trial], function: Callable[..., Any]) -> None:
    found = {trial.images for trial in _trials(like, function)}
    if found != {like[0].images}:
        raise _also(
            "another number of images",
            f"they learn from {' or '.join(map(str, sorted(found)))} images, not {like[0].images}",
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
    raise _also(
        name,
        f"the seeds are {found}, not {wanted}",
        "With the seeds of the earlier runs, each new run has a partner to be compared with.",
    )


def _also(name: str, seen: str, look: str) -> Mistake:
    return Mistake(
        name,
        f"Old and new trials should differ in one thing, but {seen}.",
        "If two things change, nobody can say which of them had the effect.",
        look,
    )
