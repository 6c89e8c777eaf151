"""Training code with one mistake each, with the diagnosis that it should get; then right code.

The functions have the signatures of notebook 05. There is a gallery for each of them.
"""

import dataclasses
import math

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


never_reset = mx.metric.Accuracy(), mx.metric.Loss()


@diagnosed_as("result depends on earlier calls", "train_step")
def step_with_metrics_that_are_never_reset(net, X, y, trainer):
    accuracy, mean_loss = never_reset
    scores, losses = losses_of(net, X, y)
    trainer.step(len(y))
    accuracy.update(y, scores.argmax(axis=1))
    mean_loss.update(0, losses.as_nd_ndarray())
    return mean_loss.get()[1], accuracy.get()[1] * len(y)


smoothed = []


@diagnosed_as("result depends on earlier calls", "train_step")
def step_with_a_smoothed_loss(net, X, y, trainer):
    loss, hits = train.train_step(net, X, y, trainer)
    smoothed.append(0.9 * smoothed[-1] + 0.1 * loss if smoothed else loss)
    return smoothed[-1], hits


late = [(2.3, 1)]


@diagnosed_as("result depends on earlier calls", "train_step")
def step_that_returns_what_the_last_one_found(net, X, y, trainer):
    late.append(train.train_step(net, X, y, trainer))
    return late[-2]


@diagnosed_as("momentum lost", "train_step")
def step_with_a_trainer_of_its_own(net, X, y, trainer):
    settings = {"learning_rate": trainer.learning_rate, "momentum": 0.9}
    return train.train_step(net, X, y, gluon.Trainer(net.collect_params(), "sgd", settings))


@diagnosed_as("momentum lost", "train_step")
def step_past_the_trainer(net, X, y, trainer):
    scores, losses = losses_of(net, X, y)
    for parameter in net.collect_params().values():
        parameter.set_data(parameter.data() - trainer.learning_rate * parameter.grad() / len(y))
    return losses.mean().item(), correct(scores, y)


@diagnosed_as("images on another scale", "train_step")
def step_that_scales_again(net, X, y, trainer):
    return train.train_step(net, X / 255, y, trainer)


@diagnosed_as("images on another scale", "train_step")
def step_that_scales_to_0_and_1(net, X, y, trainer):
    return train.train_step(net, (X - X.min()) / (X.max() - X.min()), y, trainer)


WRONG_TRAINING["train_step"]["train_step"] = "not a function"


# train_epoch


def raw(images):
    """Return images as networks take them, but as bytes: 0 to 255."""
    return images[:, None].astype("float32")


def to_one(images):
    """Return images with pixels between 0 and 1."""
    return raw(images) / 255


def by_their_own(images):
    """Return images normalized by their own mean and deviation."""
    return (raw(images) - images.mean()) / images.std()


def learn(net, split, order, recipe, trainer, device, normalize=data.normalize):
    """Take a step on each full batch, with the images in the given order."""
    for start in range(0, len(order) - recipe.batch_size + 1, recipe.batch_size):
        chosen = order[start : start + recipe.batch_size]
        X = np.array(normalize(split.images[chosen]), ctx=device)
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


@diagnosed_as("step uphill", "train_epoch")
def epoch_uphill(net, split, recipe, trainer, rng, device):
    for X, y in data.batches(split, recipe.batch_size, device, rng):
        yield step_uphill(net, X, y, trainer)


@diagnosed_as("gradients accumulated", "train_epoch")
def epoch_with_old_gradients(net, split, recipe, trainer, rng, device):
    for X, y in data.batches(split, recipe.batch_size, device, rng):
        yield step_with_old_gradients(net, X, y, trainer)


@diagnosed_as("momentum lost", "train_epoch")
def epoch_with_a_trainer_of_its_own(net, split, recipe, trainer, rng, device):
    constant = dataclasses.replace(recipe, learning_rate=trainer.learning_rate, one_cycle=False)
    mine = constant.trainer(net, recipe.steps_per_epoch(split))
    return train.train_epoch(net, split, recipe, mine, rng, device)


@diagnosed_as("another momentum", "train_epoch")
def epoch_with_a_trainer_for_each_step(net, split, recipe, trainer, rng, device):
    for X, y in data.batches(split, recipe.batch_size, device, rng):
        yield train.train_step(net, X, y, recipe.trainer(net, 18))


