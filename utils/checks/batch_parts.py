"""Checks of a batch in parts, the exercises of notebook 08: `batch_part` and `accumulated_step`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy
from mxnet import gluon, np

from utils.checks import _witness
from utils.checks._ask import Question, ask_all, check_function, short
from utils.checks._report import Mistake, Report
from utils.checks._witness import RATE, Witness, check_as_given

CASES = ((12, 3), (8, 2), (5, 1))  # images in the batch, workers
BATCHES = ((5, 9, 6), (8, 4))  # images in each part
MOMENTUM = 0.9


def batch_part(my_part: Any) -> Report:
    """Check a function `my_part(order, rank, workers)` that returns one worker's images.

    `order` holds the image numbers of a batch, (N,), where N is a multiple of `workers`; `rank`
    counts from 0. Any rule is right that divides the batch into equal parts.
    """
    return ask_all("A worker's part of the batch", BATCH_PART, my_part)


def accumulated_step(function: Any) -> Report:
    """Check a function `accumulated_step(net, parts, trainer)` that takes one step.

    `parts` is a batch in pieces: a list of (X, y), X (N, 1, 28, 28) and y (N,), with different N.
    The step should be that of the whole batch, with one part at a time in the network.
    """
    return ask_all("A step on the parts of a batch", ACCUMULATED_STEP, function)


# A worker's part of the batch


class Cut(NamedTuple):
    """The image numbers of a batch, and the parts that its workers got, by rank."""

    order: list[int]
    parts: list[list[int]]

    @property
    def taken(self) -> list[int]:
        return [number for part in self.parts for number in part]

    @property
    def sets(self) -> list[set[int]]:
        return [set(part) for part in self.parts]

    @property
    def sizes(self) -> list[int]:
        return [len(part) for part in self.parts]

    @property
    def is_right(self) -> bool:
        return sorted(self.taken) == sorted(self.order) and len(set(self.sizes)) == 1


def once(my_part: Callable[..., Any]) -> None:
    """No image goes to two workers."""
    for cut in _cuts(my_part):
        again = len(cut.taken) - len(set(cut.taken))
        if again:
            seen = "Images taken more than once: {count}.".format(count=again)
            raise _wrong_part("images taken twice", cut, seen)


def every_image(my_part: Callable[..., Any]) -> None:
    """Each image goes to a worker."""
    for cut in _cuts(my_part):
        left_out = len(set(cut.order) - set(cut.taken))
        if left_out:
            seen = "Images that no worker takes: {count}.".format(count=left_out)
            raise _wrong_part("images left out", cut, seen)


def equal(my_part: Callable[..., Any]) -> None:
    """All workers get the same number of images, whatever the image numbers are."""
    for cut in _cuts(my_part):
        if len(set(cut.sizes)) == 1:
            continue
        sizes = ", ".join(map(str, cut.sizes))
        if _sizes_depend_on_numbers(my_part, cut):
            raise _wrong_part(
                "chosen by image number, not by place",
                cut,
                "The parts have these sizes: {sizes}. With other image numbers in the batch, the "
                "sizes change.".format(sizes=sizes),
            )
        seen = "The parts have these sizes: {sizes}.".format(sizes=sizes)
        raise _wrong_part("unequal parts", cut, seen)


def _cuts(my_part: Callable[..., Any]) -> Iterator[Cut]:
    """Yield a cut for each case; raise Mistake if one mistake explains the whole cut."""
    check_function(my_part)
    for images, workers in CASES:
        order = _order(images)
        cut = _cut(my_part, order, range(workers))
        _check_numbers(cut)
        if workers > 1 and all(sorted(part) == sorted(cut.parts[0]) for part in cut.parts):
            name = "every worker gets the same part"
            if sorted(cut.parts[0]) == sorted(order):
                name = "every worker gets the whole batch"
            raise _wrong_part(
                name,
                cut,
                "Every worker gets the same {count} images.".format(count=cut.sizes[0]),
            )
        if not cut.is_right and _is_right_from_1(my_part, order, workers):
            raise _wrong_part(
                "rank counted from 1",
                cut,
                "Your function does so only for the ranks 1 to {workers}.".format(workers=workers),
            )
        backwards = _cut(my_part, order, range(workers - 1, -1, -1))  # workers keep no order
        if backwards.sets[::-1] != cut.sets:
            raise _wrong_part(
                "another part in another call",
                cut,
                "Called again with the same batch and the same rank, your function returned other "
                "images.",
            )
        yield cut


def _order(images: int, seed: int = 0) -> list[int]:
    """Return the image numbers of a shuffled batch, all of them larger than any place in it."""
    numbers = numpy.random.default_rng(seed).choice(900, images, replace=False)
    return [int(number) + 100 for number in numbers]


def _cut(my_part: Callable[..., Any], order: Sequence[int], ranks: range) -> Cut:
    parts = [_image_numbers(my_part(numpy.array(order), rank, len(ranks))) for rank in ranks]
    return Cut(list(order), parts)


def _image_numbers(part: Any) -> list[int]:
    with contextlib.suppress(Exception):
        numbers = part.asnumpy() if hasattr(part, "asnumpy") else numpy.asarray(part)
        if numbers.ndim == 1 and (numbers.size == 0 or numbers.dtype.kind in "iu"):
            return [int(number) for number in numbers]
    raise Mistake(
        "no image numbers",
        "The function should return image numbers, (N,), but it returned {part}.".format(
            part=short(part)
        ),
        "The worker finds its images by these numbers.",
        "What does your function return: image numbers, their places, or something to select them?",
    )


def _check_numbers(cut: Cut) -> None:
    foreign = set(cut.taken) - set(cut.order)
    if foreign:
        is_places = max(map(abs, foreign)) < len(cut.order)
        raise _wrong_part(
            "places instead of image numbers" if is_places else "images of another batch",
            cut,
            "Your function returned {number}, which is not in the batch.".format(
                number=min(foreign)
            ),
        )


def _is_right_from_1(my_part: Callable[..., Any], order: Sequence[int], workers: int) -> bool:
    with contextlib.suppress(Exception):
        return _cut(my_part, order, range(1, workers + 1)).is_right
    return False


def _sizes_depend_on_numbers(my_part: Callable[..., Any], cut: Cut) -> bool:
    ranks = range(len(cut.parts))
    others = (_cut(my_part, _order(len(cut.order), seed), ranks) for seed in (1, 2, 3))
    return any(other.sizes != cut.sizes for other in others)


def _wrong_part(name: str, cut: Cut, seen: str) -> Mistake:
    expected = (
        "A batch of {images} images should be divided into {workers} equal parts that share no "
        "image and leave none out."
    ).format(images=len(cut.order), workers=len(cut.parts))
    return Mistake(
        name,
        f"{expected} {seen}",
        "An image that two workers see counts twice in the sum of the gradients, and one that no "
        "worker sees does not count. The step is then no longer that of the batch.",
        "Write down the places 0 to 11 of a batch, and which of them your function gives to the "
        "ranks 0, 1 and 2 of three workers.",
    )


BATCH_PART = (
    Question("once", "Does each image go to only one worker?", once),
    Question("all", "Does each image go to some worker?", every_image),
    Question("equal", "Are the parts equal, whatever the image numbers?", equal),
)


# A step over the parts of a batch


def step(function: Callable[..., Any]) -> None:
    """The weights move as they do for the whole batch: each image counts once."""
    for place, sizes in enumerate(BATCHES):
        net, optimizer = _new()
        _learn(function, net, optimizer, place)
        moved = net.weight_now - net.weight_before
        counts = _counts(moved, _sums(net.weight_before, place), sum(sizes))
        _check_counts(counts, sizes)


def fresh_gradient(function: Callable[..., Any]) -> None:
    """The gradient of the second step contains nothing of the first step's."""
    net, optimizer = _new()
    weights = [net.weight_before]
    for place in range(len(BATCHES)):
        _learn(function, net, optimizer, place)
        weights.append(net.weight_now)
    first, second = numpy.diff(weights, axis=0)
    old = numpy.sum(_sums(weights[0], 0), axis=0)
    images = sum(BATCHES[1])
    *_, of_old = _counts(second - MOMENTUM * first, [*_sums(weights[1], 1), old], images)
    if abs(of_old) > 0.05:
        raise _wrong_step(
            "gradients not set to zero",
            "In the second step, {ratio:.0%} of the first step's gradient was still there.".format(
                ratio=of_old
            ),
        )


