"""The recipe of a training: all that decides its curve, apart from network, data and seed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import mxnet as mx
import numpy
from mxnet import gluon, lr_scheduler, np

from utils import _guards, data


@dataclass(frozen=True)
class Recipe:
    """How to train: all that decides the curve, apart from the network, the data and the seed.

    The learning rate climbs in a straight line to `learning_rate` during the first `warm_up` part
    of the steps, then falls to zero along a cosine ("one cycle": Smith and Topin, 2017,
    https://arxiv.org/abs/1708.07120). Without `one_cycle` it stays where it is. The optimizer is
    Nesterov's momentum.
    """

    epochs: int = 3
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    one_cycle: bool = True
    warm_up: float = 0.25
    flip: bool = False  # mirror half of the training images
    size: int = 28  # pixels, height and width; images are scaled from 28
    shift: int = 0  # pixels by which training images are moved at most, in both directions

    def __post_init__(self) -> None:
        _guards.check_positive(epochs=self.epochs, batch_size=self.batch_size, size=self.size)
        rate = self.learning_rate
        if not isinstance(rate, (int, float)) or not math.isfinite(rate) or rate <= 0:
            raise ValueError(
                "learning_rate is {given!r}, but it must be a finite number above 0. 0.1 is a good "
                "first choice for this network.".format(given=rate)
            )
        if not 0 <= self.warm_up < 1:
            raise ValueError(
                "warm_up is {given!r}, but it must be the part of the steps in which the learning "
                "rate climbs: at least 0 and less than 1.".format(given=self.warm_up)
            )
        data.Augmentation(self.flip, self.shift)  # refuses a shift that leaves nothing

    def steps_per_epoch(self, split: data.Split) -> int:
        """Return how many full batches the images give; raise ValueError if they give none."""
        if self.batch_size > len(split):
            raise ValueError(
                "batch_size is {batch_size}, but there are only {count} training images, not "
                "enough for one batch. Choose a batch_size of at most {count}.".format(
                    batch_size=self.batch_size, count=len(split)
                )
            )
        return len(split) // self.batch_size

    def batches(
        self,
        split: data.Split,
        device: mx.Context,
        rng: numpy.random.Generator,
        start: int = 0,
        part: tuple[int, int] = (0, 1),
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Return a pass over the images for training, as `data.batches` does."""
        return data.batches(
            split,
            self.batch_size,
            device,
            rng,
            augmentation=data.Augmentation(self.flip, self.shift),
            size=self.size,
            start=start,
            part=part,
        )

    def schedule(self, steps: int) -> lr_scheduler.LRScheduler:
        """Return the learning rate as a function of the step, for a run of `steps` steps."""
        if not self.one_cycle:
            return lr_scheduler.FactorScheduler(steps, factor=1, base_lr=self.learning_rate)
        return lr_scheduler.CosineScheduler(
            max_update=steps,
            base_lr=self.learning_rate,
            final_lr=0,
            warmup_steps=round(self.warm_up * steps),
            warmup_begin_lr=self.learning_rate / 25,
        )

    def trainer(self, net: gluon.Block, steps: int) -> gluon.Trainer:
        """Return the optimizer, tied to the parameters of the network, for a run of that length."""
        settings = {
            "learning_rate": self.learning_rate,
            "momentum": self.momentum,
            "wd": self.weight_decay,
            "lr_scheduler": self.schedule(steps),
        }
        # A list, since Gluon sorts a dictionary by names such as conv9 and conv10. They depend on
        # what was built before, and a resumed run would give its momentum to other weights.
        # Without a KVStore, since `team.Team` adds up the gradients of several devices or workers.
        parameters = list(net.collect_params().values())
        return gluon.Trainer(parameters, "nag", settings, kvstore=None)


# Minutes on two processor cores with AVX-512, more on others.
SHORT = Recipe(epochs=5, learning_rate=0.05, flip=True)
# A quarter of an hour on the same cores.
LONG = Recipe(epochs=16, learning_rate=0.05, flip=True, shift=2)
# For a GPU, on images as large as d2l's. It has never been run on one.
ON_GPU = Recipe(epochs=30, learning_rate=0.05, flip=True, shift=2, size=96)
