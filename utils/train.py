"""Training: one step, one epoch, and the whole run by a recipe, with its history and checkpoints.

Notebook 05 writes `train_step`, `train_epoch`, `predict` and `evaluate` out; `fit` puts them
together.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import mxnet as mx
import numpy
from mxnet import autograd, gluon, init, np, npx
from tqdm import tqdm

from utils import _gluon, _guards, data
from utils.recipes import Recipe
from utils.runs import interruption, parallel
from utils.runs import team as teamwork
from utils.runs.history import DivergedError, History
from utils.runs.run_file import RunFile

loss_function = gluon.loss.SoftmaxCrossEntropyLoss()


def initialize(net: gluon.Block, *, seed: int, device: mx.Context | Sequence[mx.Context]) -> None:
    """Draw the weights from the seed (Xavier), for images with one channel; all devices' alike.

    Layers wait for a first image before they know the shapes of their weights, and draw them only
    then. The image of zeros is that image, so that nothing can come between the seed and the draw.
    """
    mx.random.seed(seed)
    net.initialize(init.Xavier(), ctx=device, force_reinit=True)
    net(np.zeros((1, 1, 28, 28), ctx=_devices(device)[0])).wait_to_read()


def train_step(
    net: gluon.Block, X: np.ndarray, y: np.ndarray, trainer: gluon.Trainer
) -> tuple[float, int]:
    """Learn from one batch; return its mean loss and how many of its images were recognized.

    X (N, C, H, W) float32, y (N,) int32. Both figures are those before the weights moved.
    """
    with autograd.record():
        scores = net(X)
        losses = loss_function(scores, y)
    losses.backward()
    npx.waitall()  # a step that is queued earlier may change the last digits of the gradient
    trainer.step(len(y))
    recognized = (scores.argmax(axis=1).astype("int32") == y).sum()
    return losses.mean().item(), recognized.item()


def train_epoch(
    net: gluon.Block,
    split: data.Split,
    recipe: Recipe | parallel.Share,
    trainer: gluon.Trainer,
    rng: numpy.random.Generator,
    device: mx.Context,
    start: int = 0,
) -> Iterator[tuple[float, int]]:
    """Learn from each batch once, in the order `rng` draws; yield what `train_step` returns.

    An epoch that was interrupted goes on with the batch `start`.
    """
    for X, y in recipe.batches(split, device, rng, start):
        yield train_step(net, X, y, trainer)


def predict(
    net: gluon.Block, split: data.Split, device: mx.Context, size: int = 28
) -> numpy.ndarray:
    """Return the scores of all images, in order: (N, classes) float32, before softmax."""
    batches = data.batches(split, 500, device, size=size)
    return numpy.concatenate([net(X).asnumpy() for X, _ in batches])


def evaluate(
    net: gluon.Block, split: data.Split, device: mx.Context, size: int = 28
) -> tuple[float, float]:
    """Return the mean loss and the accuracy of the network, in inference mode, on a split."""
    scores, y = np.array(predict(net, split, device, size)), np.array(split.labels)
    recognized = scores.argmax(axis=1).astype("int32") == y
    return loss_function(scores, y).mean().item(), recognized.mean().item()


def fit(
    net: gluon.Block,
    fashion: data.FashionMNIST,
    recipe: Recipe,
    *,
    seed: int,
    device: mx.Context | Sequence[mx.Context],
    kvstore: mx.kv.KVStore | str = "device",
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    save_every: float = 60,
    on_step: Callable[[History], None] | None = None,
) -> History:
    """Train an initialized network on the training images; return what was measured.

    All that is left to chance, the order of the images, how they are changed, and layers such as
    dropout, follows from `seed`, the epoch and the step alone, whatever ran before.

    Several devices share every batch, and so do the workers of a distributed `kvstore`
    ("dist_sync"): `recipe.batch_size` is that of all of them together. The history is that of the
    whole batches, too. Normalizations see the part on their device alone; the running statistics
    that count are those of worker 0's first device. Worker 0 judges and saves.

    The file `checkpoint` is replaced every `save_every` seconds, after each epoch and when the run
    is interrupted (Ctrl-C, the stop button). The same call with `resume=True` goes on from there to
    the same curve, or from the beginning where there is no file yet. `on_step` gets the history so
    far after each step, for drawing.

    Raises ValueError where a batch does not divide. Raises DivergedError when a loss is not a
    finite number; the network then has the parameters with which the epoch began, or the part of it
    that was resumed. Raises checkpoint.CheckpointError where the file belongs to another network or
    run, teamwork.TeamError where the workers differ.
    """
    steps = recipe.steps_per_epoch(fashion.train)
    devices = _devices(device)
    with teamwork.Team(teamwork.store(kvstore)) as team:
        _guards.check_divides(recipe.batch_size, team.size, len(devices))
        several = team.size * len(devices) > 1
        make = partial(teamwork.Trainer, team=team) if several else gluon.Trainer
        trainer = recipe.trainer(net, steps * recipe.epochs, make)
        net.hybridize(static_alloc=True, static_shape=True)
        settings = {"recipe": asdict(recipe), "seed": seed, "images": len(fashion.train)}
        team.agree(settings)
        file = RunFile(checkpoint, net, trainer, settings, team)
        history = file.start(resume) or History(steps)
        if history.step_losses and on_step is not None:
            on_step(history)
        run = _Run(net, recipe, trainer, seed, devices, team, history)
        run.to_end(fashion, file, save_every, on_step)
    return history


def _devices(device: mx.Context | Sequence[mx.Context]) -> list[mx.Context]:
    return [device] if isinstance(device, mx.Context) else list(device)


@dataclass(frozen=True)
class _Run:
    """What a run consists of. Whenever an interruption gets through, the history fits the weights.

    So it can be saved at any such moment.
    """

    net: gluon.Block
    recipe: Recipe
    trainer: gluon.Trainer
    seed: int
    devices: list[mx.Context]
    team: teamwork.Team
    history: History

    def to_end(
        self,
        fashion: data.FashionMNIST,
        file: RunFile,
        save_every: float,
        on_step: Callable[[History], None] | None,
    ) -> None:
        """Do all that is left, and save as `fit` says."""
        history, saved = self.history, time.monotonic()
        total, done = history.steps_per_epoch * self.recipe.epochs, len(history.step_losses)
        pause = 0.1 if self.team.size == 1 else teamwork.PATIENCE  # a log need not move
        with tqdm(total=total, initial=done, file=sys.stdout, mininterval=pause) as bar:
            try:
                while history.epochs < self.recipe.epochs:
                    for _ in self.rest_of_epoch(fashion.train):
                        bar.update()
                        if on_step is not None:
                            on_step(history)
                        if time.monotonic() - saved >= save_every:
                            file.save(history)
                            saved = time.monotonic()
                    self.finish_epoch(fashion.valid)
                    bar.set_postfix_str(f"validation accuracy {history.valid_accuracy[-1]:.3f}")
                    file.save(history)
                    saved = time.monotonic()
            except KeyboardInterrupt:
                file.save(history)
                raise

    def rest_of_epoch(self, split: data.Split) -> Iterator[None]:
        """Do the steps that are left of an epoch, and note each in the history."""
        history, start = self.history, self.history.position
        started = time.monotonic() - history.unfinished
        rng = numpy.random.default_rng([self.seed, history.epochs])
        share = parallel.Share(self.recipe, self.team.rank, self.team.size)
        net = self.net if len(self.devices) == 1 else parallel.Spread(self.net, self.devices)
        learning = train_epoch(net, split, share, self.trainer, rng, self.devices[0], start)
        good = _gluon.read(self.net)
        self.team.count_anew()
        for _ in range(start, history.steps_per_epoch):
            mx.random.seed(self._seed_of_step())
            with interruption.deferred():
                loss, hits = next(learning)
                loss, hits = self.team.total(loss / self.team.size, hits)
                if not math.isfinite(loss):
                    self._go_back(good, start, loss)
                history.step_losses.append(loss)
                history.step_hits.append(int(hits))
                history.unfinished = time.monotonic() - started
            yield

    def finish_epoch(self, split: data.Split) -> None:
        """Judge the network, and note the figures of the epoch."""
        started, history = time.monotonic(), self.history
        self.team.tell_waiting()
        judged = (0.0, 0.0)
        if self.team.rank == 0:
            judged = evaluate(self.net, split, self.devices[0], self.recipe.size)
        valid_loss, valid_accuracy = self.team.total(*judged)
        losses, hits = (
            figures[-history.steps_per_epoch :]
            for figures in (history.step_losses, history.step_hits)
        )
        with interruption.deferred():
            history.train_loss.append(sum(losses) / len(losses))
            history.train_accuracy.append(sum(hits) / (len(hits) * self.recipe.batch_size))
            history.valid_loss.append(valid_loss)
            history.valid_accuracy.append(valid_accuracy)
            history.seconds.append(history.unfinished + time.monotonic() - started)
            history.unfinished = 0.0

    def _seed_of_step(self) -> int:
        """Return a seed for MXNet, which takes 31 bits, from the run's seed, step and worker.

        MXNet's generator cannot be read and saved, so it is set anew from what a checkpoint knows.
        """
        step, rank = len(self.history.step_losses), self.team.rank  # a 0 more changes no seed
        sequence = numpy.random.SeedSequence([self.seed, step, rank])
        return int(sequence.generate_state(1)[0] >> 1)

    def _go_back(self, good: list[numpy.ndarray], position: int, loss: float) -> None:
        """Put back the parameters of a position in the epoch, and raise DivergedError."""
        history = self.history
        diverged = len(history.step_losses) + 1
        left = history.epochs * history.steps_per_epoch + position
        del history.step_losses[left:], history.step_hits[left:]
        _gluon.put(self.net, good)
        raise DivergedError(
            f"The loss became {loss} at step {diverged}, in epoch {history.epochs + 1}. The "
            f"network has the parameters from after step {left} again. Lower the learning rate, "
            "and make sure that every number in the images is finite.",
            history,
        )
