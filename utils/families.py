"""Networks that differ in one thing: plain and residual ones of any depth, and variants between.

Notebook 01 compares depths, notebook 06 looks inside, and its loss log goes from a plain ResNet-18
to the final one, a change at a time.
"""

from __future__ import annotations

import inspect
from typing import Any

import mxnet as mx
from mxnet import gluon, np
from mxnet.gluon import nn

from utils import _guards, shapes, train
from utils.resnet import Residual, named, stem

WIDTHS = (8, 16, 32)  # channels of the three stages: half of the paper's, to train in seconds


class Plain(nn.HybridBlock):
    """The two 3x3 convolutions of `Residual`, without a shortcut.

    Input (N, C, H, W), output (N, num_channels, H / strides, W / strides), rounded up; float32.
    """

    def __init__(self, num_channels: int, strides: int = 1) -> None:
        super().__init__()
        _guards.check_positive(num_channels=num_channels, strides=strides)
        self.conv1 = nn.Conv2D(num_channels, kernel_size=3, padding=1, strides=strides)
        self.conv2 = nn.Conv2D(num_channels, kernel_size=3, padding=1)
        self.bn1, self.bn2 = nn.BatchNorm(), nn.BatchNorm()
        self.relu = nn.Activation("relu")

    def hybrid_forward(self, F: Any, X: np.ndarray) -> np.ndarray:
        Y = self.relu(self.bn1(self.conv1(X)))
        return self.relu(self.bn2(self.conv2(Y)))


class NormalizedShortcut(Residual):
    """`Residual` as in the paper: a batch normalization follows the 1x1 convolution."""

    def __init__(self, num_channels: int, use_1x1conv: bool = False, strides: int = 1) -> None:
        super().__init__(num_channels, use_1x1conv, strides)
        self.bn3 = nn.BatchNorm() if use_1x1conv else None

    def hybrid_forward(self, F: Any, X: np.ndarray) -> np.ndarray:
        Y = self.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        shortcut = self.bn3(self.conv3(X)) if self.bn3 else X
        return self.relu(Y + shortcut)


def deep_network(depth: int, block: type, widths: tuple[int, ...] = WIDTHS) -> nn.HybridSequential:
    """Return a network of `depth` layers with weights: 8, 14, 20, 26, ... for three stages.

    Input (N, C, H, W), output (N, 10): scores before softmax. A 3x3 convolution, three stages of
    equally many blocks of two convolutions, and a dense layer (He et al., 2015, section 4.2); the
    second stage and those after it halve height and width. The 1x1 convolutions of shortcuts do not
    count. `block` is a class with the signature of `Plain` or of `Residual`.

    Raises ValueError for a depth that such a network cannot have.
    """
    per_stage, rest = divmod(depth - 2, 2 * len(widths))
    if per_stage < 1 or rest:
        step = 2 * len(widths)
        raise ValueError(
            f"depth is {depth}, but a network of {len(widths)} stages has {step + 2}, "
            f"{2 * step + 2}, {3 * step + 2}, ... layers: two for each block, one before them and "
            "one after. Choose one of these."
        )
    return named(
        conv=nn.Conv2D(widths[0], kernel_size=3, padding=1),
        norm=nn.BatchNorm(),
        relu=nn.Activation("relu"),
        **_stages(block, widths, per_stage),
        pool=nn.GlobalAvgPool2D(),
        dense=nn.Dense(10),
    )


def network18(block: type) -> nn.HybridSequential:
    """Return the network of `resnet18()` with blocks of another kind."""
    return named(
        stem=stem(),
        **_stages(block, (64, 128, 256, 512), 2),
        pool=nn.GlobalAvgPool2D(),
        dense=nn.Dense(10),
    )


def without_biases(net: gluon.Block) -> gluon.Block:
    """Hold the biases of a new network's convolutions at their first value, zero; return it.

    The network then computes and learns as if they were not there.
    """
    for parameter in net.collect_params(".*conv.*bias").values():
        parameter.grad_req = "null"
    return net


def deepened(
    net: gluon.Block, deeper: gluon.Block, *, device: mx.Context, seed: int = 0
) -> gluon.Block:
    """Give a new, deeper network all parameters of `net`, by their places in it.

    In the blocks with a shortcut that it has in addition, the last normalization multiplies by
    zero. Such a block passes x on, since x comes out of a ReLU and is not negative:
    relu(x + 0) = x. Then both networks compute the same function. Additional blocks without a
    shortcut stay as they are drawn.

    Raises ValueError if `net` is not a part of the deeper network.
    """
    train.initialize(deeper, seed=seed, device=device)
    known = net._collect_params_with_prefix()  # names that say where in the network, as saved
    places = deeper._collect_params_with_prefix()
    for name, parameter in known.items():
        if name not in places or places[name].shape != parameter.shape:
            raise ValueError(
                f"{name} {parameter.shape} of the first network has no place of that shape in the "
                "second. Pass a deeper network of the same blocks and widths."
            )
        places[name].set_data(parameter.data())
    for name, block in shapes.parts(deeper).items():
        if hasattr(block, "conv3") and f"{name}.bn2.gamma" not in known:
            block.bn2.gamma.set_data(np.zeros(block.bn2.gamma.shape, ctx=device))
    return deeper


def _stages(block: type, widths: tuple[int, ...], per_stage: int) -> dict[str, nn.HybridBlock]:
    stages = {}
    for stage, width in enumerate(widths, start=1):
        blocks = {}
        for i in range(1, per_stage + 1):
            halves = stage > 1 and i == 1
            blocks[f"block{i}"] = _block(block, width, strides=2 if halves else 1)
        stages[f"stage{stage}"] = named(**blocks)
    return stages


def _block(block: type, width: int, strides: int) -> nn.HybridBlock:
    if "use_1x1conv" in inspect.signature(block).parameters:
        return block(width, use_1x1conv=strides > 1, strides=strides)
    return block(width, strides)