@diagnosed_as("wrong direction", "train_epoch")
def epoch_of_signs(net, split, recipe, trainer, rng, device):
    mine = gluon.Trainer(net.collect_params(), "signum", {"learning_rate": recipe.learning_rate})
    return train.train_epoch(net, split, recipe, mine, rng, device)


@diagnosed_as("another batch size", "train_epoch")
def epoch_of_pairs(net, split, recipe, trainer, rng, device):
    pairs = dataclasses.replace(recipe, batch_size=2)
    return train.train_epoch(net, split, pairs, trainer, rng, device)


@diagnosed_as("another batch size", "train_epoch")
def epoch_of_one_step(net, split, recipe, trainer, rng, device):
    net.collect_params().setattr("grad_req", "add")
    for X, y in data.batches(split, recipe.batch_size, device, rng):
        losses_of(net, X, y)
    trainer.step(len(split))
    net.collect_params().zero_grad()


@diagnosed_as("images not normalized", "train_epoch")
def epoch_of_bytes(net, split, recipe, trainer, rng, device):
    return learn(net, split, rng.permutation(len(split)), recipe, trainer, device, raw)


@diagnosed_as("images not normalized", "train_epoch")
def epoch_of_images_scaled_twice(net, split, recipe, trainer, rng, device):
    def twice(images):
        return to_one(images) / 255

    return learn(net, split, rng.permutation(len(split)), recipe, trainer, device, twice)


all_losses = []


@diagnosed_as("not reset between epochs", "train_epoch")
def epoch_with_a_mean_that_is_never_reset(*arguments):
    all_losses.extend(loss for loss, _ in train.train_epoch(*arguments))
    return numpy.mean(all_losses)


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


def judge_of(normalize):
    """Return an evaluation that normalizes images in its own way, in one batch."""

    def judge(net, split, device):
        scores, y = net(np.array(normalize(split.images), ctx=device)), np.array(split.labels)
        return loss_function(scores, y).mean().item(), correct(scores, y) / len(split)

    return judge


WRONG_TRAINING["evaluate"][judge_of(raw)] = "images on another scale"
WRONG_TRAINING["evaluate"][judge_of(to_one)] = "images on another scale"
WRONG_TRAINING["evaluate"][judge_of(lambda images: 2 * to_one(images) - 1)] = (
    "images on another scale"
)


def judging_with(accuracy, mean_loss):
    """Return an evaluation that counts with these metrics, and never resets them."""

    def judge(net, split, device):
        for scores, y in scores_of(net, split, device):
            accuracy.update(y, scores.argmax(axis=1))
            mean_loss.update(0, loss_function(scores, y).as_nd_ndarray())
        return mean_loss.get()[1], accuracy.get()[1]

    return judge


never_reset_either = judging_with(mx.metric.Accuracy(), mx.metric.Loss())
WRONG_TRAINING["evaluate"][never_reset_either] = "result depends on earlier calls"


def evaluation_that_adds_up(totals):
    def evaluate(net, split, device):
        for scores, y in scores_of(net, split, device):
            totals[0] += loss_function(scores, y).sum().item()
            totals[1] += correct(scores, y)
        return totals[0] / len(split), totals[1] / len(split)

    return evaluate


WRONG_TRAINING["evaluate"][evaluation_that_adds_up([0, 0])] = "result depends on earlier calls"


best_so_far = [numpy.inf, 0]


@diagnosed_as("result depends on earlier calls", "evaluate")
def evaluation_that_keeps_the_best(net, split, device):
    loss, accuracy = train.evaluate(net, split, device)
    best_so_far[:] = min(loss, best_so_far[0]), max(accuracy, best_so_far[1])
    return tuple(best_so_far)


found_before = {}


@diagnosed_as("the same result in every call", "evaluate")
def evaluation_of_the_first_call(net, split, device):
    return found_before.setdefault("result", train.evaluate(net, split, device))


# fit


def own_fit(
    net,
    fashion,
    recipe,
    *,
    seed,
    device,
    epoch=train.train_epoch,
    judge=train.evaluate,
    trainer=None,
    rng=None,
    epochs=None,
):
    """Train with the plain loop, any part of which can be replaced."""
    rng = rng or numpy.random.default_rng(seed)
    steps = recipe.epochs * recipe.steps_per_epoch(fashion.train)
    trainer = trainer or recipe.trainer(net, steps)
    history = []
    for _ in range(epochs or recipe.epochs):
        for _ in epoch(net, fashion.train, recipe, trainer, rng, device):
            pass
        history.append(judge(net, fashion.valid, device))
    return history


