"""The workers that train one network together: what they tell one another, and how they add up.

A worker is a process with a `DMLC_ROLE`; `utils.runs.launch` starts several. The servers of MXNet's
KVStore only add. MXNet can also let them keep the weights; then a worker cannot save the
optimizer's momentum.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import json
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakKeyDictionary

import mxnet as mx
import numpy
from mxnet import gluon, np, npx
from tqdm import tqdm

STORES = ("local", "device", "dist_sync", "dist_device_sync")
PATIENCE = 10  # seconds that a worker waits for the others before it says so
GIVE_UP = 600  # seconds after which it ends
SLOW = 0.25  # part of the time that others wait more than the slowest one
_known = WeakKeyDictionary()  # store: the names it has been given; a name is given once


class TeamError(RuntimeError):
    """The workers do not fit together; the message says which one differs, and in what."""


class Team:
    """The workers that train together, one process each, and what they tell one another.

    With a store that reaches no other process it is a team of one. `rank` counts from 0. The
    variable TEAM_RANK says it, as `utils.runs.launch` sets it; MXNet deals out ranks of its own,
    other ones at each start, so that a checkpoint would wander. They serve where it is not set.
    """

    def __init__(self, store: mx.kv.KVStore) -> None:
        self.store = store
        self.size = store.num_workers
        self.rank = 0 if self.size == 1 else int(os.environ.get("TEAM_RANK", store.rank))
        self.count_anew()
        if store.type.startswith("dist") and store not in _known:
            _known[store] = set()
            atexit.register(_free, store)

    def __enter__(self) -> Team:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        """Let a process that fails end at once: MXNet would wait for others who wait for it."""
        if kind is not None and self.size > 1:
            mx.base.check_call(mx.base._LIB.MXKVStoreSetBarrierBeforeExit(self.store.handle, 0))

    def add_up(self, parts: dict[str, list[np.ndarray]]) -> None:
        """Replace arrays by their sums over all devices and workers.

        `parts` has a list for each name, with an array for each device. All workers make the same
        calls in the same order.
        """
        # The store keeps room for as many arrays as the first call had under a name.
        parts = {f"{name}, {len(arrays)} devices": arrays for name, arrays in parts.items()}
        known = _known.setdefault(self.store, set())
        with self._speaking_up():
            for name in [name for name in parts if name not in known]:
                self.store.init(name, np.zeros_like(parts[name][0]))
                known.add(name)
            # Not `pushpull`: its server answers before it has added.
            for act in (self.store.push, self.store.pull):
                for place, (name, arrays) in enumerate(parts.items()):
                    act(name, arrays, priority=-place)
            npx.waitall()

    def total(self, *values: float) -> list[float]:
        """Return the sums of these numbers over all workers, in float32."""
        if self.size == 1:
            return list(values)
        sums = np.array(values, dtype="float32")
        self.add_up({f"total of {len(values)}": [sums]})
        return sums.asnumpy().tolist()

    def of_each(self, value: float) -> list[float]:
        """Return the numbers of all workers, in order."""
        return self.total(*(value if rank == self.rank else 0 for rank in range(self.size)))

    def from_first(self, content: bytes) -> bytes:
        """Return what worker 0 passes; what the others pass does not matter."""
        # Numbers of 16 bits: float32, in which the servers add, holds them exactly.
        high, low = self.total(*(divmod(len(content), 2**16) if self.rank == 0 else (0, 0)))
        length = int(high) * 2**16 + int(low)
        numbers = numpy.zeros(math.ceil(length / 2), "uint16")
        if self.rank == 0:
            numbers[:] = numpy.frombuffer(content.ljust(2 * len(numbers), b"\0"), "uint16")
        sums = np.array(numbers.astype("float32"))
        self.add_up({f"{len(numbers)} numbers": [sums]})
        return sums.asnumpy().astype("uint16").tobytes()[:length]

    def agree(self, description: dict) -> None:
        """Raise TeamError where a worker runs other code, or another run, than worker 0."""
        if self.size == 1:
            return
        self._check_ranks()
        mine = {**json.loads(json.dumps(description)), "code": code_version()}
        first = json.loads(self.from_first(json.dumps(mine).encode()))
        differing = [name for name in mine if mine[name] != first.get(name)]
        if self.total(len(differing))[0] == 0:
            return
        if not differing:
            raise TeamError("Another worker differs from worker 0; its own message says in what.")
        said = "; ".join(f"{name} {mine[name]} (worker 0: {first.get(name)})" for name in differing)
        raise TeamError(
            f"Worker {self.rank} does not run what worker 0 runs: {said}. Bring the same version "
            "of the course, of the script and of its settings to all machines, then start again."
        )

    def count_anew(self) -> None:
        """Begin to count the seconds in which this worker sends, receives and waits."""
        self._waited, self._counted_since = 0.0, time.monotonic()

    def tell_waiting(self) -> None:
        """Let worker 0 print which part of the time each one has waited since `count_anew`."""
        if self.size == 1:
            return
        shares = self.of_each(self._waited / (time.monotonic() - self._counted_since))
        if self.rank > 0:
            return
        said = ", ".join(f"worker {rank} {share:.0%}" for rank, share in enumerate(shares))
        slow = min(range(self.size), key=shares.__getitem__)
        say(f"Sending, receiving and waiting took, of the time of each: {said}.")
        if max(shares) - shares[slow] > SLOW:
            say(f"Worker {slow} is slow: the others wait for it.")

    def _check_ranks(self) -> None:
        counts = self.total(*(rank == self.rank for rank in range(self.size)))
        if set(counts) != {1.0}:
            raise TeamError(
                f"This worker has the rank {self.rank} of {self.size}, and not every rank from 0 "
                f"to {self.size - 1} is there once. Give each worker its own TEAM_RANK."
            )

    @contextlib.contextmanager
    def _speaking_up(self) -> Iterator[None]:
        """Count the time, and say so each time it has become long."""
        started, done = time.monotonic(), threading.Event()

        def speak() -> None:
            while not done.wait(PATIENCE):
                waited = time.monotonic() - started
                say(f"Worker {self.rank} has waited {waited:.0f} s for the others.")
                if waited > GIVE_UP:
                    say(f"Worker {self.rank} gives up: somebody hangs, or a machine is gone.")
                    os._exit(1)  # its own main thread is waiting inside MXNet

        if self.size > 1:
            threading.Thread(target=speak, daemon=True).start()
        try:
            yield
        finally:
            done.set()
            self._waited += time.monotonic() - started


class Trainer(gluon.Trainer):
    """Gluon's trainer, which before each step adds up the gradients of all devices and workers."""

    def __init__(
        self, parameters: list[gluon.Parameter], optimizer: str, settings: dict, team: Team
    ) -> None:
        super().__init__(parameters, optimizer, settings, kvstore=None)
        self._team = team
        self._learned = [parameter for parameter in parameters if parameter.grad_req != "null"]

    def step(self, batch_size: int, ignore_stale_grad: bool = False) -> None:
        """Learn from the gradients of `batch_size` images here and as many at each other worker."""
        gradients = {
            f"gradient {place}, {parameter.shape}": parameter.list_grad()
            for place, parameter in enumerate(self._learned)
        }
        self._team.add_up(gradients)
        super().step(batch_size * self._team.size, ignore_stale_grad)


