"""Answers to the exercises of notebook 08: some with one mistake each, and some right ones.

The wrong ones are added to the galleries of `wrong_exercises`.
"""

import itertools

import numpy
from mxnet import autograd, gluon, np
from wrong_exercises import diagnosed_as

from utils.train import loss_function

# my_part(order, rank, workers)


def cut(order, rank, workers, more=0):
    length = len(order) // workers
    return order[rank * length : (rank + 1) * length + more]


@diagnosed_as("images taken twice", "batch_part")
def one_more_from_the_neighbor(order, rank, workers):
    return numpy.append(cut(order, rank, workers), cut(order, (rank + 1) % workers, workers)[:1])


@diagnosed_as("images taken twice", "batch_part")
def drawn_by_each_worker_for_itself(order, rank, workers):
    rng = numpy.random.default_rng(rank)
    return rng.choice(order, len(order) // workers, replace=False)


@diagnosed_as("images left out", "batch_part")
def without_the_last_one(order, rank, workers):
    return cut(order, rank, workers, more=-1)


@diagnosed_as("images left out", "batch_part")
def as_many_images_as_workers(order, rank, workers):
    return order[rank * workers : (rank + 1) * workers]


@diagnosed_as("unequal parts", "batch_part")
def the_last_one_gets_the_rest(order, rank, workers):
    length = len(order) // (workers + 1)
    return order[rank * length : None if rank == workers - 1 else (rank + 1) * length]


@diagnosed_as("every worker gets the same part", "batch_part")
def without_the_rank(order, rank, workers):
    return order[: len(order) // workers]


@diagnosed_as("every worker gets the whole batch", "batch_part")
def in_another_order(order, rank, workers):
    return numpy.roll(order, rank)


@diagnosed_as("rank counted from 1", "batch_part")
def from_rank_1(order, rank, workers):
    return cut(order, rank - 1, workers)


@diagnosed_as("rank counted from 1", "batch_part")
def dealt_from_rank_1(order, rank, workers):
    return order[rank - 1 :: workers]


@diagnosed_as("chosen by image number, not by place", "batch_part")
def by_remainder(order, rank, workers):
    return order[order % workers == rank]


@diagnosed_as("places instead of image numbers", "batch_part")
def places(order, rank, workers):
    return cut(numpy.arange(len(order)), rank, workers)


@diagnosed_as("images of another batch", "batch_part")
def numbers_scaled(order, rank, workers):
    return cut(2 * order, rank, workers)


@diagnosed_as("no image numbers", "batch_part")
def all_parts_at_once(order, rank, workers):
    return order.reshape(workers, -1)


@diagnosed_as("no image numbers", "batch_part")
def where_they_are(order, rank, workers):
    return numpy.arange(len(order)) % workers == rank


calls = itertools.count()


@diagnosed_as("another part in another call", "batch_part")
def counted_by_calls(order, rank, workers):
    return cut(order, next(calls) % workers, workers)


# ring_step_seconds(compute_seconds, gradient_bytes, bytes_per_second, workers)


@diagnosed_as("one trip only", "ring_step_seconds")
def collected_alone(compute, gradient, rate, workers):
    return compute + (workers - 1) * gradient / workers / rate


@diagnosed_as("whole gradient in every round", "ring_step_seconds")
def uncut(compute, gradient, rate, workers):
    return compute + 2 * (workers - 1) * gradient / rate


@diagnosed_as("whole gradient in every round", "ring_step_seconds")
def uncut_on_one_trip(compute, gradient, rate, workers):
    return compute + (workers - 1) * gradient / rate


@diagnosed_as("n rounds instead of n - 1", "ring_step_seconds")
def a_round_for_each_worker(compute, gradient, rate, workers):
    return compute + 2 * gradient / rate


@diagnosed_as("one worker sends to itself", "ring_step_seconds")
def at_least_one_round(compute, gradient, rate, workers):
    return compute + 2 * max(workers - 1, 1) * gradient / workers / rate


@diagnosed_as("sending forgotten", "ring_step_seconds")
def divided_among_them(compute, gradient, rate, workers):
    return compute


@diagnosed_as("compute forgotten", "ring_step_seconds")
def sending_alone(compute, gradient, rate, workers):
    return 2 * (workers - 1) * gradient / workers / rate


@diagnosed_as("compute multiplied by the workers", "ring_step_seconds")
def one_computes_after_the_other(compute, gradient, rate, workers):
    return compute * workers + sending_alone(compute, gradient, rate, workers)


@diagnosed_as("compute divided by the workers", "ring_step_seconds")
def computing_shared(compute, gradient, rate, workers):
    return compute / workers + sending_alone(compute, gradient, rate, workers)


@diagnosed_as("bits taken for bytes", "ring_step_seconds")
def eight_times_the_bytes(compute, gradient, rate, workers):
    return compute + sending_alone(compute, 8 * gradient, rate, workers)


@diagnosed_as("bits taken for bytes", "ring_step_seconds")
def eight_times_the_rate(compute, gradient, rate, workers):
    return compute + sending_alone(compute, gradient, 8 * rate, workers)


@diagnosed_as("wrong result", "ring_step_seconds")
def all_to_one_server(compute, gradient, rate, workers):
    return compute + 2 * workers * gradient / rate


@diagnosed_as("returns something else", "ring_step_seconds")
def with_its_unit(compute, gradient, rate, workers):
    return f"{compute + sending_alone(compute, gradient, rate, workers):.3f} s"


# accumulated_step(net, parts, trainer)


def add_up(net):
    for parameter in net.collect_params().values():
        parameter.grad_req = "add"
        parameter.grad()[:] = 0


def backward(net, X, y, factor=1.0):
    with autograd.record():
        losses = loss_function(net(X), y) * factor
    losses.backward()


def images(parts):
    return sum(len(y) for _, y in parts)


@diagnosed_as("a step for each part", "accumulated_step")
def steps_of_parts(net, parts, trainer):
    for X, y in parts:
        backward(net, X, y)
        trainer.step(len(y))


@diagnosed_as("several steps", "accumulated_step")
def steps_of_images(net, parts, trainer):
    for X, y in parts:
        for place in range(len(y)):
            backward(net, X[place : place + 1], y[place : place + 1])
            trainer.step(1)


@diagnosed_as("last part alone", "accumulated_step")
def overwritten(net, parts, trainer):
    for X, y in parts:
        backward(net, X, y)
    trainer.step(images(parts))


@diagnosed_as("last part alone", "accumulated_step")
def put_to_zero_for_each_part(net, parts, trainer):
    for X, y in parts:
        add_up(net)
        backward(net, X, y)
    trainer.step(images(parts))


@diagnosed_as("first part alone", "accumulated_step")
def first_part(net, parts, trainer):
    backward(net, *parts[0])
    trainer.step(images(parts))


@diagnosed_as("parts left out", "accumulated_step")
def two_halves(net, parts, trainer):
    add_up(net)
    for X, y in parts[:2]:
        backward(net, X, y)
    trainer.step(images(parts))


@diagnosed_as("gradients not set to zero", "accumulated_step")
def added_for_ever(net, parts, trainer):
    for parameter in net.collect_params().values():
        parameter.grad_req = "add"
    for X, y in parts:
        backward(net, X, y)
    trainer.step(images(parts))


def accumulated(net, parts, trainer, count):
    add_up(net)
    for X, y in parts:
        backward(net, X, y)
    trainer.step(count)


@diagnosed_as("divided by the number of parts", "accumulated_step")
def divided_by_parts(net, parts, trainer):
    accumulated(net, parts, trainer, len(parts))


@diagnosed_as("divided by the size of the last part", "accumulated_step")
def divided_by_the_last(net, parts, trainer):
    accumulated(net, parts, trainer, len(parts[-1][1]))


@diagnosed_as("not divided by the batch size", "accumulated_step")
def divided_by_one(net, parts, trainer):
    accumulated(net, parts, trainer, 1)


@diagnosed_as("wrong step length", "accumulated_step")
def divided_as_if_equal(net, parts, trainer):
    accumulated(net, parts, trainer, len(parts) * len(parts[0][1]))


@diagnosed_as("mean of means", "accumulated_step")
def means_of_parts(net, parts, trainer):
    add_up(net)
    for X, y in parts:
        backward(net, X, y, 1 / len(y))
    trainer.step(len(parts))


@diagnosed_as("parts weighted differently", "accumulated_step")
def weighted_by_size_twice(net, parts, trainer):
    add_up(net)
    for X, y in parts:
        backward(net, X, y, len(y) / images(parts))
    trainer.step(1)


@diagnosed_as("step uphill", "accumulated_step")
def uphill(net, parts, trainer):
    add_up(net)
    for X, y in parts:
        backward(net, X, y, -1)
    trainer.step(images(parts))


@diagnosed_as("wrong direction", "accumulated_step")
def with_a_penalty(net, parts, trainer):
    add_up(net)
    for X, y in parts:
        with autograd.record():
            scores = net(X)
            losses = loss_function(scores, y) + (scores**2).sum(axis=1)
        losses.backward()
    trainer.step(images(parts))


@diagnosed_as("weights do not move", "accumulated_step")
def without_a_step(net, parts, trainer):
    add_up(net)
    for X, y in parts:
        backward(net, X, y)


@diagnosed_as("step without the trainer", "accumulated_step")
def by_hand(net, parts, trainer):
    add_up(net)
    for X, y in parts:
        backward(net, X, y)
    for parameter in net.collect_params().values():
        step = trainer.learning_rate / images(parts) * parameter.grad()
        parameter.set_data(parameter.data() - step)


@diagnosed_as("images on another scale", "accumulated_step")
def scaled_again(net, parts, trainer):
    accumulated(net, [(X / 255, y) for X, y in parts], trainer, images(parts))


@diagnosed_as("parts put together", "accumulated_step")
def whole_batch(net, parts, trainer):
    X, y = (np.concatenate(arrays) for arrays in zip(*parts))
    backward(net, X, y)
    trainer.step(len(y))


@diagnosed_as("all parts held until the end", "accumulated_step")
def one_backward_pass(net, parts, trainer):
    with autograd.record():
        losses = [loss_function(net(X), y) for X, y in parts]
    autograd.backward(losses)
    trainer.step(images(parts))


# Right ones


def dealt_like_cards(order, rank, workers):
    return [int(number) for number in order[rank::workers]]


def shuffled_alike(order, rank, workers):
    return np.array(cut(numpy.random.default_rng(0).permutation(order), rank, workers))


def one_round_after_the_other(compute, gradient, rate, workers):
    seconds = compute
    for _ in range(workers - 1):
        seconds += gradient / workers / rate  # collecting
        seconds += gradient / workers / rate  # handing round
    return seconds


def fraction_of_both_trips(compute, gradient, rate, workers):
    return numpy.float64(compute) + 2 * gradient / rate * (1 - 1 / workers)


def with_sums_of_its_own(net, parts, trainer):
    parameters = list(net.collect_params().values())
    sums = [np.zeros(parameter.shape) for parameter in parameters]
    for X, y in parts:
        backward(net, X, y)
        sums = [total + parameter.grad() for total, parameter in zip(sums, parameters)]
    for total, parameter in zip(sums, parameters):
        parameter.grad()[:] = total
    trainer.step(images(parts))


def with_weighted_means(net, parts, trainer):
    add_up(net)
    mean = gluon.loss.SoftmaxCrossEntropyLoss()
    for X, y in parts:
        with autograd.record():
            loss = mean(net(X), y).mean() * len(y) / images(parts)
        loss.backward()
    trainer.step(1)


def image_by_image(net, parts, trainer):
    add_up(net)
    for X, y in parts:
        for place in range(len(y)):
            backward(net, X[place : place + 1], y[place : place + 1])
    trainer.step(images(parts))
    for parameter in net.collect_params().values():
        parameter.grad_req = "write"


def with_zeros_at_the_end(net, parts, trainer):
    net.collect_params().setattr("grad_req", "add")
    for X, y in parts:
        net(X)  # to look at the scores, without a gradient
        backward(net, X, y)
    trainer.allreduce_grads()
    trainer.update(images(parts))
    for parameter in net.collect_params().values():
        parameter.grad()[:] = 0


RIGHT_SCALING = {
    "batch_part": [dealt_like_cards, shuffled_alike],
    "ring_step_seconds": [one_round_after_the_other, fraction_of_both_trips],
    "accumulated_step": [
        with_sums_of_its_own,
        with_weighted_means,
        image_by_image,
        with_zeros_at_the_end,
    ],
}
