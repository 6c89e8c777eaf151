"""What a training run measures, and the fingerprint by which two runs are compared."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import asdict, dataclass, field

from mxnet import gluon

from utils import _gluon


@dataclass
class History:
    """What a run measured. Losses are mean cross-entropies in nats; accuracies lie in 0..1.

    The training figures of an epoch are means over its steps, taken while the network changed; the
    validation figures belong to the network as it stood at the end of the epoch.
    """

    steps_per_epoch: int
    step_losses: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    valid_loss: list[float] = field(default_factory=list)
    valid_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    step_hits: list[int] = field(default_factory=list)  # correct predictions, of a batch
    unfinished: float = 0.0  # seconds spent so far in the unfinished epoch

    @property
    def epochs(self) -> int:
        """Return how many epochs are finished."""
        return len(self.seconds)

    @property
    def position(self) -> int:
        """Return how many steps of the unfinished epoch are done."""
        return len(self.step_losses) - self.epochs * self.steps_per_epoch

    def begin_epoch(self) -> None:
        """Start the clock, or let it go on where an unfinished epoch was interrupted."""
        self._started = time.monotonic() - self.unfinished

    def add_step(self, loss: float, hits: float) -> None:
        """Note the mean loss of a step, and how many of its predictions were correct."""
        self.step_losses.append(loss)
        self.step_hits.append(int(hits))
        self.unfinished = time.monotonic() - self._started

    def add_epoch(self, valid_loss: float, valid_accuracy: float, batch_size: int) -> None:
        """Note the measures of an epoch whose steps are all noted."""
        steps = self.steps_per_epoch
        self.train_loss.append(sum(self.step_losses[-steps:]) / steps)
        self.train_accuracy.append(sum(self.step_hits[-steps:]) / (steps * batch_size))
        self.valid_loss.append(valid_loss)
        self.valid_accuracy.append(valid_accuracy)
        self.seconds.append(time.monotonic() - self._started)
        self.unfinished = 0.0

    @property
    def is_finite(self) -> bool:
        """Return whether the network's last evaluation gave a number; True before the first."""
        return not self.valid_loss or math.isfinite(self.valid_loss[-1])

    def forget_after(self, step: int) -> None:
        """Remove what was measured after `step` steps of the run."""
        epochs = step // self.steps_per_epoch
        for of_steps in (self.step_losses, self.step_hits):
            del of_steps[step:]
        for of_epochs in (self.train_loss, self.train_accuracy, self.valid_loss):
            del of_epochs[epochs:]
        del self.valid_accuracy[epochs:], self.seconds[epochs:]

    def restore(self, stored: dict) -> None:
        """Become the history that `asdict` gave."""
        vars(self).update(stored)

    def fingerprint(self, net: gluon.Block) -> str:
        """Return the SHA-256 of this history, without its times, and of the network's parameters.

        Equal fingerprints mean equal runs, to the last bit. Another kind of processor, or another
        number of threads, adds in another order and gives another fingerprint.
        """
        times = ("seconds", "unfinished")
        measured = {name: value for name, value in asdict(self).items() if name not in times}
        digest = hashlib.sha256(json.dumps(measured).encode())
        for values in _gluon.read(net):
            digest.update(values.tobytes())
        return digest.hexdigest()


class DivergedError(ArithmeticError):
    """The loss is no longer a number. `history` holds what was measured up to the good weights."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history

    def __reduce__(self) -> tuple:
        """Let another process rebuild it: pickle passes on the arguments of an error."""
        return type(self), (str(self), self.history)
