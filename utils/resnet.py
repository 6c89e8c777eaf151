"""The networks that notebooks 02 to 04 build: `Residual`, `resnet_block`, `stem`, `resnet18`.

The code is the same, line for line, as in the notebooks (a test compares them). Added here are
docstrings, types and argument checks.

Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2015,
https://arxiv.org/abs/1512.03385: the block in section 3.2, the network in table 1. As in *Dive into
Deep Learning* (https://d2l.ai), convolutions keep their biases and the 1x1 shortcut has no batch
normalization. Notebook 04 counts the difference.
"""

from __future__ import annotations

from typing import Any

from mxnet import np
from mxnet.gluon import nn

from utils import _guards


class Residual(nn.HybridBlock):
    """Two 3x3 convolutions that learn f(x) - x, and a shortcut that adds x: notebook 02.

    Input (N, C, H, W), output (N, num_channels, H / strides, W / strides), rounded up; float32.
    `use_1x1conv` sends the shortcut through a 1x1 convolution. This is needed wherever C differs
    from `num_channels` or `strides` is not 1, since only equal shapes can be added.

    Raises ValueError for arguments below 1 and a shortcut that cannot be added, and ValueError or
    TypeError for an input that is not 4-D float32.
    """

    def __init__(self, num_channels: int, use_1x1conv: bool = False, strides: int = 1) -> None:
        super().__init__()
        _guards.check_positive(num_channels=num_channels, strides=strides)
        self.conv1 = nn.Conv2D(num_channels, kernel_size=3, padding=1, strides=strides)
        self.conv2 = nn.Conv2D(num_channels, kernel_size=3, padding=1)
        self.conv3 = (
            nn.Conv2D(num_channels, kernel_size=1, strides=strides) if use_1x1conv else None
        )
        self.bn1, self.bn2 = nn.BatchNorm(), nn.BatchNorm()
        self.relu = nn.Activation("relu")

    def forward(self, X: np.ndarray) -> np.ndarray:
        _guards.check_images(X)
        return super().forward(X)

    def hybrid_forward(self, F: Any, X: np.ndarray) -> np.ndarray:
        Y = self.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        shortcut = self.conv3(X) if self.conv3 else X
        _guards.check_addable(Y, shortcut)
        return self.relu(Y + shortcut)


def named(**layers: nn.HybridBlock) -> nn.HybridSequential:
    """Return the layers in sequence, named for tables, messages and saved files."""
    net = nn.HybridSequential()
    for name, layer in layers.items():
        setattr(net, name, layer)  # like `net.name = layer`, which adds it to net
    return net


def stem() -> nn.HybridSequential:
    """Return the first layers, (N, C, H, W) to (N, 64, H / 4, W / 4), rounded up: notebook 03."""
    return named(
        conv=nn.Conv2D(64, kernel_size=7, strides=2, padding=3),
        norm=nn.BatchNorm(),
        relu=nn.Activation("relu"),
        pool=nn.MaxPool2D(pool_size=3, strides=2, padding=1),
    )


def resnet_block(
    num_channels: int, num_residuals: int, first_block: bool = False
) -> nn.HybridSequential:
    """Return one stage, (N, C, H, W) to (N, num_channels, H / 2, W / 2), rounded up: notebook 03.

    The first of its `num_residuals` blocks halves height and width. With `first_block` none does,
    since the stem has already halved them twice; C must then be `num_channels`.
    """
    _guards.check_positive(num_channels=num_channels, num_residuals=num_residuals)
    blocks = {}
    for i in range(1, num_residuals + 1):
        if i == 1 and not first_block:
            blocks[f"block{i}"] = Residual(num_channels, use_1x1conv=True, strides=2)
        else:
            blocks[f"block{i}"] = Residual(num_channels)
    return named(**blocks)


def resnet18(num_classes: int = 10) -> nn.HybridSequential:
    """Return ResNet-18, not yet initialized, for images of any size and channels: notebook 04.

    Input (N, C, H, W) float32, output (N, num_classes): scores before softmax.
    """
    _guards.check_positive(num_classes=num_classes)
    return named(
        stem=stem(),
        stage1=resnet_block(64, 2, first_block=True),
        stage2=resnet_block(128, 2),
        stage3=resnet_block(256, 2),
        stage4=resnet_block(512, 2),
        pool=nn.GlobalAvgPool2D(),
        dense=nn.Dense(num_classes),
    )
