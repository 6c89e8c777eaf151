"""Answers to the exercises of notebooks 08 and 09: some with one mistake each, and some right ones.

The wrong ones are added to the galleries of `wrong_exercises`.
"""

import itertools

import numpy
from mxnet import np
from wrong_exercises import diagnosed_as

from utils import data

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


# seconds_per_step(compute_seconds, gradient_bytes, bytes_per_second, workers, servers=1)


def with_servers(compute, gradient, rate, workers, servers=1, ways=2):
    return compute + ways * gradient * max(1, workers / servers) / rate * (workers > 1)


@diagnosed_as("one worker sends to a server", "seconds_per_step")
def also_alone(compute, gradient, rate, workers, servers=1):
    return compute + 2 * gradient * max(1, workers / servers) / rate


@diagnosed_as("one way only", "seconds_per_step")
def sums_come_at_once(compute, gradient, rate, workers, servers=1):
    return with_servers(compute, gradient, rate, workers, servers, ways=1)


@diagnosed_as("one gradient arrives", "seconds_per_step")
def as_if_each_had_a_server(compute, gradient, rate, workers, servers=1):
    return with_servers(compute, gradient, rate, workers, workers)


@diagnosed_as("one gradient arrives", "seconds_per_step")
def one_server_has_a_line_for_each(compute, gradient, rate, workers, servers=1):
    return with_servers(compute, gradient, rate, workers, workers if servers == 1 else servers)


@diagnosed_as("servers left out", "seconds_per_step")
def always_one_server(compute, gradient, rate, workers, servers=1):
    return with_servers(compute, gradient, rate, workers)


@diagnosed_as("multiplied by the servers", "seconds_per_step")
def upside_down(compute, gradient, rate, workers, servers=1):
    multiplied = workers * servers if servers < workers else 1
    return compute + 2 * gradient * multiplied / rate * (workers > 1)


@diagnosed_as("a worker's own line left out", "seconds_per_step")
def only_the_servers_line(compute, gradient, rate, workers, servers=1):
    return compute + 2 * gradient * workers / servers / rate * (workers > 1)


@diagnosed_as("sending forgotten", "seconds_per_step")
def nothing_is_sent(compute, gradient, rate, workers, servers=1):
    return compute


@diagnosed_as("computing forgotten", "seconds_per_step")
def only_what_is_sent(compute, gradient, rate, workers, servers=1):
    return with_servers(0 if workers > 1 else compute, gradient, rate, workers, servers)


@diagnosed_as("computing multiplied by the workers", "seconds_per_step")
def workers_take_turns(compute, gradient, rate, workers, servers=1):
    return with_servers(compute * workers, gradient, rate, workers, servers)


@diagnosed_as("computing divided by the workers", "seconds_per_step")
def workers_share_computing(compute, gradient, rate, workers, servers=1):
    return with_servers(compute / workers, gradient, rate, workers, servers)


@diagnosed_as("bits taken for bytes", "seconds_per_step")
def in_bits(compute, gradient, rate, workers, servers=1):
    return with_servers(compute, 8 * gradient, rate, workers, servers)


@diagnosed_as("bits taken for bytes", "seconds_per_step")
def line_in_bits(compute, gradient, rate, workers, servers=1):
    return with_servers(compute, gradient, 8 * rate, workers, servers)


@diagnosed_as("returns something else", "seconds_per_step")
def all_three_parts(compute, gradient, rate, workers, servers=1):
    return compute, gradient / rate, gradient / rate


# torch_name(name)


def renamed(name, **names):
    place, dot, last = name.rpartition(".")
    return place + dot + names.get(last, last)


@diagnosed_as("scale not renamed", "torch_name")
def names_as_they_are(name):
    return name


@diagnosed_as("scale not renamed", "torch_name")
def shift_alone_in_the_stem(name):
    return renamed(name, beta="bias", gamma="gamma" if name.startswith("stem.") else "weight")


@diagnosed_as("shift not renamed", "torch_name")
def scale_alone(name):
    return renamed(name, gamma="weight")


@diagnosed_as("renamed in the whole name", "torch_name")
def replaced_everywhere(name):
    return name.replace("gamma", "weight").replace("beta", "bias")


@diagnosed_as("translated the other way", "torch_name")
def both_ways(name):
    return renamed(name, gamma="weight", beta="bias", bias="beta")


@diagnosed_as("wrong result", "torch_name")
def statistics_spelled_out(name):
    return renamed(name, gamma="weight", beta="bias", running_var="running_variance")


@diagnosed_as("returns something else", "torch_name")
def in_parts(name):
    return renamed(name, gamma="weight", beta="bias").split(".")


# running_variance(old, numbers, correction)


