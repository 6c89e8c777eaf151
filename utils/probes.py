"""Looks into a network: norms of its layers and gradients, its blocks removed, its feature maps.

All of them work on networks that are not hybridized, and leave the network as it was, but for the
gradients that the next step of a training computes anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import mxnet as mx
import numpy
import pandas
from mxnet import autograd, gluon, np
from mxnet.gluon import nn

from utils import _guards, data, shapes, train


class Call(NamedTuple):
    """What a block was given and what it returned."""

    input: np.ndarray
    output: np.ndarray


@contextmanager
def watching(blocks: dict[str, gluon.Block]) -> Iterator[dict[str, Call]]:
    """Collect the last call of each block, by name, while the `with` statement lasts.

    Raises ValueError if one of them is hybridized.
    """
    _guards.check_not_compiled(*blocks.values())
    calls = {}

    def keep(name: str, block: gluon.Block, inputs: tuple, output: np.ndarray) -> None:
        calls[name] = Call(inputs[0], output)

    hooks = [block.register_forward_hook(partial(keep, name)) for name, block in blocks.items()]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.detach()


def blocks(net: gluon.Block) -> dict[str, gluon.Block]:
    """Return the plain or residual blocks of a network by name, in order.

    A block is what has two convolutions and ends with a normalization, `conv1`, `conv2` and `bn2`,
    whoever wrote it. Raises ValueError if there is none.
    """
    found = {
        name: part
        for name, part in shapes.parts(net).items()
        if all(hasattr(part, layer) for layer in ("conv1", "conv2", "bn2"))
    }
    if not found:
        raise ValueError(
            f"The {type(net).__name__} has no plain or residual blocks. They are recognized by "
            "their layers conv1, conv2 and bn2: give yours the same names."
        )
    return found


def layer_norms(net: gluon.Block, X: np.ndarray, y: np.ndarray) -> pandas.DataFrame:
    """Return a row for each 3x3 convolution, in order, measured on one batch in training mode.

    `output` is the root mean square of the numbers that it returns, `gradient` the norm of the
    gradient of the mean loss with respect to its weights. X (N, C, H, W) float32, y (N,) int32.
    """
    statistics = net.collect_params(".*running_(mean|var)").values()
    before = [statistic.data().copy() for statistic in statistics]  # training mode moves them
    convolutions = {
        name: part
        for name, part in shapes.parts(net).items()
        if isinstance(part, nn.Conv2D) and part.weight.shape[-1] == 3
    }
    with watching(convolutions) as calls, autograd.record():
        loss = train.loss_function(net(X), y).mean()
    loss.backward()
    for statistic, value in zip(statistics, before):
        statistic.set_data(value)
    norms = {
        name: {
            "output": np.sqrt((calls[name].output ** 2).mean()).item(),
            "gradient": np.linalg.norm(convolution.weight.grad()).item(),
        }
        for name, convolution in convolutions.items()
    }
    return pandas.DataFrame.from_dict(norms, orient="index")


def moves(net: gluon.Block, X: np.ndarray) -> pandas.DataFrame:
    """Return, for each residual block, how long f(x) - x is against x, measured on X.

    Columns: `residual` and `shortcut`, means over the images of the Euclidean norms, and `ratio`.
    Both are taken before they are added, so before the last ReLU. Where the shortcut has a 1x1
    convolution, its output stands for x. X (N, C, H, W) float32.
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
    """Take the two 3x3 convolutions of a block out of the computation; x goes around them.

    Raises ValueError for a plain block that changes the shape: there is no way around it.
    """
    if not has_way_around(block):
        raise ValueError(
            "A plain block that changes the shape cannot be removed: the layers after it need the "
            "shape that it makes. Remove one that keeps the shape."
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
    """Return whether x can pass a block without its 3x3 convolutions and fit what comes after."""
    out_channels, in_channels = block.conv1.weight.shape[:2]
    # Gluon keeps the stride of a convolution nowhere else.
    keeps_shape = in_channels == out_channels and block.conv1._kwargs["stride"] == (1, 1)
    return keeps_shape or bool(_shortcut_layers(block))


def lesions(
    net: gluon.Block, split: data.Split, device: mx.Context, size: int = 28
) -> pandas.Series:
    """Return the accuracy on a split with each block removed alone, by name; first with none.

    Plain blocks that change the shape are left out. Source: Veit, Wilber and Belongie, "Residual
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
    """Return where each image speaks for a class: (N, h, w), before the pooling averages it.

    The score of the class is the mean of its map, plus a bias. `net` ends with `pool` and `dense`;
    X (N, C, H, W) float32. Source: Zhou et al., "Learning Deep Features for Discriminative
    Localization", 2016, section 2, https://arxiv.org/abs/1512.04150
    """
    with watching({"pool": net.pool}) as calls:
        net(X)
    weight = net.dense.weight.data()[label]
    return (calls["pool"].input * weight[:, None, None]).sum(axis=1).asnumpy()
