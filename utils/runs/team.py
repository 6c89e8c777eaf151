"""One training on several devices and by several workers: a batch is shared, gradients added up.

Each device of each worker computes the gradient of its part of a batch. The parts are added up, and
everybody learns from the same sum: the step is that of one device with the whole batch, except for
normalizations, which see a part alone. Notebook 08 explains why.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import mxnet as mx
from mxnet import gluon, np

from utils import _gluon, _guards
from utils.runs import checkpoint
from utils.runs.callbacks import Callback, Run
from utils.runs.workers import SLOW, Workers, say


class Team(Callback):
    """Share a run among devices, and among the workers of a distributed KVStore.

    `recipe.batch_size` is that of all of them together, and so is the history. The running
    statistics that count are those of worker 0's first device. Worker 0 evaluates and saves; name a
    `Team` before a `Checkpoint`, so that only worker 0 reads the file. What worker 0 starts with is
    sent to the others: the machines need not share a disk.

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


def split(X: np.ndarray, devices: Sequence[mx.Context]) -> list[np.ndarray]:
    """Return a part of the batch for each device, on it. Gluon's own fails with numpy 2."""
    ends = [len(X) * k // len(devices) for k in range(len(devices) + 1)]
    parts = zip(ends, ends[1:], devices)
    return [X[start:end].as_in_ctx(device) for start, end, device in parts]