def store(kvstore: mx.kv.KVStore | str) -> mx.kv.KVStore:
    """Return the store of that name, or the store itself.

    Raises ValueError for one that does not wait for all workers, and for a distributed one in a
    process that nobody has given a role.
    """
    name = kvstore if isinstance(kvstore, str) else kvstore.type
    if name not in STORES:
        raise ValueError(
            f"kvstore is {name!r}, but it must be one of {', '.join(STORES)}: stores that add up "
            "the gradients of all before anybody goes on."
        )
    if name.startswith("dist") and "DMLC_ROLE" not in os.environ:
        raise ValueError(
            f"kvstore is {name!r}, but this process has no role in a distributed training. Start "
            "it with `python -m utils.runs.launch --workers 2 -- python your_script.py`, or use "
            "'device'."
        )
    return _created(kvstore) if isinstance(kvstore, str) else kvstore


@functools.cache
def _created(name: str) -> mx.kv.KVStore:
    """A process can enter the distributed store only once."""
    return mx.kv.create(name)


def _free(store: mx.kv.KVStore) -> None:
    """Leave the others in good order. At the end of Python, where it is too late, MXNet aborts."""
    mx.base.check_call(mx.base._LIB.MXKVStoreFree(store.handle))
    store.handle = None


def say(sentence: str) -> None:
    """Print a line of its own, between two states of a progress bar."""
    tqdm.write(sentence, file=sys.stdout)
    sys.stdout.flush()


def code_version() -> str:
    """Return a short SHA-256 of the toolbox and of the script that runs."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    script = Path(sys.argv[0])
    digest = hashlib.sha256()
    for file in [*files, *([script] if script.is_file() else [])]:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]
