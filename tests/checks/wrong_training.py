"""Training code with one mistake each, with the diagnosis that it should get; then right code.

The functions have the signatures of notebook 05. There is a gallery for each of them.
"""

import dataclasses

import mxnet as mx
import numpy
import pandas
from mxnet import autograd, gluon, np, npx

from utils import data, train
from utils.runs.history import History
from utils.train import loss_function

WRONG_TRAINING = {name: {} for name in ("train_step", "train_epoch", "evaluate", "fit", "history")}


def diagnosed_as(diagnosis, part):
    """Add a wrong version to the gallery of one of the functions."""

    def enter(version):
        WRONG_TRAINING[part][version] = diagnosis
        return version

    return enter


def correct(scores, y):
    return (scores.argmax(axis=1).astype("int32") == y).sum().item()


# train_step


def losses_of(net, X, y):
    with autograd.record():
        scores = net(X)
        losses = loss_function(scores, y)
    losses.backward()
    return scores, losses


@diagnosed_as("loss not averaged", "train_step")
def step_with_the_sum_of_losses(net, X, y, trainer):
    scores, losses = losses_of(net, X, y)
    trainer.step(len(y))
    return losses.sum().item(), correct(scores, y)


@diagnosed_as("wrong loss", "train_step")
def step_with_the_loss_after_it(net, X, y, trainer):
    scores, _ = losses_of(net, X, y)
    trainer.step(len(y))
    return loss_function(net(X), y).mean().item(), correct(scores, y)


@diagnosed_as("fraction instead of a count", "train_step")
def step_with_an_accuracy(net, X, y, trainer):
    scores, losses = losses_of(net, X, y)
    trainer.step(len(y))
    return losses.mean().item(), correct(scores, y) / len(y)


@diagnosed_as("not divided by the batch size", "train_step")
def step_of_one(net, X, y, trainer):
    scores, losses = losses_of(net, X, y)
    trainer.step(1)
    return losses.mean().item(), correct(scores, y)


@diagnosed_as("not divided by the batch size", "train_step")
def step_without_a_number(net, X, y, trainer):
    scores, losses = losses_of(net, X, y)
    trainer.step()
    return losses.mean().item(), correct(scores, y)


@diagnosed_as("divided by the batch size twice", "train_step")
def step_of_a_mean_by_the_batch_size(net, X, y, trainer):
    with autograd.record():
        scores = net(X)
        loss = loss_function(scores, y).mean()
    loss.backward()
    trainer.step(len(y))
    return loss.item(), correct(scores, y)


@diagnosed_as("weights do not move", "train_step")
def step_that_is_forgotten(net, X, y, trainer):
    scores, losses = losses_of(net, X, y)
    return losses.mean().item(), correct(scores, y)


@diagnosed_as("step uphill", "train_step")
def step_uphill(net, X, y, trainer):
    with autograd.record():
        scores = net(X)
        losses = loss_function(scores, y)
        upside_down = -losses
    upside_down.backward()
    trainer.step(len(y))
    return losses.mean().item(), correct(scores, y)


@diagnosed_as("gradients accumulated", "train_step")
def step_with_old_gradients(net, X, y, trainer):
    for parameter in net.collect_params().values():
        parameter.grad_req = "add"
    scores, losses = losses_of(net, X, y)
    trainer.step(len(y))
    return losses.mean().item(), correct(scores, y)


@diagnosed_as("wrong step length", "train_step")
def step_for_another_batch_size(net, X, y, trainer):
    scores, losses = losses_of(net, X, y)
    trainer.step(128)
    return losses.mean().item(), correct(scores, y)


@diagnosed_as("wrong direction", "train_step")
def step_with_a_penalty(net, X, y, trainer):
    with autograd.record():
        scores = net(X)
        losses = loss_function(scores, y)
        penalized = losses + (scores**2).sum(axis=1)
    penalized.backward()
    trainer.step(len(y))
    return losses.mean().item(), correct(scores, y)


@diagnosed_as("softmax before the loss", "train_step")
def step_with_a_second_softmax(net, X, y, trainer):
    scores, losses = losses_of(lambda X: npx.softmax(net(X)), X, y)
    trainer.step(len(y))
    return losses.mean().item(), correct(scores, y)


@diagnosed_as("numbers swapped", "train_step")
def step_with_its_numbers_swapped(net, X, y, trainer):
    return train.train_step(net, X, y, trainer)[::-1]


@diagnosed_as("percentage instead of a count", "train_step")
def step_with_percent(net, X, y, trainer):
    loss, hits = train.train_step(net, X, y, trainer)
    return loss, 100 * hits / len(y)


@diagnosed_as("wrong count", "train_step")
def step_that_counts_mistakes(net, X, y, trainer):
    loss, hits = train.train_step(net, X, y, trainer)
    return loss, len(y) - hits