def nothing(*_):
    """Stand in for an evaluation that happens elsewhere."""


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
    own_fit(net, fashion, recipe, seed=seed, device=device, judge=nothing)
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


@diagnosed_as("wrong number of epochs", "fit")
def fit_for_an_epoch_too_few(net, fashion, recipe, *, seed, device):
    return own_fit(net, fashion, recipe, seed=seed, device=device, epochs=recipe.epochs - 1)


@diagnosed_as("validation before the training", "fit")
def fit_that_validates_before_the_epoch(net, fashion, recipe, *, seed, device):
    def epoch(*arguments):
        train.evaluate(net, fashion.valid, device)
        return train.train_epoch(*arguments)

    return own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch, judge=nothing)


@diagnosed_as("validation not after each epoch", "fit")
def fit_that_validates_in_the_middle(net, fashion, recipe, *, seed, device):
    def epoch(net, split, recipe, *others):
        for step, result in enumerate(train.train_epoch(net, split, recipe, *others), start=1):
            if step == recipe.steps_per_epoch(split) // 2:
                train.evaluate(net, fashion.valid, device)
            yield result

    return own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch, judge=nothing)


@diagnosed_as("validation not after each epoch", "fit")
def fit_that_validates_on_a_batch(net, fashion, recipe, *, seed, device):
    few = dataclasses.replace(fashion, valid=fashion.valid.first(16))
    return own_fit(net, few, recipe, seed=seed, device=device)


@diagnosed_as("images on two scales", "fit")
def fit_that_validates_on_bytes(net, fashion, recipe, *, seed, device):
    return own_fit(net, fashion, recipe, seed=seed, device=device, judge=judge_of(raw))


@diagnosed_as("images on two scales", "fit")
def fit_that_validates_between_0_and_1(net, fashion, recipe, *, seed, device):
    return own_fit(net, fashion, recipe, seed=seed, device=device, judge=judge_of(to_one))


def own_epoch(normalize):
    """Return an epoch that normalizes images in its own way."""

    def epoch(net, split, recipe, trainer, rng, device):
        order = rng.permutation(len(split))
        return learn(net, split, order, recipe, trainer, device, normalize)

    return epoch


@diagnosed_as("images not normalized", "fit")
def fit_on_bytes(net, fashion, recipe, *, seed, device):
    epoch, judge = own_epoch(raw), judge_of(raw)
    return own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch, judge=judge)


@diagnosed_as("images on two scales", "fit")
def fit_between_0_and_1_alone(net, fashion, recipe, *, seed, device):
    return own_fit(net, fashion, recipe, seed=seed, device=device, epoch=own_epoch(to_one))


@diagnosed_as("network starts again", "fit")
def fit_that_initializes_in_every_epoch(net, fashion, recipe, *, seed, device):
    def epoch(*arguments):
        train.initialize(net, seed=seed, device=device)
        return train.train_epoch(*arguments)

    return own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch)


@diagnosed_as("network starts again", "fit")
def fit_that_initializes_before_it_validates(net, fashion, recipe, *, seed, device):
    def judge(*arguments):
        net.initialize(force_reinit=True)
        return train.evaluate(*arguments)

    return own_fit(net, fashion, recipe, seed=seed, device=device, judge=judge)


@diagnosed_as("network starts again", "fit")
def fit_that_ends_with_the_first_weights(net, fashion, recipe, *, seed, device):
    net.save_parameters("start.params")
    history = own_fit(net, fashion, recipe, seed=seed, device=device)
    net.load_parameters("start.params")
    return history


@diagnosed_as("weights replaced", "fit")
def fit_that_halves_the_weights(net, fashion, recipe, *, seed, device):
    def judge(*arguments):
        result = train.evaluate(*arguments)
        for parameter in net.collect_params().values():
            parameter.set_data(parameter.data() / 2)
        return result

    return own_fit(net, fashion, recipe, seed=seed, device=device, judge=judge)


def with_a_new_trainer(steps):
    """Return a training that makes a trainer for so many steps in each epoch."""

    def fit(net, fashion, recipe, *, seed, device):
        def epoch(net, split, recipe, trainer, *others):
            mine = recipe.trainer(net, steps(recipe, split))
            return train.train_epoch(net, split, recipe, mine, *others)

        return own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch)

    return fit


