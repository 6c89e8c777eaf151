"""What is called during a training run, for drawing, saving and sharing; `train.fit` says when.

Here is also what every run has: a progress bar, steps that are whole or not done, and weights that
are numbers.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import mxnet as mx
import numpy
from mxnet import gluon, np
from tqdm import tqdm

from utils import _gluon
from utils.recipes import Recipe
from utils.runs.history import DivergedError, History


@dataclass
class Run:
    """A training run as its callbacks see it, and may change it.

    `forward` is the network as a step calls it. `part` is (rank, size): this process learns from
    the rank-th of `size` equal parts of each batch. `loss` and `hits` (correct predictions) are
    those of the current step, before the weights move.
    """

    net: gluon.Block
    trainer: gluon.Trainer
    recipe: Recipe
    seed: int
    device: mx.Context
    images: int
    history: History
    forward: Callable[[np.ndarray], np.ndarray]
    part: tuple[int, int] = (0, 1)
    loss: float = math.nan
    hits: float = 0

    @property
    def is_first(self) -> bool:
        """Whether this process is the one whose evaluation counts, and which saves."""
        return self.part[0] == 0

    @property
    def settings(self) -> dict:
        """What tells this run from others: equal settings give equal curves."""
        return {"recipe": asdict(self.recipe), "seed": int(self.seed), "images": self.images}

    def seed_of_step(self) -> int:
        """Return a seed of 31 bits from the run's seed, the step and the rank.

        MXNet's generator cannot be read and saved, so it is set before each step, from what a
        checkpoint knows.
        """
        step, rank = len(self.history.step_losses), self.part[0]
        sequence = numpy.random.SeedSequence([self.seed, step, rank])
        return int(sequence.generate_state(1)[0] >> 1)


class Callback:
    """Does nothing at each moment of a run. A subclass overrides the moments that it is about."""

    def set_up(self, run: Run) -> None:
        """Before anything is computed: change what the run works with."""

    def begin(self, run: Run) -> None:
        """Every callback is set up; the first step follows."""

    def before_update(self, run: Run) -> None:
        """The gradients are computed; the weights have not moved yet."""

    def after_step(self, run: Run) -> None:
        """The step is done and in the history."""

    def after_epoch(self, run: Run) -> None:
        """The network has been evaluated, and the epoch is in the history."""

    def at_stop(self, run: Run) -> None:
        """The run is interrupted (Ctrl-C, the stop button). History and weights fit together."""

    def end(self, run: Run, error: BaseException | None) -> None:
        """The run is over; `error` is what ended it early, or None."""


class _All(Callback):
    """Several callbacks as one: each moment reaches them in order."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self.callbacks = callbacks

    def set_up(self, run: Run) -> None:
        for callback in self.callbacks:
            callback.set_up(run)

    def begin(self, run: Run) -> None:
        for callback in self.callbacks:
            callback.begin(run)

    def before_update(self, run: Run) -> None:
        for callback in self.callbacks:
            callback.before_update(run)

    def after_step(self, run: Run) -> None:
        for callback in self.callbacks:
            callback.after_step(run)

    def after_epoch(self, run: Run) -> None:
        for callback in self.callbacks:
            callback.after_epoch(run)

    def at_stop(self, run: Run) -> None:
        for callback in self.callbacks:
            callback.at_stop(run)


@contextmanager
def running(run: Run, callbacks: Sequence[Callback]) -> Iterator[Callback]:
    """Set the callbacks up and yield them as one; at the end let them leave the run in order."""
    everyone, error = _All(callbacks), None
    try:
        everyone.set_up(run)
        everyone.begin(run)
        try:
            yield everyone
        except KeyboardInterrupt:
            with deferred():  # a second press does not cut the save in two
                everyone.at_stop(run)
            raise
    except BaseException as raised:
        error = raised
        raise
    finally:
        _leave(run, callbacks, error)


def _leave(run: Run, callbacks: Sequence[Callback], error: BaseException | None) -> None:
    """Let all callbacks leave, the last first; what one raises does not hide an earlier error."""
    fault = None
    for callback in reversed(callbacks):
        try:
            callback.end(run, error)
        except Exception as raised:
            print(f"{type(callback).__name__} could not leave the run: {raised}")
            fault = fault or raised
    if fault and error is None:
        raise fault


class DivergenceGuard(Callback):
    """Raise DivergedError at a loss that is not finite, in training before the weights move by it.

    The network gets the parameters back with which the epoch began, or with which the run was
    resumed in the middle of it.
    """

    def __init__(self) -> None:
        self.good_parameters: list[numpy.ndarray] = []
        self.good_steps = 0  # done when they were read

    def begin(self, run: Run) -> None:
        self.good_parameters = _gluon.read(run.net)
        self.good_steps = len(run.history.step_losses)

    def before_update(self, run: Run) -> None:
        if not math.isfinite(run.loss):
            self._go_back(run, run.loss, len(run.history.step_losses) + 1, run.history.epochs + 1)

    def after_epoch(self, run: Run) -> None:
        history = run.history
        if not history.is_finite:
            self._go_back(run, history.valid_loss[-1], len(history.step_losses), history.epochs)
        self.begin(run)

    def _go_back(self, run: Run, loss: float, step: int, epoch: int) -> None:
        run.history.forget_after(self.good_steps)
        _gluon.put(run.net, self.good_parameters)
        raise DivergedError(
            "The loss became {loss} at step {step}, in epoch {epoch}. The network has the "
            "parameters from after step {kept} again. Lower the learning rate.".format(
                loss=loss, step=step, epoch=epoch, kept=self.good_steps
            ),
            run.history,
        )


@contextmanager
def deferred() -> Iterator[None]:
    """Hold back an interruption (Ctrl-C, the stop button) until the `with` statement ends.

    KeyboardInterrupt is raised there. Python delivers signals to its main thread alone, so in any
    other thread there is nothing to do.
    """
    handler = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not callable(handler):  # where it is ignored, it stays ignored
        yield
        return
    pressed = []
    signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if pressed:
        raise KeyboardInterrupt


LOG_INTERVAL = 10  # seconds between two lines of a team's log, where a bar cannot move


class ProgressBar(Callback):
    """A bar that moves at each step; a run that goes on shows the steps that are done already."""

    bar: tqdm | None = None

    def begin(self, run: Run) -> None:
        history = run.history
        self.bar = tqdm(
            total=history.steps_per_epoch * run.recipe.epochs,
            initial=len(history.step_losses),
            file=sys.stdout,
            mininterval=0.1 if run.part[1] == 1 else LOG_INTERVAL,
        )

    def after_step(self, run: Run) -> None:
        if self.bar is not None:
            self.bar.update()

    def after_epoch(self, run: Run) -> None:
        if self.bar is not None:
            accuracy = run.history.valid_accuracy[-1]
            self.bar.set_postfix_str(f"validation accuracy {accuracy:.3f}")

    def end(self, run: Run, error: BaseException | None) -> None:
        if self.bar is not None:
            self.bar.close()