@diagnosed_as("counted after the step", "train_step")
def step_with_the_hits_after_it(net, X, y, trainer):
    loss, _ = train.train_step(net, X, y, trainer)
    return loss, correct(net(X), y)


@diagnosed_as("raises an error", "train_step")
def step_without_record(net, X, y, trainer):
    scores = net(X)
    loss_function(scores, y).backward()


@diagnosed_as("raises an error", "train_step")
def step_without_backward(net, X, y, trainer):
    with autograd.record():
        loss_function(net(X), y)
    trainer.step(len(y))


@diagnosed_as("learns in inference mode", "train_step")
def step_in_inference_mode(net, X, y, trainer):
    with autograd.record(train_mode=False):
        scores = net(X)
        losses = loss_function(scores, y)
    losses.backward()
    trainer.step(len(y))
    return losses.mean().item(), correct(scores, y)


@diagnosed_as("not two numbers", "train_step")
def step_that_returns_arrays(net, X, y, trainer):
    scores, losses = losses_of(net, X, y)
    trainer.step(len(y))
    return losses, scores


@diagnosed_as("not written yet", "train_step")
def step_not_written_yet(net, X, y, trainer):
    raise NotImplementedError


WRONG_TRAINING["train_step"]["train_step"] = "not a function"


# train_epoch


def learn(net, split, order, recipe, trainer, device):
    """Take a step on each full batch, with the images in the given order."""
    for start in range(0, len(order) - recipe.batch_size + 1, recipe.batch_size):
        chosen = order[start : start + recipe.batch_size]
        X = np.array(data.normalize(split.images[chosen]), ctx=device)
        yield train.train_step(net, X, np.array(split.labels[chosen], ctx=device), trainer)


@diagnosed_as("labels shuffled apart from images", "train_epoch")
def epoch_with_labels_shuffled_apart(net, split, recipe, trainer, rng, device):
    shuffled = dataclasses.replace(split, labels=rng.permutation(split.labels))
    return learn(net, shuffled, rng.permutation(len(split)), recipe, trainer, device)


@diagnosed_as("not shuffled", "train_epoch")
def epoch_in_the_order_of_the_file(net, split, recipe, trainer, rng, device):
    return learn(net, split, numpy.arange(len(split)), recipe, trainer, device)


@diagnosed_as("the same order in every epoch", "train_epoch")
def epoch_in_the_same_order(net, split, recipe, trainer, rng, device):
    order = numpy.random.default_rng(0).permutation(len(split))
    return learn(net, split, order, recipe, trainer, device)


@diagnosed_as("images seen again", "train_epoch")
def epoch_with_replacement(net, split, recipe, trainer, rng, device):
    order = rng.integers(len(split), size=len(split))
    return learn(net, split, order, recipe, trainer, device)


