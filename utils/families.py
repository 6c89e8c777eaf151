"""Networks that differ in one thing: plain and residual ones of any depth, and variants of them.

Notebook 01 compares their depths. Notebook 06 looks inside them, and its loss log goes from a plain
network of 20 layers to the final residual one, one change at a time. Notebook 07 trains their
relatives, made of `PreActivation` and `Bottleneck`, with a small stem.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mxnet as mx
from mxnet import gluon, np, npx
from mxnet.gluon import nn

from utils import _gluon, _guards, shapes, train
from utils.resnet import Residual, named, stem

WIDTHS = (8, 16, 32)  # channels of the three stages: half of the paper's, to train in seconds


class Plain(nn.HybridBlock):
    """The two 3x3 convolutions of `Residual` without a shortcut, as in notebook 01.

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
        shortcut = self.bn3(self.conv3(X)) if self.conv3 and self.bn3 else X
        return self.relu(Y + shortcut)


class PreActivation(Residual):
    """`Residual` with normalization and ReLU before each convolution, and nothing after the sum.

    Source: He et al., "Identity Mappings in Deep Residual Networks", 2016,
    https://arxiv.org/abs/1603.05027
    """

    def hybrid_forward(self, F: Any, X: np.ndarray) -> np.ndarray:
        Y = self.conv1(self.relu(self.bn1(X)))
        Y = self.conv2(self.relu(self.bn2(Y)))
        shortcut = self.conv3(X) if self.conv3 else X
        _guards.check_addable(Y, shortcut)
        return Y + shortcut


