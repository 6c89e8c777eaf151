"""What the workers of the tests run: a small training on real images, shared by a team.

    python team.py FOLDER [OPTION=VALUE ...]

prints a line for each step and at the end the SHA-256 of what the network has learned.
"""

import dataclasses
import hashlib
import os
import sys
import time
from pathlib import Path

import utils  # noqa: F401  (before mxnet: it sets the machine up)

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

import mxnet as mx
import numpy
from mxnet import npx
from mxnet.gluon import nn
from small_runs import RECIPE, few_images, run, small_net

from utils import _gluon, data, train
from utils.recipes import Recipe
from utils.resnet import resnet18
from utils.runs import team as sharing

RANK = int(os.environ.get("TEAM_RANK", 0))
TWENTY = Recipe(epochs=1, batch_size=64, learning_rate=0.01, flip=True)


def smooth_resnet18():
    """ResNet-18 that can be compared to the last digits.

    Its normalizations use their running statistics in training too, so that no image influences
    another. It has no kinks: at one of ReLU's or of max pooling's, rounding can decide between two
    sides, which moves a weight by more than all other rounding.
    """
    net = resnet18()

    def change(layer):
        if isinstance(layer, nn.BatchNorm):
            layer._kwargs["use_global_stats"] = True
        if hasattr(layer, "relu"):
            layer.relu = nn.Activation("tanh")

    net.apply(change)
    net.stem.pool._kwargs["pool_type"] = "avg"
    return net


def learned(net):
    """What a network has learned. Running statistics differ from worker to worker."""
    npx.waitall()
    return [p.list_data()[0].asnumpy() for p in _gluon.learned(net)]


def sha256(arrays):
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def twenty_steps(sample, device, kvstore):
    """Train the smooth network; return it and its history."""
    net = smooth_resnet18()
    train.initialize(net, seed=0, device=device)
    fashion = dataclasses.replace(sample, train=sample.train.first(20 * TWENTY.batch_size))
    return net, run(net, fashion, TWENTY, device=device, kvstore=kvstore)


def main(folder, epochs="4", kind="small", slow="", seed_of="", batch_size="32", give_up=""):
    npx.set_np()
    if give_up:
        sharing.PATIENCE, sharing.GIVE_UP = 1, float(give_up)
    sample = data.load("quick")
    if kind == "smooth":
        net, _ = twenty_steps(sample, mx.cpu(), "dist_sync")
        numpy.savez(f"{folder}/{RANK}.npz", *learned(net))
    else:
        net = small_net(seed=RANK)  # worker 0's weights are those that count
        recipe = dataclasses.replace(RECIPE, epochs=int(epochs), batch_size=int(batch_size))

        def on_step(history):
            print(f"\nstep {len(history.step_losses)}", flush=True)
            if slow == str(RANK):
                time.sleep(1)  # plainly more than a step takes, on a busy machine too

        run(
            net,
            few_images(sample),
            recipe,
            seed=1 if seed_of == str(RANK) else 0,
            kvstore="device" if kind == "alone" else "dist_sync",
            checkpoint=f"{folder}/{RANK}.zip",  # worker 0 alone writes one, and reads it
            resume=True,
            every=0,
            on_step=on_step,
        )
    print(f"\nlearned {sha256(learned(net))}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], **dict(option.split("=") for option in sys.argv[2:]))