def of_an_epoch(recipe, split):
    return recipe.steps_per_epoch(split)


def of_all_epochs(recipe, split):
    return recipe.epochs * recipe.steps_per_epoch(split)


WRONG_TRAINING["fit"][with_a_new_trainer(of_an_epoch)] = "momentum lost"
WRONG_TRAINING["fit"][with_a_new_trainer(of_all_epochs)] = "momentum lost"


def with_a_trainer(make):
    """Return a training with one trainer, that `make(net, recipe, split)` makes."""

    def fit(net, fashion, recipe, *, seed, device):
        trainer = make(net, recipe, fashion.train)
        return own_fit(net, fashion, recipe, seed=seed, device=device, trainer=trainer)

    return fit


def planned(steps):
    return with_a_trainer(lambda net, recipe, split: recipe.trainer(net, steps(recipe, split)))


def by(optimizer="nag", **others):
    """Return a training with a trainer by the recipe, but for its optimizer or some settings."""

    def make(net, recipe, split):
        settings = {
            "learning_rate": recipe.learning_rate,
            "momentum": recipe.momentum,
            "wd": recipe.weight_decay,
            "lr_scheduler": recipe.schedule(of_all_epochs(recipe, split)),
            **others,
        }
        return gluon.Trainer(net.collect_params(), optimizer, settings)

    return with_a_trainer(make)


# A part where a total is meant, and other numbers of steps.
WRONG_TRAINING["fit"] |= {
    planned(of_an_epoch): "learning rate zero before the end",
    planned(lambda recipe, split: recipe.epochs): "learning rate zero before the end",
    planned(lambda recipe, split: recipe.batch_size): "learning rate zero before the end",
    planned(lambda recipe, split: recipe.epochs * len(split)): "learning rate not zero at the end",
    planned(lambda recipe, split: recipe.epochs * of_all_epochs(recipe, split)): (
        "learning rate not zero at the end"
    ),
    planned(lambda recipe, split: len(split)): "learning rate not zero at the end",
    by(lr_scheduler=None): "learning rate not zero at the end",
    by(momentum=0.0): "another momentum",
    by(momentum=0.5): "another momentum",
    by(wd=0.0): "another weight decay",
    by(wd=0.01): "another weight decay",
    by("signum"): "wrong direction",
}


@diagnosed_as("another learning rate", "fit")
def fit_that_warms_up_in_every_epoch(net, fashion, recipe, *, seed, device):
    trainer = recipe.trainer(net, of_all_epochs(recipe, fashion.train))
    of_epoch = recipe.schedule(of_an_epoch(recipe, fashion.train))

    def epoch(net, split, recipe, trainer, *others):
        base = recipe.learning_rate
        trainer.optimizer.lr_scheduler = Shifted(of_epoch, base, trainer.optimizer.num_update)
        return train.train_epoch(net, split, recipe, trainer, *others)

    return own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch, trainer=trainer)


class Shifted(mx.lr_scheduler.LRScheduler):
    """A schedule that begins at a later step."""

    def __init__(self, schedule, base, start):
        super().__init__(base)
        self.schedule, self.base, self.start = schedule, base, start

    def __call__(self, step):
        self.schedule.base_lr = self.base
        return self.schedule(step - self.start)


def with_steps(train_step):
    """Return a training that takes its steps with this function."""

    def fit(net, fashion, recipe, *, seed, device):
        def epoch(net, split, recipe, trainer, rng, device):
            for X, y in recipe.batches(split, device, rng):
                yield train_step(net, X, y, trainer)

        return own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch)

    return fit


def step_twice(*arguments):
    train.train_step(*arguments)
    return train.train_step(*arguments)


def step_on_two_batches():
    """Return a step that looks at two batches, but the gradient of the first one is lost."""
    calls = []

    def step(net, X, y, trainer):
        losses_of(net, X, y)
        calls.append(y)
        if len(calls) % 2 == 0:
            trainer.step(len(y))

    return step


WRONG_TRAINING["fit"] |= {
    with_steps(step_of_one): "not divided by the batch size",
    with_steps(step_of_a_mean_by_the_batch_size): "divided by the batch size twice",
    with_steps(step_for_another_batch_size): "wrong step length",
    with_steps(step_with_old_gradients): "gradients accumulated",
    with_steps(step_in_inference_mode): "learns in inference mode",
    with_steps(step_on_two_batches()): "another batch size",
    with_steps(step_twice): "wrong number of epochs",
    with_steps(lambda net, X, y, trainer: losses_of(net, X, y)): "weights do not move",
}


