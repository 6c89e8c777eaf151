"""Measurements inside a network: gradients, residuals, lesions, class activation.

Notebook 01 compares gradients; notebook 06 uses all of them. They need a network that is not
hybridized. They leave it as it was, except for the gradients, which the next training step computes
anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

import mxnet as mx
import numpy
import pandas
from mxnet import autograd, gluon, np
from mxnet.gluon import nn

from utils import _gluon, _guards, data, shapes, train


class Call(NamedTuple):
    """What a block was given and what it returned."""

    input: np.ndarray
    output: np.ndarray


@contextmanager
def watching(blocks: dict[str, gluon.Block]) -> Iterator[dict[str, Call]]:
    """Collect the last call of each block, by name, within the `with` statement.

    Raises ValueError if one of them is hybridized.
    """
    _guards.check_not_compiled(*blocks.values())
    calls = {}

    def keep(name: str, block: gluon.Block, inputs: tuple, output: np.ndarray) -> None:
        calls[name] = Call(inputs[0], output)

    with ExitStack() as hooks:
        for name, block in blocks.items():
            hooks.enter_context(_gluon.hooked([block], partial(keep, name)))
        yield calls


def blocks(net: gluon.Block) -> dict[str, gluon.Block]:
    """Return the plain or residual blocks of a network by name, in order.

    Any block counts that has layers named `conv1`, `conv2` and `bn2`. Raises ValueError if there is
    none.
    """
    found = {
        name: part
        for name, part in shapes.parts(net).items()
        if all(hasattr(part, layer) for layer in ("conv1", "conv2", "bn2"))
    }
    if not found:
        raise ValueError(
            "The {kind} has no plain or residual blocks. They are recognized by their layers "
            "conv1, conv2 and bn2: give yours the same names.".format(kind=type(net).__name__)
        )
    return found


def layer_norms(net: gluon.Block, X: np.ndarray, y: np.ndarray) -> pandas.DataFrame:
    """Return a row for each 3x3 convolution, in order, measured on one batch in training mode.

    `output` is the root mean square of its output, `gradient` the norm of the gradient of the mean
    loss with respect to its weights. X (N, C, H, W) float32, y (N,) int32.

    Raises ValueError where the gradients would be added to old ones (`grad_req="add"`).
    """
    _guards.check_new_gradients(net)
    _gluon.settle()
    before = _gluon.read(net)  # training mode updates the running statistics
    convolutions = {
        name: part
        for name, part in shapes.parts(net).items()
        if isinstance(part, nn.Conv2D) and part.weight.shape[-1] == 3
    }
    with watching(convolutions) as calls, autograd.record():
        loss = train.loss_function(net(X), y).mean()
    loss.backward()
    _gluon.put(net, before)
    norms = {
        name: {
            "output": np.sqrt((calls[name].output ** 2).mean()).item(),
            "gradient": np.linalg.norm(convolution.weight.grad()).item(),
        }
        for name, convolution in convolutions.items()
    }
    return pandas.DataFrame.from_dict(norms, orient="index")


def moves(net: gluon.Block, X: np.ndarray) -> pandas.DataFrame:
    """Return for each residual block the length of f(x) - x relative to x, measured on X.

    Columns: `residual` and `shortcut`, the means of the Euclidean norms over the images, and their
    `ratio`. The norms are taken before the sum and its ReLU. Where the shortcut has a 1x1
    convolution, its output takes the place of x. X (N, C, H, W) float32.
    """
    found = blocks(net)
    residual_ends = {name: block.bn2 for name, block in found.items()}
    layers = {name: _shortcut_layers(block) for name, block in found.items()}
    shortcut_ends = {name: layers[name][-1] for name in found if layers[name]}
    with (
        watching(found) as wholes,
        watching(residual_ends) as residuals,
        watching(shortcut_ends) as shortcuts,
    ):
        net(X)
    rows = {}
    for name in found:
        shortcut = shortcuts[name].output if name in shortcuts else wholes[name].input
        rows[name] = {"residual": _norm(residuals[name].output), "shortcut": _norm(shortcut)}
    table = pandas.DataFrame.from_dict(rows, orient="index")
    return table.assign(ratio=table.residual / table.shortcut)


def _shortcut_layers(block: gluon.Block) -> list[gluon.Block]:
    layers = [getattr(block, name, None) for name in ("conv3", "bn3")]
    return [layer for layer in layers if layer]


def _norm(Y: np.ndarray) -> float:
    return np.linalg.norm(Y.reshape(len(Y), -1), axis=1).mean().item()


@contextmanager
def removed(block: gluon.Block) -> Iterator[None]:
    """Within the `with` statement, leave out the two 3x3 convolutions of a block.

    What remains is the shortcut and the last ReLU. Raises ValueError for a plain block that changes
    the shape, since there is no way around it.
    """
    if not has_way_around(block):
        raise ValueError(
            "A plain block that changes the shape cannot be removed, because the layers after it "
            "need the new shape. Remove a block that keeps the shape."
        )
    layers = _shortcut_layers(block)

    def go_around(X: np.ndarray) -> np.ndarray:
        for layer in layers:
            X = layer(X)
        return np.maximum(X, 0)

    block.forward = go_around
    try:
        yield
    finally:
        del block.forward


def has_way_around(block: gluon.Block) -> bool:
    """Return whether the layers after a block can compute without its 3x3 convolutions."""
    out_channels, in_channels = block.conv1.weight.shape[:2]
    stride = _gluon.geometry(block.conv1)["stride"]
    keeps_shape = in_channels == out_channels and stride == (1, 1)
    return keeps_shape or bool(_shortcut_layers(block))


def lesions(
    net: gluon.Block, split: data.Split, device: mx.Context, size: int = 28
) -> pandas.Series:
    """Return the accuracy on a split with one block removed at a time, by the block's name.

    The first entry, "none", is that of the whole network. Plain blocks that change the shape are
    left out. Source: Veit, Wilber and Belongie, "Residual
    Networks Behave Like Ensembles of Relatively Shallow Networks", 2016, section 4.1,
    https://arxiv.org/abs/1605.06431
    """
    _guards.check_not_compiled(*shapes.parts(net).values())
    accuracies = {"none": train.evaluate(net, split, device, size)[1]}
    for name, block in blocks(net).items():
        if has_way_around(block):
            with removed(block):
                accuracies[name] = train.evaluate(net, split, device, size)[1]
    return pandas.Series(accuracies, name="accuracy")


def class_activation(net: gluon.Block, X: np.ndarray, label: int) -> numpy.ndarray:
    """Return how much each place of each image speaks for a class: (N, h, w).

    The mean of this map, plus a bias, is the score of the class. `net` ends with layers named
    `pool` and `dense`; X (N, C, H, W) float32. Source: Zhou et al., "Learning Deep Features for
    Discriminative Localization", 2016, section 2, https://arxiv.org/abs/1512.04150
    """
    with watching({"pool": net.pool}) as calls:
        net(X)
    weight = net.dense.weight.data()[label]
    return (calls["pool"].input * weight[:, None, None]).sum(axis=1).asnumpy()
