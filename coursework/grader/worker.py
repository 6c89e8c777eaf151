"""Inside the jail: execute a student's code, then answer each question with plain numbers.

The job arrives on standard input as JSON; frames leave on the descriptor that RESULT names. This
file and the student's code share a process, so nothing that it says is believed: the grader
compares the numbers with those that the instructor's solution gives to the same questions.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

import mxnet as mx
import numpy
from mxnet import autograd, np, npx

from grader import frames

Names = dict[str, Any]


def numbers(names: Names, name: str, arguments: list, settings: dict) -> list[numpy.ndarray]:
    """What a function of the student returns: a number, or a list of numbers."""
    return [numpy.asarray(names[name](*arguments, **settings), "f8")]


def outputs(
    names: Names, name: str, arguments: list, settings: dict, shape: list, seed: int, training: bool
) -> list[numpy.ndarray]:
    """The output of a block for random images, and the gradient of its weighted sum."""
    block = names[name](*arguments, **settings)
    block.initialize()
    X = np.array(numpy.random.default_rng(seed).standard_normal(shape), dtype="float32")
    block(X)
    for parameter in block.collect_params().values():
        if min(parameter.shape) < 0:  # of a layer that is never used
            continue
        parameter.set_data(np.array(_values(parameter, seed), dtype="float32"))
    X.attach_grad()
    with autograd.record(train_mode=training):
        Y = block(X)
    weights = numpy.random.default_rng(seed + 1).standard_normal(Y.shape)
    Y.backward(np.array(weights, dtype="float32"))
    return [Y.asnumpy(), X.grad.asnumpy()]


def parameters(names: Names, name: str, arguments: list, settings: dict, shape: list) -> list:
    """How many numbers a block holds, and its output shape."""
    block = names[name](*arguments, **settings)
    block.initialize()
    Y = block(np.zeros(shape))
    sizes = [parameter.data().size for parameter in block.collect_params().values()]
    return [numpy.array(sum(sizes), "f8"), numpy.array(Y.shape, "f8")]


def _values(parameter: mx.gluon.Parameter, seed: int) -> numpy.ndarray:
    """Values that follow from what a parameter is and from its shape, not from its place."""
    kind = parameter.name.rpartition("_")[2]
    rng = numpy.random.default_rng([seed, len(kind), *kind.encode(), *parameter.shape])
    values = rng.standard_normal(parameter.shape)
    if kind == "weight":
        return values / numpy.sqrt(numpy.prod(parameter.shape[1:]))
    return 1 + abs(values) / 2 if kind in ("gamma", "var") else values / 2


PROCEDURES = {"numbers": numbers, "outputs": outputs, "parameters": parameters}


def main() -> None:
    job = json.load(sys.stdin)
    names: Names = {"__name__": "__main__"}
    npx.set_np()
    with os.fdopen(int(os.environ["RESULT"]), "wb", buffering=0) as result:
        for source in job["sources"]:
            try:
                exec(compile(source, "<answer>", "exec"), names)
            except BaseException:  # SystemExit too; the other cells may be right
                print(traceback.format_exc())
        for number, question in job["questions"]:
            ask = dict(question)
            procedure = PROCEDURES[ask.pop("procedure")]
            try:
                frame = frames.write(number, procedure(names, **ask))
            except BaseException as error:
                frame = frames.write(number, error=f"{type(error).__name__}: {error}")
            result.write(frame)
    os._exit(0)  # threads and handlers that were left behind have nothing to say


if __name__ == "__main__":
    main()