@diagnosed_as("images left out", "train_epoch")
def epoch_of_half_the_images(net, split, recipe, trainer, rng, device):
    order = rng.permutation(len(split))[: len(split) // 2]
    return learn(net, split, order, recipe, trainer, device)


@diagnosed_as("images mirrored", "train_epoch")
def epoch_of_mirrored_images(net, split, recipe, trainer, rng, device):
    mirrored = dataclasses.replace(split, images=split.images[:, :, ::-1])
    return learn(net, mirrored, rng.permutation(len(split)), recipe, trainer, device)


@diagnosed_as("weights do not move", "train_epoch")
def epoch_without_steps(net, split, recipe, trainer, rng, device):
    for X, y in data.batches(split, recipe.batch_size, device, rng):
        losses_of(net, X, y)


@diagnosed_as("not divided by the batch size", "train_epoch")
def epoch_of_steps_of_one(net, split, recipe, trainer, rng, device):
    for X, y in data.batches(split, recipe.batch_size, device, rng):
        yield step_of_one(net, X, y, trainer)


@diagnosed_as("needs the main thread", "train_epoch")
def epoch_with_other_processes(net, split, recipe, trainer, rng, device):
    return learn_from_a_loader(net, split, recipe, trainer, num_workers=2)


def learn_from_a_loader(net, split, recipe, trainer, **options):
    dataset = gluon.data.ArrayDataset(data.normalize(split.images), split.labels)
    for X, y in gluon.data.DataLoader(dataset, recipe.batch_size, shuffle=True, **options):
        yield train.train_step(net, X, y, trainer)


# evaluate


def scores_of(net, split, device):
    for X, y in data.batches(split, 500, device):
        yield net(X), y


@diagnosed_as("evaluation in training mode", "evaluate")
def evaluation_in_training_mode(net, split, device):
    with autograd.train_mode():
        return train.evaluate(net, split, device)


@diagnosed_as("evaluation in training mode", "evaluate")
def evaluation_with_record(net, split, device):
    with autograd.record():
        return train.evaluate(net, split, device)


@diagnosed_as("labels shuffled apart from images", "evaluate")
def evaluation_of_shuffled_images(net, split, device):
    order = numpy.random.default_rng(0).permutation(len(split))
    shuffled = dataclasses.replace(split, images=split.images[order])
    return train.evaluate(net, shuffled, device)


@diagnosed_as("images left out", "evaluate")
def evaluation_of_the_first_batch(net, split, device):
    return train.evaluate(net, data.Split(split.images[:500], split.labels[:500]), device)


@diagnosed_as("wrong loss or accuracy", "evaluate")
def evaluation_of_full_batches(net, split, device):
    loss, accuracy = train.evaluate(net, split, device)
    return loss * len(split) / 1000, accuracy * len(split) / 1000


@diagnosed_as("numbers swapped", "evaluate")
def evaluation_with_its_numbers_swapped(net, split, device):
    return train.evaluate(net, split, device)[::-1]


@diagnosed_as("percentage instead of a fraction", "evaluate")
def evaluation_in_percent(net, split, device):
    loss, accuracy = train.evaluate(net, split, device)
    return loss, 100 * accuracy


@diagnosed_as("softmax before the loss", "evaluate")
def evaluation_with_a_second_softmax(net, split, device):
    return train.evaluate(lambda X: npx.softmax(net(X)), split, device)


@diagnosed_as("mean over the batches", "evaluate")
def evaluation_by_means_of_batches(net, split, device):
    losses, accuracies = [], []
    for scores, y in scores_of(net, split, device):
        losses.append(loss_function(scores, y).mean().item())
        accuracies.append(correct(scores, y) / len(y))
    return numpy.mean(losses), numpy.mean(accuracies)


@diagnosed_as("count instead of a fraction", "evaluate")
def evaluation_that_counts(net, split, device):
    loss, accuracy = train.evaluate(net, split, device)
    return loss, accuracy * len(split)


@diagnosed_as("loss not averaged", "evaluate")
def evaluation_with_the_sum_of_losses(net, split, device):
    loss, accuracy = train.evaluate(net, split, device)
    return loss * len(split), accuracy


# fit


def own_fit(net, fashion, recipe, *, seed, device, epoch=train.train_epoch, judge=train.evaluate):
    """Train with the plain loop; the epoch and the evaluation can be replaced."""
    rng = numpy.random.default_rng(seed)
    trainer = recipe.trainer(net, recipe.epochs * recipe.steps_per_epoch(fashion.train))
    history = []
    for _ in range(recipe.epochs):
        for _ in epoch(net, fashion.train, recipe, trainer, rng, device):
            pass
        history.append(judge(net, fashion.valid, device))
    return history


def joined(*splits):
    return data.Split(
        numpy.concatenate([split.images for split in splits]),
        numpy.concatenate([split.labels for split in splits]),
    )


@diagnosed_as("test data in training", "fit")
def fit_on_test_images_too(net, fashion, recipe, *, seed, device):
    more = dataclasses.replace(fashion, train=joined(fashion.train, fashion.test))
    return train.fit(net, more, recipe, seed=seed, device=device)


@diagnosed_as("test data used during training", "fit")
def fit_that_validates_on_test_images(net, fashion, recipe, *, seed, device):
    def judge(net, *arguments):
        train.evaluate(net, fashion.test, device)
        return train.evaluate(net, *arguments)

    return own_fit(net, fashion, recipe, seed=seed, device=device, judge=judge)


@diagnosed_as("test data used by fit", "fit")
def fit_that_ends_with_the_test(net, fashion, recipe, *, seed, device):
    history = train.fit(net, fashion, recipe, seed=seed, device=device)
    train.evaluate(net, fashion.test, device)
    return history


@diagnosed_as("validation data in training", "fit")
def fit_on_validation_images_too(net, fashion, recipe, *, seed, device):
    more = dataclasses.replace(fashion, train=joined(fashion.train, fashion.valid))
    return train.fit(net, more, recipe, seed=seed, device=device)


@diagnosed_as("no validation", "fit")
def fit_that_validates_on_training_images(net, fashion, recipe, *, seed, device):
    same = dataclasses.replace(fashion, valid=fashion.train)
    return train.fit(net, same, recipe, seed=seed, device=device)


@diagnosed_as("validation not after each epoch", "fit")
def fit_that_validates_at_the_end(net, fashion, recipe, *, seed, device):
    own_fit(net, fashion, recipe, seed=seed, device=device, judge=lambda *_: None)
    return train.evaluate(net, fashion.valid, device)


@diagnosed_as("evaluation in training mode", "fit")
def fit_that_validates_in_training_mode(net, fashion, recipe, *, seed, device):
    judge = evaluation_in_training_mode
    return own_fit(net, fashion, recipe, seed=seed, device=device, judge=judge)


@diagnosed_as("the same order in every epoch", "fit")
def fit_in_the_same_order(net, fashion, recipe, *, seed, device):
    def epoch(net, split, recipe, trainer, rng, device):
        rng = numpy.random.default_rng(seed)
        return train.train_epoch(net, split, recipe, trainer, rng, device)

    return own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch)


