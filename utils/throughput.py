"""What a training step of ResNet-18 takes, in time and memory, and what more workers would bring.

Notebook 03 measures its memory; notebook 07 the steps of its relatives; notebook 08 its operators,
threads and exchange of gradients.
"""

from __future__ import annotations

import json
import math
import os
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import mxnet as mx
import pandas
from mxnet import gluon, np, npx

from utils import _gluon, data, experiments, recipes, train
from utils.resnet import resnet18
from utils.runs import keeper
from utils.runs.team import Workers

WARM_UP = 3  # calls that are not measured: the first ones build plans and fill caches


def training_step(
    batch_size: int,
    device: mx.Context,
    compiled: bool = True,
    build: Callable[[], gluon.Block] = resnet18,
) -> Callable[[], None]:
    """Return a function that takes one training step on the first images of the sample."""
    X, y = next(data.batches(data.load("quick").train, batch_size, device))
    net = build()
    train.initialize(net, seed=0, device=device)
    net.hybridize(compiled, static_alloc=compiled, static_shape=compiled)
    trainer = recipes.SHORT.trainer(net, steps=1000)

    def step() -> None:
        train.train_step(net, X, y, trainer)
        npx.waitall()

    return step


def step_memory(batch_size: int, size: int = 28) -> int:
    """Return how many bytes a first training step adds to what its process holds in memory.

    It runs on the CPU, on images of `size` pixels. Measured is how far it raises the most memory
    that the process has held so far, which the operating system records. Since that record never
    goes down, each call starts a new process.
    """
    with keeper.processes(1) as pool:
        return pool.submit(_measure_memory, batch_size, size).result()


def peak_memory(status: Path = Path("/proc/self/status")) -> int:
    """Return the most bytes that this process has held in memory so far."""
    if status.exists():  # on Linux, ru_maxrss may be that of the process that started this one
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text("utf-8"))
        if found:
            return 1024 * int(found[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # bytes on macOS, KiB on Linux


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


def by_network(
    builds: dict[str, Callable[[], gluon.Block]], batch_size: int, times: int = 10
) -> pandas.Series:
    """Return the seconds of processor time that a training step of each network takes: the median.

    With one thread, on an idle machine, these are the seconds that pass. On a busy one they grow
    less. The networks take their steps in turn, so that a busy moment meets all of them.
    """
    with experiments.threads(1), keeper.processes(1) as pool:
        return pool.submit(_measure_in_turn, builds, batch_size, times).result()


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


def _timed(work: Callable[[], None], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    work()
    return clock() - started


def _in_new_process(threads: int, batch_size: int) -> float:
    with experiments.threads(threads), keeper.processes(1) as pool:
        return pool.submit(_measure, batch_size).result()


def _measure(batch_size: int) -> float:
    npx.set_np()
    return seconds(training_step(batch_size, mx.cpu()))


def _measure_in_turn(
    builds: dict[str, Callable[[], gluon.Block]], batch_size: int, times: int
) -> pandas.Series:
    npx.set_np()
    steps = {name: training_step(batch_size, mx.cpu(), build=b) for name, b in builds.items()}
    rounds = [
        {name: _timed(step, time.process_time) for name, step in steps.items()}
        for _ in range(WARM_UP + times)
    ]
    return pandas.DataFrame(rounds[WARM_UP:]).median().rename("seconds")


def _measure_memory(batch_size: int, size: int) -> int:
    npx.set_np()
    net = resnet18()
    net.initialize()  # the weights themselves are drawn in the first step
    trainer = recipes.SHORT.trainer(net, steps=1)
    X, y = np.ones((batch_size, 1, size, size)), np.zeros(batch_size, dtype="int32")
    npx.waitall()
    before = peak_memory()
    train.train_step(net, X, y, trainer)
    npx.waitall()
    return peak_memory() - before
