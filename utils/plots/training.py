"""Drawings of a training run: its learning rate, its curves, and what the network confuses."""

from __future__ import annotations

import math
import time

import numpy
import pandas
from IPython.display import display
from matplotlib.figure import Figure

from utils.data import CLASSES
from utils.plots._style import BLUE, ORANGE, SKY
from utils.recipes import Recipe
from utils.runs.callbacks import Callback, Run
from utils.runs.history import History

DRAWING_SHARE = 0.02  # the part of a run's time that live curves may take


def schedule(recipe: Recipe, steps: int) -> Figure:
    """Draw the learning rate of every step of a run."""
    figure = Figure(figsize=(6.5, 2.8), layout="constrained")
    axes = figure.subplots()
    rate = recipe.schedule(steps)
    axes.plot([rate(step) for step in range(1, steps + 1)], color=BLUE)
    axes.set(title="The learning rate climbs, then falls to zero", xlabel="step")
    axes.set(ylabel="learning rate", ylim=(0, None))
    axes.grid(alpha=0.3)
    return figure


def curves(history: History) -> Figure:
    """Draw loss and accuracy, in training and validation, against the epoch, as far as they go."""
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    ends = numpy.arange(1, history.epochs + 1)
    steps = numpy.arange(1, len(history.step_losses) + 1) / history.steps_per_epoch
    loss.plot(steps, history.step_losses, color=SKY, lw=0.6, alpha=0.7, label="training, each step")
    loss.plot(ends - 0.5, history.train_loss, "o-", color=BLUE, label="training, mean of the epoch")
    loss.plot(ends, history.valid_loss, "s--", color=ORANGE, label="validation")
    loss.set(title=f"Loss after {steps[-1]:.1f} epochs", ylabel="cross-entropy, nats")
    loss.set_ylim(0, numpy.quantile(history.step_losses, 0.99))
    accuracy.plot(ends - 0.5, history.train_accuracy, "o-", color=BLUE, label="training")
    accuracy.plot(ends, history.valid_accuracy, "s--", color=ORANGE, label="validation")
    reached = f"{history.valid_accuracy[-1]:.3f}" if history.epochs else "not measured yet"
    accuracy.set(title=f"Validation accuracy: {reached}", ylabel="accuracy, share of images")
    for axes in (loss, accuracy):
        axes.set(xlabel="epoch", xlim=(0, max(1, math.ceil(steps[-1]))))
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


class LiveCurves(Callback):
    """Curves that grow while a run goes on: `train.fit(..., callbacks=[plots.LiveCurves()])`."""

    def __init__(self) -> None:
        self.shown = display({"text/plain": "The curves appear here."}, raw=True, display_id=True)
        self.drawn, self.seconds = time.monotonic(), 0.0

    def begin(self, run: Run) -> None:
        if run.history.step_losses:
            self.draw(run.history)

    def after_step(self, run: Run) -> None:
        self.draw(run.history)

    def draw(self, history: History) -> None:
        """Draw, unless so soon after the last time that drawing would slow the training down."""
        started = time.monotonic()
        if self.seconds > DRAWING_SHARE * (started - self.drawn):
            return
        self.shown.update(curves(history))
        self.drawn = time.monotonic()
        self.seconds = self.drawn - started


def confusion(matrix: numpy.ndarray) -> Figure:
    """Draw how often images of one class (row) were taken for another (column): (10, 10) counts."""
    figure = Figure(figsize=(7.5, 6.2), layout="constrained")
    axes = figure.subplots()
    errors = matrix * (1 - numpy.eye(len(matrix), dtype=matrix.dtype))
    row, column = numpy.unravel_index(errors.argmax(), errors.shape)
    axes.imshow(errors, cmap="cividis_r")
    for (i, j), count in numpy.ndenumerate(matrix):
        dark = errors[i, j] > errors.max() / 2
        axes.text(j, i, count, ha="center", va="center", color="white" if dark else "black")
    axes.set_xticks(range(len(matrix)), CLASSES, rotation=45, ha="right")
    axes.set_yticks(range(len(matrix)), CLASSES)
    axes.set(xlabel="the network's answer", ylabel="the true class")
    axes.set_title(f"The most common mistake: {CLASSES[row]} taken for {CLASSES[column]}")
    return figure


def class_accuracy(matrix: numpy.ndarray) -> Figure:
    """Draw the share of each class that was recognized, the hardest first, from (10, 10) counts."""
    share = pandas.Series(matrix.diagonal() / matrix.sum(axis=1), CLASSES).sort_values()
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(share.index, share, color=BLUE)
    axes.bar_label(bars, fmt="%.3f", label_type="center", color="white")
    axes.axvline(matrix.trace() / matrix.sum(), color=ORANGE, ls="--", label="all images")
    axes.set(xlabel="accuracy, share of the images of the class", xlim=(0, 1))
    axes.set_title(f"{share.index[0]} is the hardest class, {share.index[-1]} the easiest")
    axes.invert_yaxis()
    axes.legend(loc="lower left")
    return figure
