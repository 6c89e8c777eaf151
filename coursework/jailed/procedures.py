"""What the worker can ask of a student's code. Each procedure returns arrays of plain numbers."""

from __future__ import annotations

import ast
from typing import Any

import mxnet as mx
import numpy
from mxnet import autograd, gluon, init, np
from mxnet.gluon import nn

from jailed import task
from utils import data, train

Names = dict[str, Any]
Arrays = list[numpy.ndarray]


def numbers(names: Names, name: str, arguments: dict, keys: list[str]) -> Arrays:
    """What a function returns: a number, or with `keys` a dictionary of numbers or shapes."""
    value = _named(names, name)(**arguments)
    found = [value[key] for key in keys] if keys else [value]
    return [numpy.asarray(each, "f8") for each in found]


def kernels(names: Names, name: str, arguments: dict, shape: list[int]) -> Arrays:
    """The sizes of the kernels of convolutions and dense layers, sorted, and the output shape."""
    net = _named(names, name)(**arguments)
    net.initialize()
    Y = net(np.zeros(shape))
    sizes = [parameter.data().size for parameter in _kernels(net)]
    return [numpy.array(sorted(sizes), "f8"), numpy.array(Y.shape, "f8")]


def outputs(
    names: Names, name: str, arguments: dict, shape: list[int], seed: int, mode: str
) -> Arrays:
    """The output of a network for random images; in training also the gradient of a weighted sum.

    `mode` is "inference", "training", or "after training": inference once the normalizations have
    learned from another batch.
    """
    net = _named(names, name)(**arguments)
    net.initialize()
    rng = numpy.random.default_rng(seed)
    first, X = (np.array(rng.standard_normal(shape), dtype="float32") for _ in range(2))
    net(first)
    set_parameters(net, seed)
    if mode == "inference":
        return [net(X).asnumpy().astype("f8")]
    if mode == "after training":
        for _ in range(5):
            with autograd.record():
                Y = net(first)
            Y.backward()  # it is here that MXNet moves the running statistics
        return [net(X).asnumpy().astype("f8")]
    X.attach_grad()
    with autograd.record():
        Y = net(X)
    Y.backward(np.array(rng.standard_normal(Y.shape), dtype="float32"))
    return [Y.asnumpy().astype("f8"), X.grad.asnumpy().astype("f8")]


def steps(names: Names, name: str, seed: int, figures: bool) -> Arrays:
    """Three steps of a training: the figures that they return, or what they make of a network."""
    net = nn.Sequential()
    net.add(nn.Conv2D(4, 3), nn.BatchNorm(), nn.Activation("relu"), nn.AvgPool2D(4), nn.Dense(10))
    X, y = next(data.batches(task.fashion().train, 32, mx.cpu()))
    net.initialize()
    net(X)
    set_parameters(net, seed)
    trainer = gluon.Trainer(list(net.collect_params().values()), "sgd", {"learning_rate": 0.1})
    step = _named(names, name)
    returned = [step(net, X, y, trainer) for _ in range(3)]
    if figures:
        return [numpy.array([[float(value) for value in pair] for pair in returned], "f8")]
    return [net(X).asnumpy().astype("f8")]


def fit(names: Names, name: str, seeds: list[int]) -> Arrays:
    """What becomes of a small network that is trained, for each seed one after the other.

    Its weights, the figures that were reported, the numbers of the images that it learned from, and
    its scores for them.
    """
    fashion = task.fashion()
    found = []
    for seed in seeds:
        net = Recorder(fashion.train.images)
        net.add(nn.Dense(32, activation="relu"), nn.Dense(10))
        net.initialize(init.Xavier())
        net(np.zeros((1, 1, 28, 28)))
        set_parameters(net, 0)
        reported = _named(names, name)(net, fashion, RECIPE, seed=seed, device=mx.cpu())
        found += [p.data().asnumpy().astype("f8") for p in net.collect_params().values()]
        found += [numpy.asarray(reported, "f8"), numpy.array(net.numbers, "f8")]
        found.append(numpy.concatenate([scores.asnumpy() for scores in net.scores]).astype("f8"))
    return found


class Recorder(nn.Sequential):
    """A network that notes from which of the known images it learns, and its scores for them."""

    def __init__(self, images: numpy.ndarray) -> None:
        super().__init__()
        self.known = {(image > 0).tobytes(): number for number, image in enumerate(images)}
        self.numbers: list[int] = []
        self.scores: list[np.ndarray] = []

    def forward(self, X: np.ndarray) -> np.ndarray:
        scores = super().forward(X)
        if autograd.is_recording():
            self.scores.append(scores.detach())
            for pixels in X.asnumpy()[:, 0]:  # black stays the least, however images are scaled
                self.numbers.append(self.known.get((pixels > pixels.min()).tobytes(), -1))
        return scores


def diagnosis(names: Names, check: str) -> Arrays:
    """Which mistake the notebook's own check names, letter by letter; no letters: none."""
    from utils import checks  # slow to import, and hidden while answers are graded

    tree = ast.parse(check)
    names = {"checks": checks, **names}
    exec(compile(ast.Module(tree.body[:-1], []), "<check>", "exec"), names)
    report = eval(compile(ast.Expression(tree.body[-1].value), "<check>", "eval"), names)
    return [numpy.array([*map(ord, report.diagnosis)], "f8")]


def set_parameters(net: gluon.Block, seed: int) -> None:
    """Give the weights values that follow from their shapes, not from their names or places.

    Scales become 1 and shifts 0, whatever a network starts with, so that layers with and without
    them compute the same. Running statistics stay as they are.
    """
    for parameter in _used(net):
        if parameter.name.endswith("gamma"):
            parameter.set_data(np.ones(parameter.shape))
        elif parameter.name.endswith(("beta", "bias")):
            parameter.set_data(np.zeros(parameter.shape))
    for parameter in _kernels(net):
        values = task.values(parameter.shape, seed)
        parameter.set_data(np.array(values, dtype="float32"))


class MissingError(Exception):
    """There is nothing of the name that is asked for."""


def _named(names: Names, name: str) -> Any:
    if name not in names:
        raise MissingError
    return names[name]


def _used(net: gluon.Block) -> list[gluon.Parameter]:
    """The parameters whose shapes are known: those of layers that have been called."""
    return [p for p in net.collect_params().values() if min(p.shape) > 0]


def _kernels(net: gluon.Block) -> list[gluon.Parameter]:
    """The weights of convolutions and dense layers, and no scales of normalizations."""
    return [p for p in _used(net) if len(p.shape) > 1 and p.shape[0] > 1]


RECIPE = train.Recipe(epochs=4, batch_size=20, learning_rate=0.02)
PROCEDURES = {
    function.__name__: function for function in (numbers, kernels, outputs, steps, fit, diagnosis)
}