@diagnosed_as("labels shuffled apart from images", "fit")
def fit_with_labels_shuffled_apart(net, fashion, recipe, *, seed, device):
    epoch = epoch_with_labels_shuffled_apart
    return own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch)


@diagnosed_as("images mirrored", "fit")
def fit_on_mirrored_images(net, fashion, recipe, *, seed, device):
    epoch = epoch_of_mirrored_images
    return own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch)


@diagnosed_as("another batch size", "fit")
def fit_in_batches_of_four(net, fashion, recipe, *, seed, device):
    fours = dataclasses.replace(recipe, batch_size=4)
    return own_fit(net, fashion, fours, seed=seed, device=device)


order_of_the_notebook = numpy.random.default_rng(0)


@diagnosed_as("another order for the same seed", "fit")
def fit_with_the_notebooks_generator(net, fashion, recipe, *, seed, device):
    rng = order_of_the_notebook
    return own_fit(net, fashion, recipe, seed=seed, device=device, rng=rng)


@diagnosed_as("the same order for every seed", "fit")
def fit_without_the_seed(net, fashion, recipe, *, seed, device):
    return own_fit(net, fashion, recipe, seed=0, device=device)


@diagnosed_as("not reset between epochs", "fit")
def fit_with_metrics_that_are_not_reset(net, fashion, recipe, *, seed, device):
    judge = judging_with(mx.metric.Accuracy(), mx.metric.Loss())
    return own_fit(net, fashion, recipe, seed=seed, device=device, judge=judge)


@diagnosed_as("not reset between epochs", "fit")
def fit_with_a_training_loss_that_is_not_reset(net, fashion, recipe, *, seed, device):
    losses, curve = [], []

    def epoch(*arguments):
        losses.extend(loss for loss, _ in train.train_epoch(*arguments))
        curve.append(numpy.mean(losses))
        return ()

    own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch)
    return {"loss": numpy.array(curve)}


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


def step_with_metrics_of_its_own(net, X, y, trainer):
    accuracy, mean_loss = mx.metric.Accuracy(), mx.metric.Loss()
    scores, losses = losses_of(net, X, y)
    trainer.step(len(y))
    accuracy.update(y, scores.argmax(axis=1))
    mean_loss.update(0, losses.as_nd_ndarray())
    return mean_loss.get()[1], accuracy.get()[1] * len(y)


def step_on_a_batch_that_it_normalizes(net, X, y, trainer):
    return train.train_step(net, (X - X.mean()) / X.std(), y, trainer)


def evaluation_with_metrics_that_are_reset(net, split, device):
    for metric in never_reset:
        metric.reset()
    return judging_with(*never_reset)(net, split, device)


def fit_of_half_batches(net, fashion, recipe, *, seed, device):
    def epoch(*arguments):
        return [epoch_of_halves(*arguments)]

    return own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch)


def fit_that_yields(net, fashion, recipe, *, seed, device):
    """The caller can draw each epoch as soon as it is over."""
    rng = numpy.random.default_rng(seed)
    trainer = recipe.trainer(net, of_all_epochs(recipe, fashion.train))
    for _ in range(recipe.epochs):
        list(train.train_epoch(net, fashion.train, recipe, trainer, rng, device))
        yield train.evaluate(net, fashion.valid, device)


def own_optimizer(look_ahead, first=1):
    """Return a training that moves the weights itself: Nesterov's momentum, or the plain one."""

    def fit(net, fashion, recipe, *, seed, device):
        rng = numpy.random.default_rng(seed)
        schedule = recipe.schedule(of_all_epochs(recipe, fashion.train))
        velocity, step, history = 0, first, []
        for _ in range(recipe.epochs):
            for X, y in recipe.batches(fashion.train, device, rng):
                losses_of(net, X, y)
                for parameter in net.collect_params().values():
                    weight, rate = parameter.data(), schedule(step)
                    pull = rate * (parameter.grad() / len(y) + recipe.weight_decay * weight)
                    velocity = recipe.momentum * velocity - pull
                    move = recipe.momentum * velocity - pull if look_ahead else velocity
                    parameter.set_data(weight + move)
                step += 1
            history.append(train.evaluate(net, fashion.valid, device))
        return history

    return fit


