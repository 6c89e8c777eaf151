"""Asks questions of a learner's code, which may raise an error, print, or never return."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mxnet as mx
import numpy
from mxnet import gluon, np

from utils.checks._errors import explained
from utils.checks._isolate import LateError, contained, error_of, given_back, isolated
from utils.checks._report import Answer, Mistake, Report

SECONDS = 10  # for one question: many times what it takes on an idle machine
LEFTOVER_SECONDS = 2  # for each question after one that ran out of time


@dataclass(frozen=True)
class Question:
    """One question; `ask` takes the learner's code and raises Mistake if something is wrong."""

    name: str
    text: str
    ask: Callable[[Any], None]
    weight: int = 1


def ask_all(title: str, questions: Sequence[Question], subject: Any) -> Report:
    """Ask every question about the subject, whatever became of the questions before it.

    What the learner's code prints, draws or saves under a relative path is dropped: each experiment
    would repeat it. A network starts every question with the parameters that it came with, and is
    given back with them.
    """
    answers = []
    seconds = SECONDS
    with contained(), given_back(subject) as reset:
        for question in questions:
            reset()
            mistake = _mistake(question, subject, seconds)
            if mistake and mistake.name == "does not end":
                seconds = LEFTOVER_SECONDS
            answers.append(Answer(question.name, question.text, question.weight, mistake))
    return Report(title, tuple(answers))


def check_function(value: object) -> None:
    """Raise Mistake unless the value can be called."""
    if not callable(value):
        raise Mistake(
            "not a function",
            "The check expects a function, but it was given {given}.".format(given=short(value)),
            "The check calls the function itself, with arguments of its own.",
            "Pass just the name of the function, without parentheses after it.",
        )


def check_block(block: object) -> None:
    """Raise Mistake unless the value is a Gluon block."""
    if not isinstance(block, gluon.Block):
        raise Mistake(
            "makes no block",
            "Your code should make a Gluon block, but it made {made}.".format(made=short(block)),
            "Only a block has parameters that can be initialized and trained.",
            "Does the class inherit from `nn.Block` or `nn.HybridBlock`? Does the function end "
            "with `return`?",
        )


def check_maker(maker: object) -> None:
    """Raise Mistake unless the value is a class or function that needs no arguments."""
    if not callable(maker):
        raise Mistake(
            "no network",
            "The check expects a network, or a class or function that makes one, but it was given "
            "{given}.".format(given=short(maker)),
            "The check runs the network on images of its own.",
            "Pass the network, or just the name of your class or function, without quotation "
            "marks. If a function made the network, does it end with `return`?",
        )
    if needed := needed_arguments(maker):
        raise Mistake(
            "needs arguments",
            "The check makes a network without passing arguments, but your code needs "
            "{names}.".format(names=", ".join(needed)),
            "Only you know which values belong there.",
            "Give each argument a default value in the definition, or make the network yourself "
            "and pass it to the check.",
        )


def needed_arguments(maker: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments without a default."""
    try:
        parameters = inspect.signature(maker).parameters.values()
    except (TypeError, ValueError):  # some functions written in C have no signature
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in optional]


def short(value: Any) -> str:
    """Describe a value in a few words that fit into a sentence, however large it is."""
    if isinstance(value, numpy.generic):
        return str(value)
    if isinstance(value, (numpy.ndarray, mx.nd.NDArray)):
        return _short_array(value)
    shortened = reprlib.Repr()
    shortened.maxother = shortened.maxstring = 60
    return " ".join(shortened.repr(value).split())


def _short_array(array: Any) -> str:
    modules = {numpy.ndarray: "numpy", np.ndarray: "mxnet.np", mx.nd.NDArray: "mxnet.nd"}
    module = next(name for kind, name in modules.items() if isinstance(array, kind))
    if array.ndim:
        return "an array of `{module}` with the shape {shape}".format(
            module=module, shape=array.shape
        )
    return "an array of `{module}` without axes, {number}".format(
        module=module, number=array.item()
    )


def _mistake(question: Question, subject: Any, seconds: float) -> Mistake | None:
    with isolated():
        error = error_of(seconds, question.ask, subject)
    if error is None:
        return None
    if isinstance(error, Mistake):
        # A copy: the raised one keeps the frames of its experiment alive, and networks in them.
        return replace(error)
    if isinstance(error, LateError):
        return Mistake(
            "does not end",
            "The code was still running after {seconds:g} seconds, and was stopped. Each "
            "experiment is small and takes far less than a second.".format(seconds=seconds),
            "Code that never returns holds up everything that waits for it.",
            "Look for a loop whose condition never becomes false, or a function that calls itself.",
        )
    return explained(error)
