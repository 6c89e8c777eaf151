"""Measure the same network, batch, optimizer and input in PyTorch, in eager mode, on the processor.

    python tools/bench/measure/pytorch.py SIZE BATCH STEPS FOLDER

This runs in an environment of its own, with PyTorch and numpy. FOLDER holds the data. The network
is the one of notebook 09 (a test compares them).
"""

from __future__ import annotations

import gzip
import json
import statistics
import sys
import time
from collections import OrderedDict
from pathlib import Path

import numpy
import torch
from torch.nn import functional

Module = torch.nn.Module


class TorchResidual(Module):
    """Two 3x3 convolutions and a shortcut, as in utils.resnet."""

    def __init__(self, before, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(before, num_channels, kernel_size=3, padding=1, stride=strides)
        self.conv2 = torch.nn.Conv2d(num_channels, num_channels, kernel_size=3, padding=1)
        self.conv3 = (
            torch.nn.Conv2d(before, num_channels, 1, stride=strides) if use_1x1conv else None
        )
        self.bn1, self.bn2 = torch.nn.BatchNorm2d(num_channels), torch.nn.BatchNorm2d(num_channels)
        self.relu = torch.relu

    def forward(self, X):
        Y = self.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        shortcut = self.conv3(X) if self.conv3 else X
        return self.relu(Y + shortcut)


def torch_named(**layers):
    """Return the layers in sequence, by their names."""
    return torch.nn.Sequential(OrderedDict(layers))


def torch_stem():
    """Return the first layers."""
    return torch_named(
        conv=torch.nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3),
        norm=torch.nn.BatchNorm2d(64),
        relu=torch.nn.ReLU(),
        pool=torch.nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    )


def torch_stage(before, num_channels):
    """Return a stage of two blocks; the first one halves height and width if it adds channels."""
    strides = num_channels // before
    first = TorchResidual(before, num_channels, use_1x1conv=strides > 1, strides=strides)
    return torch_named(block1=first, block2=TorchResidual(num_channels, num_channels))


def torch_resnet18(num_classes=10):
    """Return the network, with as many parameters as that of utils.resnet."""
    return torch_named(
        stem=torch_stem(),
        stage1=torch_stage(64, 64),
        stage2=torch_stage(64, 128),
        stage3=torch_stage(128, 256),
        stage4=torch_stage(256, 512),
        pool=torch.nn.AdaptiveAvgPool2d(1),
        flatten=torch.nn.Flatten(),
        dense=torch.nn.Linear(512, num_classes),
    )


def read(folder: Path, name: str, header: int) -> numpy.ndarray:
    """Return the bytes of a data file after its header."""
    with gzip.open(folder / f"{name}.gz") as file:
        return numpy.frombuffer(file.read(), numpy.uint8, offset=header)


def main(size: int, batch: int, steps: int, folder: str) -> None:
    images = read(Path(folder), "train-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28)
    labels = read(Path(folder), "train-labels-idx1-ubyte", 8).astype("int64")
    order = numpy.random.default_rng(0).permutation(len(images))
    net = torch_resnet18()
    optimizer = torch.optim.SGD(
        net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    times = [time.perf_counter()]
    for chosen in order[: (steps + 1) * batch].reshape(-1, batch):
        X = (torch.from_numpy(images[chosen]).float() / 255 - 0.286) / 0.353
        if size != 28:
            X = functional.interpolate(X, size=(size, size), mode="bilinear", align_corners=True)
        loss = functional.cross_entropy(net(X), torch.from_numpy(labels[chosen]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
        times.append(time.perf_counter())
    seconds = statistics.median(numpy.diff(times)[1:])
    parameters = sum(parameter.numel() for parameter in net.parameters())
    print(
        json.dumps(
            {
                "seconds": seconds,
                "images_per_second": batch / seconds,
                "version": torch.__version__,
                "parameters": parameters,
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
