"""One training on several devices and on several machines: how a batch is shared.

Each device of each worker computes the gradient of its part of a batch. The parts are added up
(`utils.runs.team`), and everyone learns from the same sum: the step is that of one device with the
whole batch, but for normalizations, which see a part alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import mxnet as mx
from mxnet import gluon, np

from utils.recipes import Recipe


def split(X: np.ndarray, devices: Sequence[mx.Context]) -> list[np.ndarray]:
    """Return a part of the batch for each device, on it. Gluon's own fails with numpy 2."""
    ends = [len(X) * k // len(devices) for k in range(len(devices) + 1)]
    parts = zip(ends, ends[1:], devices)
    return [X[start:end].as_in_ctx(device) for start, end, device in parts]


@dataclass(frozen=True)
class Spread:
    """A network on several devices: each gets an equal part of the images.

    It returns the scores of all of them on the first device, and is used as the network itself.
    """

    net: gluon.Block
    devices: Sequence[mx.Context]

    def __call__(self, X: np.ndarray) -> np.ndarray:
        # None waits for the one before it: the devices compute at the same time.
        scores = [self.net(part) for part in split(X, self.devices)]
        return np.concatenate([part.as_in_ctx(self.devices[0]) for part in scores])


class Share:
    """A worker's part of the recipe's batches: the `rank`-th of `workers` equal parts of each."""

    def __init__(self, recipe: Recipe, rank: int, workers: int) -> None:
        self.batches = partial(recipe.batches, part=(rank, workers))
