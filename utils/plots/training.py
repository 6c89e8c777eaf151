"""Drawings of a training run: its learning rate, its curves, and the classes it confuses."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import numpy
import pandas
from IPython.display import DisplayHandle
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator

from utils.data import CLASSES
from utils.plots._style import BLUE, GRAY, ORANGE, Figure, bars, listed
from utils.recipes import Recipe
from utils.runs.callbacks import Callback, Run
from utils.runs.history import History

DRAWING_SHARE = 0.02  # the largest share of a run's time that live curves may take
EPOCHS_SAID, MISTAKES_SAID = 8, 10  # the most that an alternative text lists
MEAN_OF = 10  # steps whose losses `loss_curve` averages
SMOOTHED = 0.1  # of an epoch: the steps over which `curves` averages the loss of single steps
MISTAKES = LinearSegmentedColormap.from_list("mistakes", ["white", BLUE])  # white: none


def schedule(recipe: Recipe, steps: int) -> Figure:
    """Draw the learning rate at each of the `steps` steps of a run."""
    figure = Figure(6.5, 2.8)
    axes = figure.subplots()
    rate = recipe.schedule(steps)
    rates = numpy.array([rate(step) for step in range(1, steps + 1)])
    axes.plot(range(1, steps + 1), rates, color=BLUE)
    title = "The learning rate stays where it is"
    if recipe.one_cycle:
        title = "The learning rate climbs, then falls to zero"
    axes.set(title=title, xlabel="step", ylabel="learning rate", ylim=(0, None))
    axes.grid(alpha=0.3)
    figure.alt = "A curve of the learning rate at each of {count:,} steps. {course}".format(
        count=steps, course=_climb_and_fall(rates) if recipe.one_cycle else _constant(rates)
    )
    return figure


def _constant(rates: numpy.ndarray) -> str:
    return "It is {rate:g} at each of them.".format(rate=rates[0])


def _climb_and_fall(rates: numpy.ndarray) -> str:
    highest = rates.argmax()
    half = highest + (rates[highest:] <= rates.max() / 2).argmax()
    return (
        "It begins at {begin:.2g} and climbs in a straight line to {peak:.2g} at step {highest:,}. "
        "From there it falls to zero along a smooth curve, slow at first, fast in the middle and "
        "slow at the end: it is down to {middle:.2g} at step {half:,}, and {end:.2g} at the "
        "last one.".format(
            begin=rates[0],
            peak=rates.max(),
            highest=highest + 1,
            middle=rates[half],
            half=half + 1,
            end=rates[-1],
        )
    )


def curves(history: History) -> Figure:
    """Draw training and validation loss and accuracy so far against the epoch."""
    figure = Figure(9.5, 3.6)
    loss, accuracy = figure.subplots(1, 2)
    ends = numpy.arange(1, history.epochs + 1)
    steps = numpy.arange(1, len(history.step_losses) + 1) / history.steps_per_epoch
    loss.plot(steps, history.step_losses, color=GRAY, lw=0.4, alpha=0.4, label="training, a step")
    smooth = _smoothed(history)
    label = "training, mean of {count} steps".format(count=_window(history))
    loss.plot(steps[len(steps) - len(smooth) :], smooth, color=BLUE, lw=1, label=label)
    loss.plot(ends - 0.5, history.train_loss, "o", color=BLUE, label="training, mean of an epoch")
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
        end = max(1, math.ceil(steps[-1]))
        axes.set(xlabel="epoch", xlim=(0, 1.03 * end))  # room for the whole of the last mark
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    loss.get_legend().legend_handles[0].set(alpha=1, linewidth=1)  # else hardly to be seen
    figure.alt = " ".join([_beginning(history), *_each_epoch(history), _end(history)])
    return figure


def _window(history: History) -> int:
    """Return over how many steps the loss is averaged: a tenth of an epoch."""
    return max(1, round(SMOOTHED * history.steps_per_epoch))


def _smoothed(history: History) -> numpy.ndarray:
    """Return the mean loss of each step and those before it, from the first whole window on."""
    window = _window(history)
    sums = numpy.cumsum([0.0, *history.step_losses])
    return (sums[window:] - sums[:-window]) / window


def _beginning(history: History) -> str:
    """Say what the charts are, and what the loss of single steps does."""
    said = (
        "Two line charts against the epoch: on the left the loss, on the right the accuracy. "
        "The loss of single steps, a thin line that jumps up and down, begins at {first:.2f} and "
        "ends at {last:.2f} after {count:,} steps, which are {epochs:.1f} epochs.".format(
            first=history.step_losses[0],
            last=history.step_losses[-1],
            count=len(history.step_losses),
            epochs=len(history.step_losses) / history.steps_per_epoch,
        )
    )
    smooth = _smoothed(history)
    if len(smooth):
        said += (
            " A smooth line over it, the mean of {count} steps, goes from {first:.2f} to "
            "{last:.2f}; its lowest point is {low:.2f}.".format(
                count=_window(history), first=smooth[0], last=smooth[-1], low=smooth.min()
            )
        )
    if not history.epochs:
        return said
    steps = history.steps_per_epoch
    last = history.step_losses[(history.epochs - 1) * steps : history.epochs * steps]
    return (
        "{said} Nine in ten of the single steps lie between {low:.2f} and {high:.2f} in epoch 1, "
        "between {last_low:.2f} and {last_high:.2f} in epoch {epochs}.".format(
            said=said,
            low=numpy.quantile(history.step_losses[:steps], 0.05),
            high=numpy.quantile(history.step_losses[:steps], 0.95),
            last_low=numpy.quantile(last, 0.05),
            last_high=numpy.quantile(last, 0.95),
            epochs=history.epochs,
        )
    )


def _each_epoch(history: History) -> Iterator[str]:
    """Say a sentence on each epoch; where there are many, on some of them."""
    epochs = numpy.arange(1, history.epochs + 1)
    few = numpy.linspace(0, history.epochs - 1, EPOCHS_SAID).round().astype(int)
    for epoch in epochs[few] if history.epochs > EPOCHS_SAID else epochs:
        yield (
            "Epoch {epoch}: loss {train_loss:.3f} in training and {valid_loss:.3f} in validation, "
            "accuracy {train_accuracy:.3f} and {valid_accuracy:.3f}.".format(
                epoch=epoch,
                train_loss=history.train_loss[epoch - 1],
                valid_loss=history.valid_loss[epoch - 1],
                train_accuracy=history.train_accuracy[epoch - 1],
                valid_accuracy=history.valid_accuracy[epoch - 1],
            )
        )


def _end(history: History) -> str:
    if not history.epochs:
        return "No epoch is complete yet, so nothing else is drawn."
    return (
        "The validation accuracy is highest after epoch {best}. At the end, the accuracy in "
        "training minus that in validation is {gap:+.3f}.".format(
            best=1 + numpy.argmax(history.valid_accuracy),
            gap=history.train_accuracy[-1] - history.valid_accuracy[-1],
        )
    )


def loss_curve(losses: Sequence[float]) -> Figure:
    """Draw the training loss of each step of a run, and the mean of every ten steps."""
    whole = numpy.array(losses[: len(losses) // MEAN_OF * MEAN_OF])
    means = pandas.Series(whole.reshape(-1, MEAN_OF).mean(axis=1))
    means.index = MEAN_OF * (means.index + 1)  # the last step of each ten
    figure = Figure(7, 3)
    axes = figure.subplots()
    axes.plot(range(1, len(losses) + 1), losses, color=GRAY, lw=0.8, alpha=0.7, label="each step")
    label = "mean of {count} steps".format(count=MEAN_OF)
    axes.plot(means.index - (MEAN_OF - 1) / 2, means, "o-", color=BLUE, ms=3, label=label)
    title = "Training loss, mean of {size} steps: from {first:.2f} to {last:.2f} in {count} steps"
    ends = {"first": means.iloc[0], "last": means.iloc[-1]}
    axes.set_title(title.format(size=MEAN_OF, count=len(losses), **ends))
    axes.set(xlabel="step", ylabel="cross-entropy, nats", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()
    some = means.iloc[
        numpy.unique(numpy.linspace(0, len(means) - 1, EPOCHS_SAID).round()).astype(int)
    ]
    figure.alt = (
        "A curve of the training loss at each of {count} steps, and of its mean over every {size} "
        "steps. The loss of the first step is {start:.2f}. The means, by the last step of each: "
        "{said}. The loss of a single step lies at most {off:.2f} above or below the mean of its "
        "{size}.".format(
            count=len(losses),
            size=MEAN_OF,
            start=losses[0],
            said=listed(some, "{:.2f}"),
            off=abs(whole - numpy.repeat(means.to_numpy(), MEAN_OF)).max(),
        )
    )
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
    axes.imshow(errors, cmap=MISTAKES, vmin=0)
    for (i, j), count in numpy.ndenumerate(matrix):
        ink = "white" if errors[i, j] > 0.9 * errors.max() else "black"
        weight = "bold" if i == j else "normal"
        if count or i == j:
            axes.text(j, i, count, ha="center", va="center", color=ink, weight=weight)
    axes.set_xticks(range(len(matrix)), CLASSES, rotation=45, ha="right")
    axes.set_yticks(range(len(matrix)), CLASSES)
    axes.set(xlabel="the network's answer", ylabel="the true class")
    mistakes = _mistakes(errors)
    axes.set_title("The most common mistake: {mistake}".format(mistake=mistakes.index[0]))
    figure.alt = _confusion_in_words(matrix, mistakes)
    return figure


def _mistakes(errors: numpy.ndarray) -> pandas.Series:
    """Return how often each class was taken for each other, the most common first."""
    form = "{true} taken for {answer}"
    names = [form.format(true=true, answer=answer) for true in CLASSES for answer in CLASSES]
    return pandas.Series(errors.ravel(), names).sort_values(ascending=False, kind="stable")


def _confusion_in_words(matrix: numpy.ndarray, mistakes: pandas.Series) -> str:
    return (
        "A table of counts: a row for each true class, a column for each answer of the network. "
        "Right answers are on the diagonal: {right}; together {trace:,} of {total:,}. The color "
        "of a field grows darker with the number of mistakes; white stands for none. The most "
        "common ones: {most}. None of the others is more common, and {never} of the {fields} "
        "fields outside the diagonal are empty, for a zero.".format(
            right=listed(pandas.Series(matrix.diagonal(), CLASSES), "{}"),
            trace=matrix.trace(),
            total=matrix.sum(),
            most=listed(mistakes[mistakes > 0].iloc[:MISTAKES_SAID], "{} times"),
            never=(mistakes == 0).sum() - len(matrix),
            fields=matrix.size - len(matrix),
        )
    )


def class_accuracy(matrix: numpy.ndarray) -> Figure:
    """Draw the accuracy on each class, the hardest class first, from (10, 10) counts."""
    share = pandas.Series(matrix.diagonal() / matrix.sum(axis=1), CLASSES).sort_values()
    whole = matrix.trace() / matrix.sum()
    figure = Figure(7, 3.6)
    axes = figure.subplots()
    drawn = bars(axes, share, BLUE)
    axes.bar_label(drawn, fmt="%.3f", label_type="center", color="white")
    axes.axvline(whole, color=ORANGE, ls="--", label="all images")
    axes.set(xlabel="accuracy, share of the images of the class", xlim=(0, 1))
    title = "{hardest} is the hardest class, {easiest} the easiest"
    axes.set_title(title.format(hardest=share.index[0], easiest=share.index[-1]))
    figure.legend(loc="outside lower right")
    figure.alt = (
        "A bar for each class, the hardest first, as long as its accuracy: {shares}. A dashed "
        "line marks the accuracy on all images, {whole:.3f}; {below} of {count} classes are "
        "below it.".format(
            shares=listed(share, "{:.3f}"),
            whole=whole,
            below=(share < whole).sum(),
            count=len(share),
        )
    )
    return figure
