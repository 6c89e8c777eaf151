"""Check how a batch is divided, `batch_part`: notebook 08."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy

from utils.checks._ask import Question, ask_all, check_function, short
from utils.checks._report import Mistake, Report

CASES = ((12, 3), (8, 2), (5, 1))  # images in the batch, workers


def batch_part(my_part: Any) -> Report:
    """Check a function `my_part(order, rank, workers)` that returns one worker's images.

    `order` holds the image numbers of a batch, (N,), where N is a multiple of `workers`; `rank`
    counts from 0. Any rule is right that divides the batch into equal parts.
    """
    return ask_all("A worker's part of the batch", BATCH_PART, my_part)


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