@diagnosed_as("wrong number of epochs", "fit")
def fit_for_one_epoch(net, fashion, recipe, *, seed, device):
    short = dataclasses.replace(recipe, epochs=1)
    return train.fit(net, fashion, short, seed=seed, device=device)


@diagnosed_as("raises an error", "fit")
def fit_with_another_signature(net, fashion):
    return None


# history: two epochs


def history(**others):
    """Return the history of a good run, with some of its values replaced."""
    good = History(10, [], [0.9, 0.5], [0.7, 0.8], [0.8, 0.6], [0.75, 0.78], [1, 1])
    return dataclasses.replace(good, **others)


@diagnosed_as("loss not averaged", "history")
def history_of_sums():
    return history(train_loss=[120.0, 70.0])


@diagnosed_as("loss does not fall", "history")
def history_of_a_loss_that_rises():
    return history(train_loss=[2.3, 2.4])


@diagnosed_as("accuracy not between 0 and 1", "history")
def history_of_percent():
    return history(valid_accuracy=[75.0, 78.0])


@diagnosed_as("no history", "history")
def history_of_nothing():
    return [0.9, 0.5]


# Right versions


def step_of_the_mean(net, X, y, trainer):
    """The gradient is that of the mean, so the step must not divide again."""
    with autograd.record():
        scores = net(X)
        loss = loss_function(scores, y).mean()
    loss.backward()
    trainer.step(1)
    return loss, correct(scores, y)


def step_with_its_own_loss(net, X, y, trainer):
    y = y.astype("int64")
    with autograd.record():
        scores = net(X)
        losses = -npx.pick(npx.log_softmax(scores), y)
    autograd.backward([losses])
    trainer.allreduce_grads()
    trainer.update(X.shape[0])
    return float(losses.mean()), int((scores.argmax(axis=1).astype("int64") == y).sum())


def step_with_a_fraction_of_the_batch(net, X, y, trainer):
    """In float32, a fraction times the batch size is not quite a whole number."""
    scores, losses = losses_of(net, X, y)
    trainer.step(len(y))
    fraction = (scores.argmax(axis=1).astype("int32") == y).astype("float32").mean()
    return losses.mean(), fraction.item() * len(y)


def returning(result):
    """Return an epoch that does all its work in one call and returns a result of any kind."""

    def epoch(*arguments):
        return result(list(train.train_epoch(*arguments)))

    return epoch


def epoch_with_a_loader(net, split, recipe, trainer, rng, device):
    yield from learn_from_a_loader(net, split, recipe, trainer)


def epoch_of_halves(net, split, recipe, trainer, rng, device):
    """Each step uses the accumulated gradients of two half batches."""
    net.collect_params().setattr("grad_req", "add")
    for X, y in data.batches(split, recipe.batch_size, device, rng):
        for half in (slice(0, len(y) // 2), slice(len(y) // 2, None)):
            losses_of(net, X[half], y[half])
        trainer.step(len(y))
        net.collect_params().zero_grad()


def fit_that_initializes(net, fashion, recipe, seed, device):
    train.initialize(net, seed=seed, device=device)
    return own_fit(net, fashion, recipe, seed=seed, device=device)


def epoch_with_its_own_order(net, split, recipe, trainer, rng, device):
    order = numpy.arange(len(split))
    rng.shuffle(order)
    return list(learn(net, split, order, recipe, trainer, device))


def evaluation_by_counting(net, split, device=None):
    loss = hits = 0
    for X, y in data.batches(split, 64, device or mx.cpu()):
        scores = net(X)
        loss += loss_function(scores, y).sum().item()
        hits += correct(scores, y)
    return loss / len(split), hits / len(split)


RIGHT_TRAINING = {
    "train_step": [
        train.train_step,
        step_of_the_mean,
        step_with_its_own_loss,
        step_with_a_fraction_of_the_batch,
    ],
    "train_epoch": [
        train.train_epoch,
        epoch_with_its_own_order,
        epoch_with_a_loader,
        epoch_of_halves,
        returning(lambda results: results[0][0]),
        returning(any),
        returning(numpy.array),
        returning(pandas.DataFrame),
    ],
    "evaluate": [train.evaluate, evaluation_by_counting],
    "fit": [train.fit, own_fit, fit_that_initializes],
    "history": [history],
}
