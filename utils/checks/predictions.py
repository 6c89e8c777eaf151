"""The questions asked of a learner's predictions: shapes, and numbers of parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy
import pandas
from mxnet import gluon

from utils import resnet
from utils.checks._ask import Question, ask_all, short
from utils.checks._isolate import contained
from utils.checks._report import Mistake, Report
from utils.shapes import NETWORK, layer_table, parts

PARTS = ("stem", "stage1", "stage2", "stage3", "stage4", "pool", "dense")
WITH_WEIGHTS = tuple(part for part in PARTS if part != "pool")


def shapes(
    predicted: Mapping[str, tuple[int, ...]], input_shape: tuple[int, ...] = (1, 1, 96, 96)
) -> Report:
    """Compare predicted output shapes of ResNet-18, by the names of its parts, with the real ones.

    Asked are all of "stem", "stage1" to "stage4", "pool", "dense", and any other layer in
    `predicted`. Shapes are (N, C, H, W), or (N, classes) behind the dense layer.
    """
    answers = _network(input_shape)[1].output
    questions = [
        Question(name, f"Which shape leaves {name}?", partial(_shape, name, answers))
        for name in _asked(predicted, PARTS)
    ]
    return ask_all(f"Shapes for an input of {input_shape}", questions, predicted)


def parameter_count(predicted: Mapping[str, int] | int) -> Report:
    """Compare predicted numbers of parameters of ResNet-18 with the real ones.

    `predicted` is the number for the whole network, for images with one channel and ten classes, or
    a number for each of "stem", "stage1" to "stage4", "dense", or for other layers by name.
    """
    net, table = _network((1, 1, 32, 32))
    names = [NETWORK]
    if isinstance(predicted, Mapping):
        names = _asked(predicted, WITH_WEIGHTS)
    questions = [
        Question(name, f"How many parameters has {name}?", partial(_count, name, net, table))
        for name in names
    ]
    return ask_all("Parameters", questions, predicted)


def _network(input_shape: tuple[int, ...]) -> tuple[gluon.Block, pandas.DataFrame]:
    with contained():
        net = resnet.resnet18()
        net.initialize()
        return net, layer_table(net, input_shape)


def _asked(predicted: Any, names: tuple[str, ...]) -> list[str]:
    """Return the names that are always asked, then the others that the learner chose."""
    if not isinstance(predicted, Mapping):
        return list(names)
    return [*names, *(name for name in map(str, predicted) if name not in names)]


def _prediction(name: str, predicted: Any) -> Any:
    if not isinstance(predicted, Mapping):
        raise Mistake(
            "no dictionary",
            f"A dictionary from names to predictions was expected, but this came: "
            f"{short(predicted)}.",
            "Each prediction is compared with the part of the network whose name it has.",
            'Write {"stem": ..., "stage1": ...}.',
        )
    if predicted.get(name) is None:
        raise Mistake(
            "no prediction yet",
            f"There is no prediction for {name}.",
            "A prediction costs a minute, and shows what you have understood.",
            f"Write one at {name!r}, even if you are not sure.",
        )
    return predicted[name]


def _shape(name: str, answers: pandas.Series, predicted: Any) -> None:
    guess = _prediction(name, predicted)
    answer = _answer(name, answers)
    shape = _numbers(guess)
    if shape == answer:
        return
    if shape is None:
        said = "no shape"
    elif len(shape) == len(answer) - 1:
        said = "batch axis forgotten"
    elif len(shape) != len(answer):
        said = "wrong number of axes"
    elif sorted(shape) == sorted(answer):
        said = "axes in another order"
    elif shape[1] != answer[1]:
        said = "wrong channels"
    elif shape[2:] == tuple(2 * side for side in answer[2:]):
        said = "one halving too few"
    elif shape[2:] == tuple(math.ceil(side / 2) for side in answer[2:]):
        said = "one halving too many"
    else:
        said = "wrong height or width"
    raise Mistake(
        said,
        f"You predicted {short(guess)} for {name}, but it is {answer}.",
        "The layers after it compute with this shape.",
        "Apply the rule, pixels out = (n + 2p - k) // s + 1, from layer to layer. "
        "An array of images is (batch, channels, height, width).",
    )


def _answer(name: str, answers: pandas.Series) -> Any:
    if name not in answers.index:
        raise Mistake(
            "unknown layer",
            f"The network has no layer {name!r}.",
            "A prediction is compared with the layer whose name it has.",
            f"It has for example {', '.join(answers.index[1:5])}.",
        )
    return answers[name]


def _numbers(guess: Any) -> tuple[int, ...] | None:
    """Return a shape as a tuple of whole numbers; None for anything else."""
    if not isinstance(guess, (tuple, list)) or len(guess) > 8:
        return None
    whole = all(isinstance(n, (int, numpy.integer)) for n in guess)
    return tuple(int(n) for n in guess) if whole else None


def _count(name: str, net: gluon.Block, table: pandas.DataFrame, predicted: Any) -> None:
    guess = predicted if name == NETWORK else _prediction(name, predicted)
    answer = _answer(name, table.parameters)
    if not isinstance(guess, (int, numpy.integer)) or isinstance(guess, bool):
        raise Mistake(
            "no number",
            f"A whole number was expected for {name}, but this came: {short(guess)}.",
            "A number of parameters is counted, and has no fraction.",
            "Does your function end with `return`, and does it return a number?",
        )
    if guess == answer:
        return
    forgotten = {n: what for what, n in _forgotten(name, net, answer).items()}
    raise Mistake(
        forgotten.get(guess, "wrong count"),
        f"You counted {guess:,} parameters for {name}, but there are {answer:,}.",
        "Parameters decide how much memory a network takes, and how much it can learn.",
        f"The difference is {abs(answer - guess):,}. Which layer has that many? Think of biases, "
        "of scale and shift, and of the 1x1 convolutions.",
    )


def _forgotten(name: str, net: gluon.Block, answer: int) -> dict[str, int]:
    """Return the counts that follow from forgetting one kind of parameters, or from adding one."""
    parameters = parts(net)[name].collect_params().values()

    def total(is_meant: Any) -> int:
        return sum(math.prod(p.shape) for p in parameters if is_meant(p))

    return {
        "biases forgotten": answer - total(lambda p: p.name.endswith("bias")),
        "biases of convolutions forgotten": answer
        - total(lambda p: p.name.endswith("bias") and "conv" in p.name),
        "normalizations forgotten": answer - total(lambda p: p.name.endswith(("gamma", "beta"))),
        "1x1 convolutions forgotten": answer
        - total(lambda p: len(p.shape) == 4 and p.shape[-1] == 1)
        - total(lambda p: p.name in _biases_1x1(parameters)),
        "running statistics counted": answer + total(lambda p: p.grad_req == "null"),
    }


def _biases_1x1(parameters: Any) -> set[str]:
    narrow = [p.name for p in parameters if len(p.shape) == 4 and p.shape[-1] == 1]
    return {name.removesuffix("weight") + "bias" for name in narrow}