def memory(function: Callable[..., Any]) -> None:
    """The network never holds more than one part."""
    check_function(function)
    net = _witness.Memory(_witness.learning())
    function(net, _parts(0), _witness.trainer(net, MOMENTUM))
    allowed, images = max(BATCHES[0]), sum(BATCHES[0])
    if net.most_held <= allowed:
        return
    if net.largest_call > allowed:
        name = "parts put together"
        look = "How many images does the network get in one call?"
    else:
        name = "all parts held until the end"
        look = (
            "When does the backward pass of the first part begin: before the network gets the "
            "second part, or after it got the last one?"
        )
    raise Mistake(
        name,
        "The batch has {images} images in parts of at most {allowed}, but the network held "
        "{held} of them at the same time.".format(
            images=images, allowed=allowed, held=net.most_held
        ),
        "What the network computes for an image stays in memory until its backward pass. A step in "
        "parts is for a device that has room for only one part.",
        look,
    )


def _new() -> tuple[Witness, gluon.Trainer]:
    net = _witness.learning()
    return net, _witness.trainer(net, MOMENTUM)


def _learn(
    function: Callable[..., Any], net: Witness, optimizer: gluon.Trainer, place: int
) -> None:
    """Call the learner's function with a batch; raise Mistake unless the trainer took one step."""
    check_function(function)
    before, weight = optimizer.optimizer.num_update, net.weight_now
    function(net, _parts(place), optimizer)
    check_as_given(net)
    steps = optimizer.optimizer.num_update - before
    if steps == 1:
        return
    if steps:
        raise _wrong_step(
            "a step for each part" if steps == len(BATCHES[place]) else "several steps",
            "For a batch in {parts} parts, the trainer took {steps} steps.".format(
                parts=len(BATCHES[place]), steps=steps
            ),
        )
    if (net.weight_now == weight).all():
        raise _wrong_step("weights do not move", "The weights did not move at all.")
    raise _wrong_step(
        "step without the trainer", "The weights moved, but the trainer took no step."
    )


