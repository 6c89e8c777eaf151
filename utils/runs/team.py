"""One training on several devices and by several workers: a batch is shared, gradients added up.

Each device of each worker computes the gradient of its part of a batch. The parts are added up, and
everybody learns from the same sum: the step is that of one device with the whole batch, except for
normalizations, which see a part alone. Notebook 08 explains why.

A worker is a process with a DMLC_ROLE; `utils.runs.launch` starts several. The servers of MXNet's
KVStore only add. MXNet can also let them keep the weights, but then a worker cannot save the
optimizer's momentum.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import math
import os
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy
from mxnet import gluon, np, npx
from tqdm import tqdm

from utils import _gluon, _guards
from utils.runs import checkpoint
from utils.runs.callbacks import Callback, Run


class Team(Callback):
    """Share a run among devices, and among the workers of a distributed KVStore.

    `recipe.batch_size` is that of all of them together, and so is the history. The running
    statistics that count are those of worker 0's first device. Worker 0's evaluation counts, and
    worker 0 saves. Name a `Team` before a `Checkpoint`, so that only worker 0 reads the file. What
    worker 0 starts with is sent to the others: the machines need not share a disk.

    Raises ValueError where a batch does not divide or a store cannot work, TeamError where the
    workers differ.
    """

    def __init__(
        self,
        devices: Sequence[mx.Context] | None = None,
        kvstore: mx.kv.KVStore | str = "device",
    ) -> None:
        self.workers = Workers(kvstore)
        self.devices = list(devices) if devices is not None else None
        self.since = 0.0

    def set_up(self, run: Run) -> None:
        devices = self.devices or [run.device]
        if devices[0] != run.device:
            raise ValueError(
                "The run computes on {run}, but the first device of the team is {team}. Pass "
                "device={team} to train.fit.".format(run=run.device, team=devices[0])
            )
        _guards.check_divides(run.recipe.batch_size, self.workers.size, len(devices))
        self.workers.agree(run.settings)
        run.part = (self.workers.rank, self.workers.size)
        if len(devices) > 1:
            run.forward = Spread(run.net, devices)

    def begin(self, run: Run) -> None:
        if self.workers.size > 1:
            self._start_alike(run)
        self._count_anew()

    def before_update(self, run: Run) -> None:
        gradients = {
            f"gradient {place}, {parameter.shape}": parameter.list_grad()
            for place, parameter in enumerate(_gluon.learned(run.net))
        }
        self.workers.all_reduce(gradients)
        run.loss, run.hits = self.workers.sums(run.loss / self.workers.size, run.hits)

    def after_epoch(self, run: Run) -> None:
        self._tell_waiting()
        self._count_anew()
        history = run.history
        judged = (history.valid_loss[-1], history.valid_accuracy[-1]) if run.is_first else (0, 0)
        history.valid_loss[-1], history.valid_accuracy[-1] = self.workers.sums(*judged)

    def end(self, run: Run, error: BaseException | None) -> None:
        if error is not None:
            self.workers.leave()

    def _start_alike(self, run: Run) -> None:
        """Send what worker 0 starts with, as a checkpoint."""
        with tempfile.TemporaryDirectory() as folder:
            file, content = Path(folder, "start.zip"), b""
            if run.is_first:
                history = asdict(run.history)
                checkpoint.save(file, run.net, run.trainer, run.settings, history)
                content = file.read_bytes()
            file.write_bytes(self.workers.broadcast(content))
            run.history.restore(checkpoint.load(file, run.net, run.trainer, run.settings))

    def _count_anew(self) -> None:
        self.workers.waited, self.since = 0.0, time.monotonic()

    def _tell_waiting(self) -> None:
        """Let worker 0 print which share of the epoch each worker has spent waiting."""
        if self.workers.size == 1:
            return
        shares = self.workers.all_gather(self.workers.waited / (time.monotonic() - self.since))
        if self.workers.rank > 0:
            return
        listed = ", ".join(f"worker {rank} {share:.0%}" for rank, share in enumerate(shares))
        slow = min(range(len(shares)), key=shares.__getitem__)
        say(f"Share of the time spent sending, receiving and waiting: {listed}.")
        if max(shares) - shares[slow] > SLOW:
            say(f"Worker {slow} is slow: the others wait for it.")


class Spread:
    """A network on several devices: each gets an equal part of the images.

    Called as the network itself, it returns the scores of all images on the first device.
    """

    def __init__(self, net: gluon.Block, devices: Sequence[mx.Context]) -> None:
        self.net, self.devices = net, devices

    def __call__(self, X: np.ndarray) -> np.ndarray:
        # No device waits for the one before it: all compute at the same time.
        scores = [self.net(part) for part in split(X, self.devices)]
        return np.concatenate([part.as_in_ctx(self.devices[0]) for part in scores])


def part(order: Any, rank: int, workers: int) -> Any:
    """Return the rank-th of equal parts of a batch, or of the numbers of its images."""
    length = len(order) // workers
    return order[rank * length : (rank + 1) * length]


def split(X: np.ndarray, devices: Sequence[mx.Context]) -> list[np.ndarray]:
    """Return a part of the batch for each device, on it. Gluon's own fails with numpy 2."""
    parts = [part(X, rank, len(devices)) for rank in range(len(devices))]
    return [images.as_in_ctx(device) for images, device in zip(parts, devices)]