class Bottleneck(nn.HybridBlock):
    """A 3x3 convolution on a quarter of the channels, between two of 1x1, and a shortcut.

    Its arguments are those of `Residual`. Source: He et al., 2015, section 4.1; the stride is that
    of the 3x3 convolution, as in most implementations since.
    """

    def __init__(self, num_channels: int, use_1x1conv: bool = False, strides: int = 1) -> None:
        super().__init__()
        _guards.check_positive(num_channels=num_channels, strides=strides)
        self.reduce = nn.Conv2D(num_channels // 4, kernel_size=1)
        self.conv = nn.Conv2D(num_channels // 4, kernel_size=3, padding=1, strides=strides)
        self.restore = nn.Conv2D(num_channels, kernel_size=1)
        self.conv3 = nn.Conv2D(num_channels, 1, strides) if use_1x1conv else None
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm(), nn.BatchNorm(), nn.BatchNorm()
        self.relu = nn.Activation("relu")

    def hybrid_forward(self, F: Any, X: np.ndarray) -> np.ndarray:
        Y = self.relu(self.bn1(self.reduce(X)))
        Y = self.relu(self.bn2(self.conv(Y)))
        Y = self.bn3(self.restore(Y))
        shortcut = self.conv3(X) if self.conv3 else X
        _guards.check_addable(Y, shortcut)
        return self.relu(Y + shortcut)


def small_stem(num_channels: int) -> nn.HybridSequential:
    """Return a first convolution that keeps height and width, with normalization and ReLU."""
    return named(
        conv=nn.Conv2D(num_channels, kernel_size=3, padding=1),
        norm=nn.BatchNorm(),
        relu=nn.Activation("relu"),
    )


def relative(
    block: Callable[..., nn.HybridBlock],
    widths: Sequence[int],
    counts: Sequence[int] = (2, 2, 2, 2),
) -> nn.HybridSequential:
    """Return a network with a small stem: a stage for each width, of so many blocks.

    Input (N, C, H, W), output (N, 10): scores before softmax. `block` is called as `Residual` is.
    """
    net = named(stem=small_stem(widths[0]))
    for stage, (width, count) in enumerate(zip(widths, counts), start=1):
        blocks = {}
        for i in range(1, count + 1):
            new_shape = stage > 1 and i == 1
            blocks[f"block{i}"] = block(width, new_shape, strides=2 if new_shape else 1)
        setattr(net, f"stage{stage}", named(**blocks))
    if block is PreActivation:  # nothing has followed its last sum yet
        net.end = named(norm=nn.BatchNorm(), relu=nn.Activation("relu"))
    net.pool, net.dense = nn.GlobalAvgPool2D(), nn.Dense(10)
    return net


def deep_network(
    depth: int, block: Callable[..., nn.HybridBlock], widths: tuple[int, ...] = WIDTHS
) -> nn.HybridSequential:
    """Return a network of `depth` layers with weights: 8, 14, 20, 26, ... for three stages.

    Input (N, C, H, W), output (N, 10): scores before softmax. A 3x3 convolution is followed by
    three stages with equal numbers of blocks and by a dense layer (He et al., 2015, section 4.2).
    All stages but the first halve height and width. The 1x1 convolutions of shortcuts do not count.

    `block` is `Residual`, a class derived from it, or anything that makes a block when called as
    `block(num_channels, strides=strides)`, as `Plain` does. Notebook 01 compares the two.

    Raises ValueError for a depth that such a network cannot have.
    """
    step = 2 * len(widths)
    per_stage, rest = divmod(depth - 2, step)
    if per_stage < 1 or rest:
        raise ValueError(
            "depth is {depth}, but a network of {stages} stages has {possible}, ... layers: two "
            "for each block, one before the blocks and one after them. Choose one of these.".format(
                depth=depth,
                stages=len(widths),
                possible=", ".join(str(n * step + 2) for n in (1, 2, 3)),
            )
        )
    return named(
        conv=nn.Conv2D(widths[0], kernel_size=3, padding=1),
        norm=nn.BatchNorm(),
        relu=nn.Activation("relu"),
        **_stages(block, widths, per_stage),
        pool=nn.GlobalAvgPool2D(),
        dense=nn.Dense(10),
    )


def network18(block: Callable[..., nn.HybridBlock]) -> nn.HybridSequential:
    """Return the network of `resnet18()` with other blocks; `block` is as in `deep_network`."""
    return named(
        stem=stem(),
        **_stages(block, (64, 128, 256, 512), 2),
        pool=nn.GlobalAvgPool2D(),
        dense=nn.Dense(10),
    )


def without_biases(net: gluon.Block) -> gluon.Block:
    """Keep the biases of a new network's convolutions at zero; return the network.

    It then computes and learns as if they were not there.
    """
    for parameter in net.collect_params(".*conv.*bias").values():
        parameter.grad_req = "null"
    return net


def deepened(
    net: gluon.Block, deeper: gluon.Block, *, device: mx.Context, seed: int = 0
) -> gluon.Block:
    """Copy the parameters of `net` to the same places in a new, deeper network; return the latter.

    In its additional blocks with a shortcut, the last normalization multiplies by zero. Such a
    block returns its input, since x comes out of a ReLU and is not negative: relu(x + 0) = x. Both
    networks then compute the same function. Additional blocks without a shortcut keep their random
    weights. Notebook 01 compares the two.

    Raises ValueError if `net` is not a part of the deeper network.
    """
    train.initialize(deeper, seed=seed, device=device)
    known, places = _gluon.places(net), _gluon.places(deeper)
    for name, parameter in known.items():
        if name not in places or places[name].shape != parameter.shape:
            raise ValueError(
                "{name} {shape} of the first network has no place of that shape in the second. "
                "Pass a deeper network of the same blocks and widths.".format(
                    name=name, shape=parameter.shape
                )
            )
        places[name].set_data(parameter.data())
    for name, block in shapes.parts(deeper).items():
        if hasattr(block, "conv3") and f"{name}.bn2.gamma" not in known:
            block.bn2.gamma.set_data(np.zeros(block.bn2.gamma.shape, ctx=device))
    return deeper


def take_over(net: gluon.Block, base: gluon.Block) -> None:
    """Copy a network's parameters, but those of its dense layer, to a network of the same kind."""
    npx.waitall()  # until the base is trained
    for old, new in zip(base.collect_params().values(), net.collect_params().values()):
        if "dense" not in old.name:
            new.set_data(old.data())


hold_statistics = _gluon.hold_statistics


def freeze(net: gluon.Block) -> None:
    """Let only the network's dense layer learn; what comes before it stays as it is."""
    net.collect_params().setattr("grad_req", "null")
    net.dense.collect_params().setattr("grad_req", "write")
    hold_statistics(net)


def set_identity(block: Plain) -> None:
    """Let a plain block that keeps the shape return its input, where that is not negative.

    The kernels copy each map (Dirac kernels). New normalizations, in inference mode, divide by the
    square root of 1 + epsilon; gamma multiplies by it. It does not hold in training mode, where
    they divide by the standard deviation of the batch.
    """
    for convolution, norm in ((block.conv1, block.bn1), (block.conv2, block.bn2)):
        weight = np.zeros(convolution.weight.shape)
        for channel in range(len(weight)):
            weight[channel, channel, 1, 1] = 1
        convolution.weight.set_data(weight)
        norm.gamma.set_data(np.full(len(weight), (1 + 1e-5) ** 0.5))


def _stages(
    block: Callable[..., nn.HybridBlock], widths: tuple[int, ...], per_stage: int
) -> dict[str, nn.HybridBlock]:
    stages = {}
    for stage, width in enumerate(widths, start=1):
        blocks = {}
        for i in range(1, per_stage + 1):
            strides = 2 if stage > 1 and i == 1 else 1
            blocks[f"block{i}"] = _block(block, width, strides)
        stages[f"stage{stage}"] = named(**blocks)
    return stages


def _block(block: Callable[..., nn.HybridBlock], width: int, strides: int) -> nn.HybridBlock:
    if isinstance(block, type) and issubclass(block, Residual):
        return block(width, use_1x1conv=strides > 1, strides=strides)
    return block(width, strides=strides)