def _parts(place: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return a batch as a list of (X, y)."""
    return [(_witness.batch(len(labels))[0], np.array(labels)) for _, labels in _contents(place)]


def _contents(place: int) -> list[tuple[numpy.ndarray, numpy.ndarray]]:
    """Return the classes that the images of each part show, and labels that no other part has."""
    contents = []
    for number, size in enumerate(BATCHES[place], start=1 + sum(map(len, BATCHES[:place]))):
        shown = numpy.arange(size)
        contents.append((shown, ((shown + number) % 10).astype("int32")))
    return contents


def _sums(weight: numpy.ndarray, place: int) -> list[numpy.ndarray]:
    """Return the gradient of each part's summed loss."""
    return [
        len(labels) * _witness.gradient(weight, shown, labels) for shown, labels in _contents(place)
    ]


def _counts(moved: numpy.ndarray, sums: Sequence[numpy.ndarray], images: int) -> tuple[float, ...]:
    """Return how often each of the gradients is contained in a step on so many images.

    Solved by least squares; raise Mistake if the step is no sum of them.
    """
    columns = numpy.stack([-RATE / images * gradient.ravel() for gradient in sums], axis=1)
    counts, *_ = numpy.linalg.lstsq(columns, moved.ravel(), rcond=None)
    rest = moved.ravel() - columns @ counts
    if numpy.linalg.norm(rest) > 1e-2 * numpy.linalg.norm(moved):
        raise _wrong_step("wrong direction", "The weights moved in another direction.")
    return tuple(counts)


def _check_counts(counts: Sequence[float], sizes: Sequence[int]) -> None:
    if numpy.allclose(counts, 1, atol=1e-2):
        return
    raise _wrong_step(
        _name(numpy.array(counts), sizes),
        "The parts have these numbers of images: {sizes}. An image in each counts so many times: "
        "{counts}.".format(sizes=_listed(sizes), counts=_listed(counts)),
    )


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{round(number, 2) + 0:g}" for number in numbers)  # + 0 turns -0.0 into 0.0


def _name(counts: numpy.ndarray, sizes: Sequence[int]) -> str:
    """Return the diagnosis, given how often an image of each part counts."""
    used = numpy.flatnonzero(abs(counts) > 1e-2).tolist()
    if len(used) < len(counts):
        alone = {(0,): "first part alone", (len(sizes) - 1,): "last part alone"}
        return alone.get(tuple(used), "parts left out")
    if (counts < 0).all():
        return "step uphill"
    if numpy.ptp(counts) < 1e-2 * counts.max():
        divisors = {
            1: "not divided by the batch size",
            len(sizes): "divided by the number of parts",
            sizes[-1]: "divided by the size of the last part",
        }
        return divisors.get(round(sum(sizes) / counts.mean()), "wrong step length")
    of_parts = counts * sizes
    alike = numpy.ptp(of_parts) < 1e-2 * of_parts.max()
    return "mean of means" if alike else "parts weighted differently"


def _wrong_step(name: str, seen: str) -> Mistake:
    expected = "The step should be that of the whole batch, in which each image counts once."
    return Mistake(
        name,
        f"{expected} {seen}",
        "Only then does a batch in parts give the same training as on a larger device, with the "
        "same learning rate.",
        "Follow the gradient from part to part. What does it hold before the first part, after it, "
        "and after the last? By which number of images is it divided, and how often?",
    )


ACCUMULATED_STEP = (
    Question("step", "Does each image of the batch count once, in one step?", step, 2),
    Question("next step", "Does the next step begin with a gradient of zero?", fresh_gradient),
    Question("memory", "Does the network hold one part at a time?", memory),
)
