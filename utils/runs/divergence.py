"""Stopping a run whose loss is no longer a number, with weights that still are."""

from __future__ import annotations

import math

import numpy

from utils import _gluon
from utils.runs.callbacks import Callback, Run
from utils.runs.history import DivergedError


class DivergenceGuard(Callback):
    """Raise DivergedError at a loss that is not finite, before the weights move by it.

    The network gets the parameters back with which the epoch began, or with which the run was
    resumed in the middle of it.
    """

    def __init__(self) -> None:
        self.good: list[numpy.ndarray] = []
        self.steps = 0  # done when the good parameters were read

    def begin(self, run: Run) -> None:
        self.good, self.steps = _gluon.read(run.net), len(run.history.step_losses)

    def after_epoch(self, run: Run) -> None:
        self.begin(run)

    def before_update(self, run: Run) -> None:
        if math.isfinite(run.loss):
            return
        history = run.history
        step = len(history.step_losses) + 1
        del history.step_losses[self.steps :], history.step_hits[self.steps :]
        _gluon.put(run.net, self.good)
        raise DivergedError(
            "The loss became {loss} at step {step}, in epoch {epoch}. The network has the "
            "parameters from after step {kept} again. Lower the learning rate, and make sure that "
            "every number in the images is finite.".format(
                loss=run.loss, step=step, epoch=history.epochs + 1, kept=self.steps
            ),
            history,
        )
