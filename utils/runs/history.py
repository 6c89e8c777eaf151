"""What a training run measured, and the fingerprint by which two runs are compared."""

from __future__ import annotations

import hashlib
import json
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
    step_hits: list[int] = field(default_factory=list)  # images recognized, of a batch
    unfinished: float = 0.0  # seconds spent so far in the epoch that is not finished

    @property
    def epochs(self) -> int:
        """Return how many epochs are finished."""
        return len(self.seconds)

    @property
    def position(self) -> int:
        """Return how many steps of the epoch that is not finished are done."""
        return len(self.step_losses) - self.epochs * self.steps_per_epoch

    def fingerprint(self, net: gluon.Block) -> str:
        """Return the SHA-256 of this history, its times left out, and the network's parameters.

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
    """The loss is no longer a number. `history` holds the epochs that were finished before."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history

    def __reduce__(self) -> tuple:
        """Let it pass from one process to another, which rebuilds an error from its arguments."""
        return type(self), (str(self), self.history)