def fit_that_sets_each_rate(net, fashion, recipe, *, seed, device):
    """The trainer has no schedule of its own."""
    settings = {"momentum": recipe.momentum, "wd": recipe.weight_decay}
    trainer = gluon.Trainer(net.collect_params(), "nag", settings)
    schedule = recipe.schedule(of_all_epochs(recipe, fashion.train))

    def step(net, X, y, trainer):
        trainer.set_learning_rate(schedule(trainer.optimizer.num_update + 1))
        return train.train_step(net, X, y, trainer)

    def epoch(net, split, recipe, trainer, rng, device):
        return [step(net, X, y, trainer) for X, y in recipe.batches(split, device, rng)]

    return own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch, trainer=trainer)


def fit_with_a_loader(net, fashion, recipe, *, seed, device):
    """The last, smaller batch of each epoch is used as well."""
    numpy.random.seed(seed)

    def epoch(net, split, recipe, trainer, rng, device):
        return learn_from_a_loader(net, split, recipe, trainer)

    return own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch)


def whole_batches_and_the_rest(recipe, split):
    return recipe.epochs * math.ceil(len(split) / recipe.batch_size)


def fit_between_0_and_1(net, fashion, recipe, *, seed, device):
    epoch, judge = own_epoch(to_one), judge_of(to_one)
    return own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch, judge=judge)


def fit_with_the_statistics_of_a_split(net, fashion, recipe, *, seed, device):
    judge = judge_of(by_their_own)
    return own_fit(net, fashion, recipe, seed=seed, device=device, judge=judge)


def fit_that_validates_more_often(net, fashion, recipe, *, seed, device):
    """Before the first epoch, in each one, and twice after it."""
    before = train.evaluate(net, fashion.valid, device)

    def epoch(*arguments):
        for result in train.train_epoch(*arguments):
            train.evaluate(net, fashion.valid, device)
            yield result

    def judge(*arguments):
        return train.evaluate(*arguments)[0], train.evaluate(*arguments)[1]

    after = own_fit(net, fashion, recipe, seed=seed, device=device, epoch=epoch, judge=judge)
    return [before, *after]


def fit_that_judges_on_training_images_too(net, fashion, recipe, *, seed, device):
    def judge(*arguments):
        return train.evaluate(net, fashion.train, device), train.evaluate(*arguments)

    return own_fit(net, fashion, recipe, seed=seed, device=device, judge=judge)


def fit_that_keeps_the_best(net, fashion, recipe, *, seed, device):
    """At the end the network has the weights of its best epoch."""
    best = []

    def judge(*arguments):
        loss, accuracy = train.evaluate(*arguments)
        if not best or accuracy > best[0]:
            best[:] = accuracy, loss
            net.save_parameters("best.params")
        return loss, accuracy

    history = own_fit(net, fashion, recipe, seed=seed, device=device, judge=judge)
    net.load_parameters("best.params")
    return pandas.DataFrame(history, columns=["loss", "accuracy"])


def fit_without_a_result(net, fashion, recipe, *, seed, device):
    own_fit(net, fashion, recipe, seed=seed, device=device)


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
        step_with_metrics_of_its_own,
        step_on_a_batch_that_it_normalizes,
    ],
    "train_epoch": [
        train.train_epoch,
        epoch_with_its_own_order,
        epoch_with_a_loader,
        epoch_of_halves,
        own_epoch(to_one),
        own_epoch(by_their_own),
        returning(lambda results: results[0][0]),
        returning(any),
        returning(numpy.array),
        returning(pandas.DataFrame),
    ],
    "evaluate": [
        train.evaluate,
        evaluation_by_counting,
        evaluation_with_metrics_that_are_reset,
        judge_of(by_their_own),
    ],
    "fit": [
        train.fit,
        own_fit,
        fit_that_initializes,
        fit_of_half_batches,
        fit_that_yields,
        own_optimizer(look_ahead=True),
        own_optimizer(look_ahead=False),
        own_optimizer(look_ahead=True, first=0),
        by("sgd"),
        fit_that_sets_each_rate,
        planned(whole_batches_and_the_rest),
        with_steps(step_of_the_mean),
        with_steps(step_with_its_own_loss),
        fit_with_a_loader,
        fit_between_0_and_1,
        fit_with_the_statistics_of_a_split,
        fit_that_validates_more_often,
        fit_that_judges_on_training_images_too,
        fit_that_keeps_the_best,
        fit_without_a_result,
    ],
    "history": [history],
}
