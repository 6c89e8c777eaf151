"""Measure the same network, batch, optimizer and input in PyTorch, in eager mode, on the processor.

    python tools/bench/measure/pytorch.py SIZE BATCH STEPS FOLDER

This runs in an environment of its own, with PyTorch and numpy. FOLDER holds the data.
"""

from __future__ import annotations

import gzip
import json
import statistics
import sys
import time
from pathlib import Path

import numpy
import torch
from torch import nn
from torch.nn import functional


class Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut, as in utils.resnet."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv3 = nn.Conv2d(before, channels, 1, stride) if before != channels else None
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        Y = functional.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        return functional.relu(Y + (self.conv3(X) if self.conv3 else X))


def resnet18() -> nn.Sequential:
    """Return the network, with as many parameters as that of utils.resnet."""
    layers = [nn.Conv2d(1, 64, 7, 2, padding=3), nn.BatchNorm2d(64), nn.ReLU()]
    layers.append(nn.MaxPool2d(3, 2, padding=1))
    before = 64
    for channels in (64, 128, 256, 512):
        layers += [Residual(before, channels, channels // before), Residual(channels, channels, 1)]
        before = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def read(folder: Path, name: str, header: int) -> numpy.ndarray:
    """Return the bytes of a data file after its header."""
    with gzip.open(folder / f"{name}.gz") as file:
        return numpy.frombuffer(file.read(), numpy.uint8, offset=header)


def main(size: int, batch: int, steps: int, folder: str) -> None:
    images = read(Path(folder), "train-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28)
    labels = read(Path(folder), "train-labels-idx1-ubyte", 8).astype("int64")
    order = numpy.random.default_rng(0).permutation(len(images))
    net = resnet18()
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