STORES = ("local", "device", "dist_sync", "dist_device_sync")
PATIENCE = 10  # seconds that a worker waits for the others before it says so
GIVE_UP = 600  # seconds after which it raises TeamError
SLOW = 0.25  # share of the time that others wait more than the slowest worker


class TeamError(RuntimeError):
    """The workers do not fit together, or one of them hangs; the message says which and why."""


class Workers:
    """The workers of one training: `size` processes, of which this one has the rank `rank`.

    With a store that reaches no other process there is one worker. The variable TEAM_RANK, which
    `utils.runs.launch` sets, is the rank. Where it is not set MXNet's own rank is used; MXNet deals
    its ranks out anew at each start, so that the worker that saves may be another one.

    All workers make the same calls in the same order.
    """

    def __init__(self, kvstore: mx.kv.KVStore | str = "device") -> None:
        self.store = _store(kvstore)
        self.size: int = self.store.num_workers
        self.rank = 0 if self.size == 1 else int(os.environ.get("TEAM_RANK") or self.store.rank)
        self.waited = 0.0  # seconds spent sending, receiving and waiting
        self._known: set[str] = _known_names(self.store)

    def all_reduce(self, arrays: dict[str, list[np.ndarray]]) -> None:
        """Replace arrays by their sums over all devices and workers.

        `arrays` has a list for each name, with one array for each device.
        """
        if self.size == 1:
            self._add(arrays)
            return
        started = time.monotonic()
        exchanged = _exchange_thread().submit(self._add, arrays)
        while not wait([exchanged], timeout=PATIENCE).done:
            waited = time.monotonic() - started
            say(f"Worker {self.rank} has waited {waited:.0f} s for the others.")
            if waited > GIVE_UP:
                raise TeamError(
                    f"Worker {self.rank} gives up: a process hangs, or a machine is gone."
                )
        exchanged.result()
        self.waited += time.monotonic() - started

    def sums(self, *values: float) -> list[float]:
        """Return the sums of these numbers over all workers, in float32."""
        if self.size == 1:
            return list(values)
        totals = np.array(values, dtype="float32")
        self.all_reduce({f"sums of {len(values)}": [totals]})
        return totals.asnumpy().tolist()

    def all_gather(self, value: float) -> list[float]:
        """Return the numbers of all workers, in the order of their ranks."""
        return self.sums(*(value if rank == self.rank else 0 for rank in range(self.size)))

    def broadcast(self, content: bytes) -> bytes:
        """Return what worker 0 passes; what the others pass is ignored."""
        # Numbers of 16 bits: float32, in which the servers add, holds them exactly.
        high, low = self.sums(*(divmod(len(content), 2**16) if self.rank == 0 else (0, 0)))
        length = int(high) * 2**16 + int(low)
        numbers = numpy.zeros(math.ceil(length / 2), "uint16")
        if self.rank == 0:
            numbers[:] = numpy.frombuffer(content.ljust(2 * len(numbers), b"\0"), "uint16")
        totals = np.array(numbers.astype("float32"))
        self.all_reduce({f"{len(numbers)} numbers": [totals]})
        return totals.asnumpy().astype("uint16").tobytes()[:length]

    def agree(self, settings: dict) -> None:
        """Raise TeamError where a worker runs other code, or another run, than worker 0."""
        if self.size == 1:
            return
        self._check_ranks()
        mine = {**json.loads(json.dumps(settings)), "code": code_version()}
        first = json.loads(self.broadcast(json.dumps(mine).encode()))
        differing = [name for name in mine if mine[name] != first.get(name)]
        if self.sums(len(differing))[0] == 0:
            return
        if not differing:
            raise TeamError("Another worker differs from worker 0; its own message says in what.")
        found = "; ".join(
            f"{name} {mine[name]} (worker 0: {first.get(name)})" for name in differing
        )
        raise TeamError(
            f"Worker {self.rank} does not run what worker 0 runs: {found}. Bring the same version "
            "of the course, of the script and of its settings to all machines, then start again."
        )

    def leave(self) -> None:
        """Let a process that fails end without the others: MXNet would wait for them."""
        if self.size > 1:
            mx.base.check_call(mx.base._LIB.MXKVStoreSetBarrierBeforeExit(self.store.handle, 0))

    def _check_ranks(self) -> None:
        counts = self.sums(*(rank == self.rank for rank in range(self.size)))
        if set(counts) != {1.0}:
            raise TeamError(
                f"This worker has the rank {self.rank} of {self.size}, and the ranks of all are "
                f"not 0 to {self.size - 1}, each once. Give each worker its own TEAM_RANK."
            )

    def _add(self, arrays: dict[str, list[np.ndarray]]) -> None:
        # The store keeps room for as many arrays as the first call had under a name.
        arrays = {f"{name}, {len(several)} devices": several for name, several in arrays.items()}
        for name in [name for name in arrays if name not in self._known]:
            self.store.init(name, np.zeros_like(arrays[name][0]))
            self._known.add(name)
        # Not `pushpull`: its server answers before it has added.
        for act in (self.store.push, self.store.pull):
            for place, (name, several) in enumerate(arrays.items()):
                act(name, several, priority=-place)
        npx.waitall()


