"""Drawings of a training run: its learning rate, its curves, and the classes it confuses."""

from __future__ import annotations

import math
import time

import numpy
import pandas
from IPython.display import DisplayHandle

from utils.data import CLASSES
from utils.plots._style import BLUE, ORANGE, SKY, Figure, bars
from utils.recipes import Recipe
from utils.runs.callbacks import Callback, Run
from utils.runs.history import History

DRAWING_SHARE = 0.02  # the largest share of a run's time that live curves may take


def schedule(recipe: Recipe, steps: int) -> Figure:
    """Draw the learning rate at each of the `steps` steps of a run."""
    figure = Figure(6.5, 2.8)
    axes = figure.subplots()
    rate = recipe.schedule(steps)
    axes.plot([rate(step) for step in range(1, steps + 1)], color=BLUE)
    axes.set(title="The learning rate climbs, then falls to zero", xlabel="step")
    axes.set(ylabel="learning rate", ylim=(0, None))
    axes.grid(alpha=0.3)
    return figure


def curves(history: History) -> Figure:
    """Draw training and validation loss and accuracy so far against the epoch."""
    figure = Figure(9.5, 3.6)
    loss, accuracy = figure.subplots(1, 2)
    ends = numpy.arange(1, history.epochs + 1)
    steps = numpy.arange(1, len(history.step_losses) + 1) / history.steps_per_epoch
    loss.plot(steps, history.step_losses, color=SKY, lw=0.6, alpha=0.7, label="training, each step")
    loss.plot(ends - 0.5, history.train_loss, "o-", color=BLUE, label="training, mean of the epoch")
    loss.plot(ends, history.valid_loss, "s--", color=ORANGE, label="validation")
    loss.set_title("Loss after {epochs:.1f} epochs".format(epochs=steps[-1]))
    loss.set_ylabel("cross-entropy, nats")
    loss.set_ylim(0, numpy.quantile(history.step_losses, 0.99))
    accuracy.plot(ends - 0.5, history.train_accuracy, "o-", color=BLUE, label="training")
    accuracy.plot(ends, history.valid_accuracy, "s--", color=ORANGE, label="validation")
    title = "Validation accuracy: not measured yet"
    if history.epochs:
        title = "Validation accuracy: {reached:.3f}".format(reached=history.valid_accuracy[-1])
    accuracy.set(title=title, ylabel="accuracy, share of images")
    for axes in (loss, accuracy):
        axes.set(xlabel="epoch", xlim=(0, max(1, math.ceil(steps[-1]))))
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


class LiveCurves(Callback):
    """Curves that grow while a run goes on: `train.fit(..., callbacks=[plots.LiveCurves()])`."""

    def __init__(self) -> None:
        self.shown = DisplayHandle()
        self.shown.display({"text/plain": "The curves appear here."}, raw=True)
        self.drawn, self.seconds = time.monotonic(), 0.0

    def begin(self, run: Run) -> None:
        if run.history.step_losses:
            self.draw(run.history)

    def after_step(self, run: Run) -> None:
        self.draw(run.history)

    def end(self, run: Run, error: BaseException | None) -> None:
        if run.history.step_losses:  # with the last evaluation
            self.shown.update(curves(run.history))

    def draw(self, history: History) -> None:
        """Redraw, unless drawing again so soon would slow the training down."""
        started = time.monotonic()
        if self.seconds > DRAWING_SHARE * (started - self.drawn):
            return
        self.shown.update(curves(history))
        self.drawn = time.monotonic()
        self.seconds = self.drawn - started


def confusion(matrix: numpy.ndarray) -> Figure:
    """Draw how often each class (row) was taken for each other (column), from (10, 10) counts."""
    figure = Figure(7.5, 6.2)
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
    title = "The most common mistake: {true} taken for {answer}"
    axes.set_title(title.format(true=CLASSES[row], answer=CLASSES[column]))
    return figure


def class_accuracy(matrix: numpy.ndarray) -> Figure:
    """Draw the accuracy on each class, the hardest class first, from (10, 10) counts."""
    share = pandas.Series(matrix.diagonal() / matrix.sum(axis=1), CLASSES).sort_values()
    figure = Figure(7, 3.4)
    axes = figure.subplots()
    drawn = bars(axes, share, BLUE)
    axes.bar_label(drawn, fmt="%.3f", label_type="center", color="white")
    axes.axvline(matrix.trace() / matrix.sum(), color=ORANGE, ls="--", label="all images")
    axes.set(xlabel="accuracy, share of the images of the class", xlim=(0, 1))
    title = "{hardest} is the hardest class, {easiest} the easiest"
    axes.set_title(title.format(hardest=share.index[0], easiest=share.index[-1]))
    axes.legend(loc="lower left")
    return figure
