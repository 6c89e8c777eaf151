"""What notebook 06 writes to look inside a network, and the names of a network's blocks.

The code is the same, line for line, as in the notebook (a test compares them). Added here are
docstrings, types and argument checks. The network is left as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import mxnet as mx
from mxnet import gluon, np

from utils import _gluon, _guards, data, shapes, train


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


def has_way_around(block: gluon.Block) -> bool:
    """Return whether the layers after a block can compute without its 3x3 convolutions."""
    out_channels, in_channels = block.conv1.weight.shape[:2]
    stride = _gluon.geometry(block.conv1)["stride"]
    keeps_shape = in_channels == out_channels and stride == (1, 1)
    return keeps_shape or bool(getattr(block, "conv3", None))


def around(block: gluon.Block, X: np.ndarray) -> np.ndarray:
    """Return what is left of a block without its 3x3 convolutions: the shortcut and a ReLU."""
    shortcut = block.conv3(X) if getattr(block, "conv3", None) else X
    return np.maximum(shortcut, 0)


def accuracy_without(
    net: gluon.Block, names: Sequence[str], split: data.Split, device: mx.Context, size: int = 28
) -> float:
    """Return the accuracy on a split while the named blocks are removed, all at the same time.

    Source: Veit, Wilber and Belongie, "Residual Networks Behave Like Ensembles of Relatively
    Shallow Networks", 2016, section 4.1, https://arxiv.org/abs/1605.06431

    Raises ValueError for a network that is hybridized.
    """
    _guards.check_not_compiled(*shapes.parts(net).values())
    removed = [blocks(net)[name] for name in names]
    for block in removed:
        block.forward = partial(around, block)
    try:
        return train.evaluate(net, split, device, size)[1]
    finally:
        for block in removed:
            del block.forward


def watch(
    net: gluon.Block, layers: dict[str, gluon.Block], X: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Run X through a network; return the input and the output of each of these layers, by name.

    Raises ValueError if one of them is hybridized.
    """
    _guards.check_not_compiled(*layers.values())
    seen = {}
    name_of = {layer: name for name, layer in layers.items()}

    def keep(layer: gluon.Block, inputs: tuple, output: np.ndarray) -> None:
        seen[name_of[layer]] = inputs[0], output

    hooks = [layer.register_forward_hook(keep) for layer in name_of]
    net(X)
    for hook in hooks:
        hook.detach()
    return seen


def class_activation(maps: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return how much each pixel speaks for a class: (N, h, w).

    `maps` (N, C, h, w) is what global average pooling is given, `weights` (C,) are those that lead
    to the class in the dense layer behind it. Source: Zhou et al., "Learning Deep Features for
    Discriminative Localization", 2016, section 2, https://arxiv.org/abs/1512.04150
    """
    return (maps * weights.reshape(-1, 1, 1)).sum(axis=1)