class _ExchangeThread:
    """One thread for all exchanges, so that the main thread can wait with a limit.

    It is a daemon: where a server hangs, MXNet never comes back, and Python ends without it.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._work, name="exchange", daemon=True).start()

    def submit(self, function: Callable, *arguments: object) -> Future:
        """Let the thread call the function; return the future of its result."""
        future: Future = Future()
        self._jobs.put((future, function, arguments))
        return future

    def _work(self) -> None:
        npx.set_np()  # it holds for one thread
        while True:
            future, function, arguments = self._jobs.get()
            try:
                future.set_result(function(*arguments))
            except BaseException as error:
                future.set_exception(error)
            del future, function, arguments  # all gradients, until the next exchange


@functools.cache
def _exchange_thread() -> _ExchangeThread:
    return _ExchangeThread()


def _store(kvstore: mx.kv.KVStore | str) -> mx.kv.KVStore:
    """Return the store of that name, or the store itself; raise ValueError where it cannot work."""
    name = kvstore if isinstance(kvstore, str) else kvstore.type
    if name not in STORES:
        raise ValueError(
            "kvstore is {given!r}, but it must be one of {stores}: stores that add up the "
            "gradients of all workers before any of them goes on.".format(
                given=name, stores=", ".join(STORES)
            )
        )
    if name.startswith("dist") and "DMLC_ROLE" not in os.environ:
        raise ValueError(
            "kvstore is {given!r}, but this process has no role in a distributed training. Start "
            "it with `python -m utils.runs.launch --workers 2 -- python your_script.py`, or use "
            "'device'.".format(given=name)
        )
    if not isinstance(kvstore, str):
        return kvstore
    if name.startswith("dist") and not mx.runtime.Features().is_enabled("DIST_KVSTORE"):
        if os.environ.get("DMLC_NUM_WORKER") != "1":
            raise ValueError(
                "kvstore is {given!r}, but MXNet's build for this machine has no distributed "
                "store, only that for Linux on x86-64 has. Use 'device'.".format(given=name)
            )
        name = "local"  # one worker: the launcher has said so
    return _created(name)


@functools.cache
def _created(name: str) -> mx.kv.KVStore:
    """Create a store of that name once: a process can enter the distributed store only once."""
    return mx.kv.create(name)


@functools.cache
def _known_names(store: mx.kv.KVStore) -> set[str]:
    """Return the names that a store has been given, since each may be given once only."""
    if store.type.startswith("dist"):
        atexit.register(_free, store)
    return set()


def _free(store: mx.kv.KVStore) -> None:
    """Leave the other processes in good order: at the very end of Python MXNet would abort."""
    mx.base.check_call(mx.base._LIB.MXKVStoreFree(store.handle))
    store.handle = None


def say(sentence: str) -> None:
    """Print a line of its own, between two states of a progress bar."""
    tqdm.write(sentence, file=sys.stdout)
    sys.stdout.flush()


def code_version() -> str:
    """Return a short SHA-256 of the toolbox and of the script that runs."""
    script = Path(sys.argv[0])
    digest = hashlib.sha256(toolbox_version().encode())
    if script.is_file():
        digest.update(script.read_bytes())
    return digest.hexdigest()[:12]


@functools.cache
def toolbox_version() -> str:
    """Return the SHA-256 of the toolbox's code."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()
