"""Small training runs on real images, for the tests; as a program, a run that gets killed.

    python small_runs.py CHECKPOINT EPOCHS [MOMENT]

resumes the run in CHECKPOINT, saves after every step and prints a line for each; at the end it
prints the run's fingerprint. With a MOMENT the process kills itself: during its third save at a
moment of `MOMENTS`, or, where MOMENT is a number, at that Python call of the run.
"""

import dataclasses
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import utils  # noqa: F401  (before mxnet: it sets the machine up)

import mxnet as mx
import numpy
from mxnet import npx
from mxnet.gluon import nn

from utils import data, train
from utils.recipes import Recipe
from utils.resnet import Residual, named, stem
from utils.runs import checkpoint
from utils.runs.callbacks import Callback
from utils.runs.checkpoint import Checkpoint
from utils.runs.team import Team

CPU = mx.cpu()
RECIPE = Recipe(epochs=2, batch_size=32, flip=True)


def small_net(seed=0):
    """Return a stem, a block and dropout: normalization, a shortcut and random numbers."""
    net = named(
        stem=stem(),
        block=Residual(64),
        pool=nn.GlobalAvgPool2D(),
        dropout=nn.Dropout(0.2),
        dense=nn.Dense(10),
    )
    train.initialize(net, seed=seed, device=CPU)
    return net


def few_images(sample):
    """Return a small part of the sample: 275 images for training, all of those for validation."""
    part = data.Split(sample.train.images[::20], sample.train.labels[::20])
    return dataclasses.replace(sample, train=part)


class OnStep(Callback):
    """Call a function with the history after each step, and when a run resumes."""

    def __init__(self, function):
        self.function = function

    def begin(self, run):
        if run.history.step_losses:
            self.function(run.history)

    def after_step(self, run):
        self.function(run.history)


def run(
    net,
    few,
    recipe=RECIPE,
    *,
    seed=0,
    device=CPU,
    kvstore="device",
    checkpoint=None,
    resume=False,
    every=60,
    on_step=None,
):
    """Train with the callbacks that these options need."""
    devices = [device] if isinstance(device, mx.Context) else device
    callbacks = []
    if len(devices) > 1 or kvstore != "device":
        callbacks.append(Team(devices, kvstore))
    if checkpoint is not None:
        callbacks.append(Checkpoint(checkpoint, resume=resume, every=every))
    if on_step is not None:
        callbacks.append(OnStep(on_step))
    return train.fit(net, few, recipe, seed=seed, device=devices[0], callbacks=callbacks)


def parameters(net):
    mx.npx.waitall()
    return [p.data().asnumpy() for p in net.collect_params().values()]


def equal(some, others):
    some, others = list(some), list(others)
    return len(some) == len(others) and all(map(numpy.array_equal, some, others))


def interrupt_at(step):
    """Return a callback that presses the stop button after this step."""

    def on_step(history):
        if len(history.step_losses) == step:
            signal.raise_signal(signal.SIGINT)

    return on_step


def start(path, epochs, moment=""):
    """Start this file as a program; return the process, with its output in pipes."""
    command = [sys.executable, __file__, str(path), str(epochs), moment]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# Where a kill can hit a save: before the first byte, between two parameters, before the bytes are
# on the disk, before, between and after the two renames.
MOMENTS = {
    "before writing": (checkpoint.storage, "clear", 1),
    "while writing": (numpy.lib.format, "write_array", 3),
    "before the disk has it": (os, "fsync", 1),
    "before the first renaming": (os, "replace", 1),
    "between the renamings": (os, "replace", 2),
    "after the renamings": (os, "fsync", 3),
}


def kill_at(moment):
    """Make this process kill itself during its third save, at the n-th call of a function."""
    module, name, n = MOMENTS[moment]
    called, save, saves = getattr(module, name), checkpoint.save, [0]

    def counted(*arguments, **options):
        saves[1] += 1
        if saves[1] == n:
            os.kill(os.getpid(), signal.SIGKILL)
        return called(*arguments, **options)

    def counting(*arguments):
        saves[0] += 1
        if saves[0] == 3:
            saves.append(0)
            setattr(module, name, counted)
        save(*arguments)

    checkpoint.save = counting


def kill_at_call(number):
    """Make this process kill itself at a Python call or return, counted from here."""
    counted = itertools.count(1)

    def watch(*_):
        if next(counted) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)


def main(path, epochs, moment=""):
    npx.set_np()
    for _ in range(8):
        nn.Conv2D(3, 3)  # so that the next layers get other names than in the tests' own process
    if moment in MOMENTS:
        kill_at(moment)
    net = small_net(seed=5)
    recipe = dataclasses.replace(RECIPE, epochs=int(epochs))

    def on_step(history):
        print(f"\nstep {len(history.step_losses)}", flush=True)

    options = {"checkpoint": path, "resume": True, "every": 0, "on_step": on_step}
    if not checkpoint.exists(path):
        net = small_net()
    few = few_images(data.load("quick"))
    if moment.isdigit():
        kill_at_call(int(moment))
    print(f"\nfingerprint {run(net, few, recipe, **options).fingerprint(net)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
