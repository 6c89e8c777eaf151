"""The worker processes of a distributed training, and what they tell one another.

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
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path

import mxnet as mx
import numpy
from mxnet import np, npx
from tqdm import tqdm

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
    return _created(kvstore) if isinstance(kvstore, str) else kvstore


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
