"""Run one measurement of this course and print the result as a line of JSON.

python tools/bench/measure/course.py {step,costs,matrix,inputs,epoch,tools,run} [--size 96] ...
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import statistics
import time
from collections.abc import Callable

import utils  # noqa: F401  (before mxnet: it sets this machine up)

import mxnet as mx  # isort: skip
import numpy  # isort: skip
from mxnet import np, npx  # isort: skip

from utils import checks, data, recipes, resnet, shapes, throughput, train  # isort: skip
from utils.runs import keeper  # isort: skip

CPU = mx.cpu()
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}  # He et al. (2015), table 1
MATRIX = 2048  # rows and columns: large enough to keep every core busy


def network(depth: int) -> resnet.nn.HybridSequential:
    """Return a residual network of 18 or 34 layers, initialized and compiled."""
    stages = {
        f"stage{i + 1}": resnet.resnet_block(64 * 2**i, blocks, first_block=i == 0)
        for i, blocks in enumerate(BLOCKS[depth])
    }
    pool, dense = resnet.nn.GlobalAvgPool2D(), resnet.nn.Dense(10)
    net = resnet.named(stem=resnet.stem(), **stages, pool=pool, dense=dense)
    train.initialize(net, seed=0, device=CPU)
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def step(options: argparse.Namespace) -> dict:
    """Seconds of a step in the training loop of this course."""
    recipe = recipes.Recipe(size=options.size, batch_size=options.batch)
    net, rng = network(options.depth), numpy.random.default_rng(0)
    trainer = recipe.trainer(net, 1000)
    steps = train.train_epoch(net, data.load("full").train, recipe, trainer, rng, CPU)
    times = [time.perf_counter()]
    times += [time.perf_counter() for _ in itertools.islice(steps, options.steps + 1)]
    per_step = statistics.median(numpy.diff(times)[1:])  # the first step compiles
    return {"seconds": per_step, "images_per_second": options.batch / per_step}


def costs(options: argparse.Namespace) -> dict:
    """Multiply-accumulates of one training step, from the shapes of the layers."""
    net = network(options.depth)
    net.hybridize(False)
    table = shapes.layer_table(net, (1, 1, options.size, options.size))
    # Once forward, once for the gradients of the weights, once for those of the inputs; the first
    # convolution does not need the last.
    macs = 3 * table.macs.iloc[0] - table.macs["stem.conv"]
    return {"macs": int(macs) * options.batch}


def matrix(options: argparse.Namespace) -> dict:
    """MXNet's product of two float32 matrices: multiply-accumulates per second."""
    A, B = (np.random.normal(size=(MATRIX, MATRIX)) for _ in range(2))
    return {"macs_per_second": MATRIX**3 / seconds(lambda: np.dot(A, B), 7)}


def inputs(options: argparse.Namespace) -> dict:
    """Images per second of the batches alone, as in training, and seconds to load the data."""
    started = time.perf_counter()
    split = data.load("full").train
    loaded = time.perf_counter()
    recipe = recipes.Recipe(size=options.size, batch_size=options.batch)
    batches = recipe.batches(split, CPU, numpy.random.default_rng(0))
    for X, _ in itertools.islice(batches, options.steps):
        X.wait_to_read()
    per_batch = (time.perf_counter() - loaded) / options.steps
    return {"loading": loaded - started, "images_per_second": options.batch / per_batch}


def epoch(options: argparse.Namespace) -> dict:
    """Seconds of one epoch of `--images` images."""
    fashion = data.load("full")
    images, labels = (
        numpy.concatenate([getattr(split, part) for split in (fashion.train, fashion.valid)])
        for part in ("images", "labels")
    )
    part = data.Split(images[: options.images], labels[: options.images])
    recipe = recipes.Recipe(size=options.size, batch_size=options.batch)
    net = network(options.depth)
    trainer = recipe.trainer(net, 1000)
    started = time.perf_counter()
    for _ in train.train_epoch(net, part, recipe, trainer, numpy.random.default_rng(0), CPU):
        pass
    return {"seconds": time.perf_counter() - started}


def tools(options: argparse.Namespace) -> dict:
    """Seconds of the shape table of ResNet-18, and of the checks of a right block and network."""

    def table() -> None:
        net = resnet.resnet18()
        net.initialize()
        shapes.layer_table(net, (1, 1, 96, 96))

    return {
        "shape table": seconds(table, 5),
        "check of a block": seconds(lambda: checks.residual_block(resnet.Residual), 3),
        "check of the network": seconds(lambda: checks.resnet18(resnet.resnet18()), 3),
    }


def run(options: argparse.Namespace) -> dict:
    """A whole training with a recipe, evaluated on the test images once, after the last epoch.

    `seconds` count from `--started`, before the process began, to the end of each epoch.
    """
    recipe = getattr(recipes, options.recipe)
    fashion = data.load("full")
    net = resnet.resnet18()
    train.initialize(net, seed=options.seed, device=CPU)
    begun = time.monotonic() - options.started
    with contextlib.redirect_stdout(io.StringIO()):
        history = train.fit(net, fashion, recipe, seed=options.seed, device=CPU)
    _, accuracy = train.evaluate(net, fashion.test, CPU, recipe.size)
    return {
        "seed": options.seed,
        "seconds": [begun + passed for passed in itertools.accumulate(history.seconds)],
        "valid_accuracy": history.valid_accuracy,
        "test_accuracy": accuracy,
        "fingerprint": history.fingerprint(net),
    }


def seconds(work: Callable[[], object], times: int) -> float:
    """Return the median seconds of a call, until MXNet has done all that it asked for."""

    def finished() -> None:
        work()
        npx.waitall()

    return throughput.seconds(finished, times)


def main() -> None:
    every = {f.__name__: f for f in (step, costs, matrix, inputs, epoch, tools, run)}
    parser = argparse.ArgumentParser(description="Run one measurement of this course.")
    parser.add_argument("measurement", choices=every)
    for name, default in (("size", 28), ("batch", 128), ("depth", 18), ("steps", 6)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", default="SHORT")
    parser.add_argument("--started", type=float, default=time.monotonic())
    options = parser.parse_args()
    npx.set_np()
    measured = every[options.measurement](options)
    print(json.dumps({**measured, "peak_mib": round(throughput.peak_memory() / 2**20)}))


if __name__ == "__main__":
    keeper.end_with_starter()
    main()