@diagnosed_as("divided by n - 1", "running_variance")
def always_unbiased(old, numbers, correction):
    return 0.9 * old + 0.1 * numbers.var(ddof=1)


@diagnosed_as("divided by n", "running_variance")
def always_biased(old, numbers, correction):
    return 0.9 * old + 0.1 * numbers.var()


@diagnosed_as("old and new have changed places", "running_variance")
def as_pytorch_counts(old, numbers, correction):
    return 0.1 * old + 0.9 * numbers.var(ddof=correction)


@diagnosed_as("standard deviation in place of the variance", "running_variance")
def root_taken(old, numbers, correction):
    return 0.9 * old + 0.1 * numbers.std(ddof=correction)


@diagnosed_as("sum not divided", "running_variance")
def not_divided(old, numbers, correction):
    return 0.9 * old + 0.1 * ((numbers - numbers.mean()) ** 2).sum()


@diagnosed_as("old one forgotten", "running_variance")
def new_alone(old, numbers, correction):
    return numbers.var(ddof=correction)


@diagnosed_as("wrong result", "running_variance")
def mean_not_subtracted(old, numbers, correction):
    return 0.9 * old + 0.1 * (numbers**2).sum() / (len(numbers) - correction)


@diagnosed_as("returns something else", "running_variance")
def one_for_each_number(old, numbers, correction):
    return 0.9 * old + 0.1 * (numbers - numbers.mean()) ** 2


# network_input(images)


def normal(images, mean=data.MEAN, deviation=data.STD):
    return ((images[:, None] / 255 - mean) / deviation).astype("float32")


@diagnosed_as("axis of the channels forgotten", "network_input")
def without_channels(images):
    return normal(images)[:, 0]


@diagnosed_as("channels last", "network_input")
def channels_at_the_end(images):
    return normal(images)[:, 0, :, :, None]


@diagnosed_as("images taken for channels", "network_input")
def one_image_of_many_channels(images):
    return normal(images)[None, :, 0]


@diagnosed_as("another shape", "network_input")
def flattened(images):
    return normal(images).reshape(len(images), -1)


@diagnosed_as("another type of numbers", "network_input")
def in_float64(images):
    return (images[:, None] / 255 - data.MEAN) / data.STD


@diagnosed_as("not divided by 255", "network_input")
def bytes_normalized(images):
    return ((images[:, None] - data.MEAN) / data.STD).astype("float32")


@diagnosed_as("not normalized", "network_input")
def between_0_and_1(images):
    return normal(images, mean=0, deviation=1)


@diagnosed_as("mean and deviation have changed places", "network_input")
def the_other_way_round(images):
    return normal(images, mean=data.STD, deviation=data.MEAN)


@diagnosed_as("not divided by the deviation", "network_input")
def mean_alone(images):
    return normal(images, deviation=1)


@diagnosed_as("order of the operations", "network_input")
def without_parentheses(images):
    return (images[:, None] / 255 - data.MEAN / data.STD).astype("float32")


@diagnosed_as("other numbers", "network_input")
def by_its_own_mean(images):
    return normal(images, mean=images.mean() / 255)


@diagnosed_as("no array of numpy", "network_input")
def as_an_array_of_mxnet(images):
    return np.array(normal(images))


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


def case_by_case(compute, gradient, rate, workers, servers=1):
    if workers < 2:
        return compute
    busiest = gradient if servers >= workers else workers * gradient / servers
    return compute + busiest / rate + busiest / rate


def slower_of_both_lines(compute, gradient, rate, workers, servers=1):
    ways = [0] if workers == 1 else [gradient, workers * gradient / servers]
    return numpy.float64(compute + 2 * max(ways) / rate)


def by_its_end(name):
    for gluon, torch in ((".gamma", ".weight"), (".beta", ".bias")):
        if name.endswith(gluon):
            name = name[: -len(gluon)] + torch
    return name


def by_its_parts(name):
    *place, last = name.split(".")
    return ".".join([*place, {"gamma": "weight", "beta": "bias"}.get(last) or last])


def by_hand(old, numbers, correction):
    mean = sum(numbers) / len(numbers)
    squares = sum((number - mean) ** 2 for number in numbers)
    return old + 0.1 * (squares / (len(numbers) - correction) - old)


def image_by_image(images):
    return numpy.stack([normal(image[None])[0] for image in images])


RIGHT_SCALING = {
    "batch_part": [dealt_like_cards, shuffled_alike],
    "ring_step_seconds": [one_round_after_the_other, fraction_of_both_trips],
    "seconds_per_step": [case_by_case, slower_of_both_lines],
    "torch_name": [by_its_end, by_its_parts],
    "running_variance": [by_hand],
    "network_input": [image_by_image],
}
