"""The questions asked of functions that calculate: one call each, with a known answer."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy

from utils import resnet
from utils.checks._ask import Question, ask_all, check_function, short
from utils.checks._isolate import contained
from utils.checks._report import Mistake, Report
from utils.shapes import NETWORK, layer_table

# By the kind of the right result: what is asked for, and the types that it may have.
KINDS = {
    bool: ("True or False", (bool, numpy.bool_)),
    int: ("A whole number", (int, numpy.integer)),
    float: ("A number", (int, float, numpy.integer, numpy.floating)),
}


def difference_counts(function: Callable[..., Any]) -> Report:
    """Question a function `difference_counts(first, second)` of the results of two kinds of runs.

    It says whether their means differ by more than twice the spread: the standard deviation over
    the runs, the larger one of the two kinds. Over n or over n - 1 does not matter here.
    """
    advice = (
        "Runs that differ in their seed alone differ, too. Only what is clearly more than that "
        "can be told from chance.",
        "Take the two lists and draw them on paper. Which rule of yours gives the wrong answer?",
    )
    close, far = [0.33, 0.34, 0.35], [0.50, 0.52, 0.54]
    cases = {
        "far apart": (([0.30, 0.31, 0.32], far), True, {False: "direction taken for size"}),
        "lower, too": ((far, close), True, {False: "direction taken for size"}),
        "twice": (
            ([0.30, 0.35, 0.40], [0.37, 0.42, 0.47]),
            False,
            {True: "once the spread is not enough"},
        ),
        "wide second": ((close, [0.20, 0.40, 0.60]), False, {True: "spread of the first alone"}),
        "wide first": (([0.20, 0.40, 0.60], close), False, {True: "spread of the second alone"}),
    }
    return ask_all(
        "Does a difference count?", _questions("difference_counts", cases, advice), function
    )


def receptive_field(function: Callable[..., Any]) -> Report:
    """Question a function `receptive_field(layers)` of (kernel, stride) pairs, first layer first.

    It returns how many pixels wide the window is that one number behind the last layer sees.
    """
    advice = (
        "What one number can see decides which shapes a network can recognize.",
        "Go through the layers by hand. How wide is the window so far, and how many pixels of the "
        "image lie between two neighboring numbers of this layer's input?",
    )
    cases = {
        "kernels": (
            ([(7, 1), (5, 1), (3, 1)],),
            13,
            {15: "kernels added up", 16: "kernels added up", 12: "begins with no pixel"},
        ),
        "strides": (
            ([(3, 2), (3, 2), (3, 2)],),
            15,
            {
                7: "strides forgotten",
                11: "only the last stride counted",
                29: "a layer's own stride counted for itself",
            },
        ),
    }
    return ask_all("Receptive field", _questions("receptive_field", cases, advice), function)


def resnet18_parameters(function: Callable[..., Any]) -> Report:
    """Question a function `resnet18_parameters(channels, classes)`, with biases as in this course.

    It returns the number of parameters for images with so many channels, and so many classes.
    """
    with contained():
        count = {kind: _parameters_of_resnet18(*kind) for kind in ((1, 10), (3, 10), (1, 100))}
    advice = (
        "Parameters decide how much memory a network takes, and how much it can learn.",
        "Which layer sees the channels of the image, and which one gives the scores? Write down "
        "its weights and its biases.",
    )
    cases = {
        "color": (
            (3, 10),
            count[3, 10],
            {count[1, 10]: "channels of the image not counted"},
        ),
        "classes": (
            (1, 100),
            count[1, 100],
            {
                count[1, 10]: "classes not counted",
                count[1, 10] + 90 * 512: "bias of the dense layer forgotten",
            },
        ),
    }
    return ask_all(
        "Parameters of ResNet-18", _questions("resnet18_parameters", cases, advice), function
    )


def ring_step_seconds(function: Callable[..., Any]) -> Report:
    """Question `ring_step_seconds(compute_seconds, gradient_bytes, bytes_per_second, workers)`.

    It returns the seconds of a step whose gradient goes round a ring in as many pieces as there are
    workers: once to add up, once to hand the sums round (Patarasuk and Yuan, 2009,
    https://doi.org/10.1016/j.jpdc.2008.09.002).
    """
    advice = (
        "The time of a step says how many workers are worth having.",
        "Draw three workers in a ring, and their gradients in three pieces. After how many rounds "
        "is the sum of a piece complete, and after how many more does everyone have all sums? How "
        "many bytes does a worker send in one round?",
    )
    # ResNet-18 on a line of one gigabit per second.
    compute, gradient, rate, workers = 0.3, 45_000_000, 125_000_000, 5
    whole = gradient / rate  # seconds to send all of it once
    sending = 2 * (workers - 1) * whole / workers
    cases = {
        "several workers": (
            (compute, gradient, rate, workers),
            compute + sending,
            {
                compute + sending / 2: "one trip only",
                compute + sending * workers: "whole gradient in every round",
                compute + sending * workers / 2: "whole gradient in every round",
                compute + 2 * whole: "n rounds in place of n - 1",
                compute: "sending forgotten",
                sending: "compute forgotten",
                compute * workers + sending: "compute multiplied by the workers",
                compute / workers + sending: "compute divided by the workers",
                compute + 8 * sending: "bits taken for bytes",
                compute + sending / 8: "bits taken for bytes",
            },
        ),
        "one worker": (
            (compute, gradient, rate, 1),
            compute,
            {
                compute + whole: "one worker sends to itself",
                compute + 2 * whole: "one worker sends to itself",
            },
        ),
    }
    return ask_all("Step in a ring", _questions("ring_step_seconds", cases, advice), function)


def _parameters_of_resnet18(channels: int, classes: int) -> int:
    net = resnet.resnet18(classes)
    net.initialize()
    return int(layer_table(net, (1, channels, 32, 32)).parameters[NETWORK])


def _questions(
    name: str, cases: Mapping[str, tuple[tuple, Any, Mapping[Any, str]]], advice: tuple[str, str]
) -> list[Question]:
    """Return a question for each case: arguments, the right result, and names for wrong ones."""
    questions = []
    for topic, (arguments, expected, mistakes) in cases.items():
        call = f"{name}({', '.join(map(str, arguments))})"
        ask = partial(_ask, call, arguments, expected, mistakes, advice)
        questions.append(Question(topic, f"What is {call}?", ask))
    return questions


def _ask(
    call: str,
    arguments: tuple,
    expected: Any,
    mistakes: Mapping[Any, str],
    advice: tuple[str, str],
    function: Callable[..., Any],
) -> None:
    check_function(function)
    result = function(*copy.deepcopy(arguments))
    wanted, types = KINDS[type(expected)]
    if not isinstance(result, types):
        raise Mistake(
            "returns something else",
            f"{wanted} was expected, but this came: {short(result)}.",
            "The answer is compared with the right one.",
            "Read the last line of your function. What does it return?",
        )
    if math.isclose(result, expected):
        return
    matching = [name for wrong, name in mistakes.items() if math.isclose(result, wrong)]
    raise Mistake(
        matching[0] if matching else "wrong result",
        f"{call} returned {_said(result)}, but {_said(expected)} was expected.",
        *advice,
    )


def _said(result: Any) -> str:
    return f"{result:.6g}" if isinstance(result, (float, numpy.floating)) else str(result)
