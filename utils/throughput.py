"""How long a training step of ResNet-18 takes, and how much faster more workers would be.

Notebook 08 measures its operators, its threads and the exchange of gradients.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import mxnet as mx
import pandas
from mxnet import gluon, np, npx

from utils import _gluon, data, experiments, recipes, train
from utils.resnet import resnet18
from utils.runs.team import Workers

WARM_UP = 3  # calls that are not measured: the first ones build plans and fill caches


def training_step(batch_size: int, device: mx.Context, compiled: bool = True) -> Callable[[], None]:
    """Return a function that takes one training step on the first images of the sample."""
    X, y = next(data.batches(data.load("quick").train, batch_size, device))
    net = resnet18()
    train.initialize(net, seed=0, device=device)
    net.hybridize(compiled, static_alloc=compiled, static_shape=compiled)
    trainer = recipes.SHORT.trainer(net, steps=1000)

    def step() -> None:
        train.train_step(net, X, y, trainer)
        npx.waitall()

    return step


def seconds(work: Callable[[], None], times: int = 10) -> float:
    """Return the median time of a call, after a few calls that are not measured."""
    for _ in range(WARM_UP):
        work()
    return statistics.median(_timed(work) for _ in range(times))


def by_operator(work: Callable[[], None], times: int = 5) -> pandas.Series:
    """Return the milliseconds that each kind of operator takes in one call, the slowest first.

    They come from MXNet's profiler. It cannot look inside the graph of a compiled network, so
    measure one that is not compiled.
    """
    for _ in range(WARM_UP):
        work()
    with tempfile.TemporaryDirectory() as folder:  # for a file that the profiler writes
        file = os.path.join(folder, "profile.json")
        mx.profiler.set_config(profile_imperative=True, aggregate_stats=True, filename=file)
        mx.profiler.set_state("run")
        for _ in range(times):
            work()
        mx.profiler.set_state("stop")
        operators = json.loads(mx.profiler.dumps(reset=True, format="json"))["Time"]["operator"]
    totals = {name: figures["Total"] / times for name, figures in operators.items()}
    return pandas.Series(totals, name="ms").sort_values(ascending=False)


def by_threads(counts: Sequence[int], batch_size: int = 128) -> pandas.Series:
    """Return images per second in training for each number of threads.

    MXNet sets its number of threads when it is imported, so each is measured in a new process.
    """
    rates = {count: batch_size / _in_new_process(count, batch_size) for count in counts}
    return pandas.Series(rates, name="images per second")


def exchange_seconds(workers: Workers, net: gluon.Block, times: int = 10) -> float:
    """Return how long an all-reduce of gradients of the network's sizes takes."""
    learned = enumerate(_gluon.learned(net))
    arrays = {f"exchange {place}": [np.zeros(parameter.shape)] for place, parameter in learned}
    return seconds(partial(workers.all_reduce, arrays), times)


def gradient_bytes(net: gluon.Block) -> int:
    """Return the size of a network's gradient in bytes, as float32."""
    return sum(4 * math.prod(parameter.shape) for parameter in _gluon.learned(net))


def seconds_per_step(
    compute_seconds: float,
    gradient_bytes: int,
    bytes_per_second: float,
    workers: int,
    servers: int = 1,
) -> float:
    """Return the time of a synchronous step: computing, sending gradients, receiving their sum.

    Every worker and every server has a link of `bytes_per_second` in each direction. The servers
    share the gradients of all workers equally, so their links are the bottleneck when there are
    more workers than servers. Notebook 08 derives the formula.
    """
    if workers == 1:  # nothing to exchange
        return compute_seconds
    one_way = gradient_bytes * max(1, workers / servers) / bytes_per_second
    return compute_seconds + 2 * one_way


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _in_new_process(threads: int, batch_size: int) -> float:
    spawn = multiprocessing.get_context("spawn")
    with experiments.threads(threads), ProcessPoolExecutor(1, spawn) as pool:
        return pool.submit(_measure, batch_size).result()


def _measure(batch_size: int) -> float:
    npx.set_np()
    return seconds(training_step(batch_size, mx.cpu()))
