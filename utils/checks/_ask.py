"""Asks questions of a learner's code, which may raise, print, or never come back."""

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
LEFTOVER_SECONDS = 2  # for each question after one that never came back


@dataclass(frozen=True)
class Question:
    """One question; `ask` gets the learner's code and raises Mistake where it finds one."""

    name: str
    text: str
    ask: Callable[[Any], None]
    weight: int = 1


def ask_all(title: str, questions: Sequence[Question], subject: Any) -> Report:
    """Ask every question of the same subject, whatever became of the ones before.

    Nothing that the learner's code prints, draws or saves under a relative path stays: it would
    come once for each experiment. A network begins every question with the parameters it came with,
    and is given back with them.
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
    """Raise Mistake unless this can be called."""
    if not callable(value):
        raise Mistake(
            "not a function",
            f"A function was expected, but this came: {short(value)}.",
            "It is called by the check, with arguments of its own.",
            "Pass the name of the function alone, without parentheses behind it.",
        )


def check_block(block: object) -> None:
    """Raise Mistake unless this is a block of Gluon."""
    if not isinstance(block, gluon.Block):
        raise Mistake(
            "makes no block",
            f"A block of Gluon was expected, but this came: {short(block)}.",
            "Only a block has parameters that can be initialized and trained.",
            "Does the class inherit from `nn.Block` or `nn.HybridBlock`? "
            "Does the function end with `return`?",
        )


def check_maker(net: Any) -> None:
    if not callable(net):
        raise Mistake(
            "no network",
            "A network was expected, or a class or function that makes one, but this came: "
            f"{short(net)}.",
            "The check runs the network with images of its own.",
            "Pass the network, or the name of your class or function alone, without quotation "
            "marks. If it came from a function: does that end with `return`?",
        )
    if needed := needed_arguments(net):
        raise Mistake(
            "needs arguments",
            "The check makes a network without passing arguments, but your code needs "
            f"{', '.join(needed)}.",
            "Only you know which values belong there.",
            "Give each of them a default in the definition, or make the network yourself and pass "
            "it to the check.",
        )


def needed_arguments(maker: Any) -> list[str]:
    """Return the names of the arguments without a default."""
    try:
        parameters = inspect.signature(maker).parameters.values()
    except (TypeError, ValueError):  # some code in C does not tell
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in optional]


def short(value: object) -> str:
    """Return a value as text of a length that a sentence can hold, however large it is."""
    if isinstance(value, numpy.generic):
        return str(value)
    kinds = {np.ndarray: "MXNet", mx.nd.NDArray: "MXNet's old kind", numpy.ndarray: "numpy"}
    for kind, name in kinds.items():
        if isinstance(value, kind):
            if value.ndim:
                return f"an array of {name} of shape {value.shape}"
            number = value if kind is numpy.ndarray else value.asnumpy()
            return f"an array of {name} without axes, {number}"
    shortened = reprlib.Repr()
    shortened.maxother = shortened.maxstring = 60
    return " ".join(shortened.repr(value).split())


def _mistake(question: Question, subject: Any, seconds: float) -> Mistake | None:
    with isolated():
        error = error_of(seconds, question.ask, subject)
    if error is None:
        return None
    if isinstance(error, Mistake):
        # A copy: what was raised keeps the frames of its experiment, and whole networks in them.
        return replace(error)
    if isinstance(error, LateError):
        return Mistake(
            "does not end",
            f"The code was still running after {seconds:g} seconds, and was stopped. Each "
            "experiment is small and takes far less than a second.",
            "Code that does not come back holds up everything that waits for it.",
            "Find the loop whose condition never becomes false, or the function that calls itself.",
        )
    return explained(error)
