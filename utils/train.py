"""Training: one step, one epoch, and the whole run by a recipe.

Notebook 05 writes `train_step`, `predict`, `evaluate` and the loop, and compares its loop with
`fit`, step by step. `fit` holds the same step inside two loops, over epochs and batches, and calls
what else belongs to a long run, such as checkpoints and live curves, as callbacks (`utils.runs`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import mxnet as mx
import numpy
from mxnet import autograd, gluon, init, np, npx

from utils import _gluon, _guards, data
from utils.recipes import Recipe
from utils.runs.callbacks import Callback, DivergenceGuard, ProgressBar, Run, deferred, running
from utils.runs.history import History

loss_function = gluon.loss.SoftmaxCrossEntropyLoss()


def initialize(net: gluon.Block, *, seed: int, device: mx.Context | Sequence[mx.Context]) -> None:
    """Draw the weights from the seed (Xavier), for images with one channel, alike on all devices.

    Layers do not know the shapes of their weights before they see an image, and draw them only
    then. An image of zeros is that image, so that nothing can come between the seed and the draw.
    """
    mx.random.seed(seed)
    net.initialize(init.Xavier(), ctx=device, force_reinit=True)
    first = device if isinstance(device, mx.Context) else device[0]
    net(np.zeros((1, 1, 28, 28), ctx=first)).wait_to_read()


def train_step(
    net: gluon.Block, X: np.ndarray, y: np.ndarray, trainer: gluon.Trainer
) -> tuple[float, int]:
    """Learn from one batch; return its mean loss and the number of correct predictions.

    X (N, C, H, W) float32, y (N,) int32. Both numbers are those before the weights moved.
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
    recipe: Recipe,
    trainer: gluon.Trainer,
    rng: numpy.random.Generator,
    device: mx.Context,
) -> Iterator[tuple[float, int]]:
    """Learn from each batch once, in the order that `rng` draws; yield what each step returns."""
    for X, y in recipe.batches(split, device, rng):
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
    device: mx.Context,
    callbacks: Sequence[Callback] = (),
) -> History:
    """Train an initialized network on the training images; return what was measured.

    All chance, the order of the images, how they are augmented, and layers such as dropout, follows
    from `seed`, the epoch and the step alone, whatever ran before. `callbacks` are called during
    the run: for example `plots.LiveCurves()`, `checkpoint.Checkpoint(path, resume=True)`. The
    network is compiled for speed and stays so; `net.hybridize(False)` undoes it.

    Raises ValueError where the images do not fill one batch, or where gradients would be added to
    old ones (`grad_req="add"`). Raises DivergedError when a loss is not a finite number; the
    network then has the parameters with which the epoch began.
    """
    _guards.check_new_gradients(net)
    steps = recipe.steps_per_epoch(fashion.train)
    trainer = recipe.trainer(net, steps * recipe.epochs)
    net.hybridize(static_alloc=True, static_shape=True)
    history = History(steps)
    run = Run(net, trainer, recipe, seed, device, len(fashion.train), history, forward=net)
    everyone = [*callbacks, DivergenceGuard(), ProgressBar()]
    with _gluon.settled(device), running(run, everyone) as callback:
        while history.epochs < recipe.epochs:
            history.begin_epoch()
            rng = numpy.random.default_rng([seed, history.epochs])
            batches = recipe.batches(fashion.train, device, rng, history.position, run.part)
            for X, y in batches:
                with deferred():  # the stop button waits until the step is whole
                    mx.random.seed(run.seed_of_step())
                    with autograd.record():
                        scores = run.forward(X)
                        losses = loss_function(scores, y)
                    losses.backward()
                    npx.waitall()  # as in train_step
                    recognized = (scores.argmax(axis=1).astype("int32") == y).sum()
                    run.loss, run.hits = losses.mean().item(), recognized.item()
                    callback.before_update(run)
                    trainer.step(recipe.batch_size)  # of all workers together
                    history.add_step(run.loss, run.hits)
                callback.after_step(run)
            valid_loss, valid_accuracy = evaluate(net, fashion.valid, device, recipe.size)
            with deferred():
                history.add_epoch(valid_loss, valid_accuracy, recipe.batch_size)
            callback.after_epoch(run)
    return history
