"""The questions asked of a function that cuts a worker's part out of a batch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy

from utils.checks._ask import Question, ask_all, check_function, short
from utils.checks._report import Mistake, Report

CASES = ((12, 3), (8, 2), (5, 1))  # images in the batch, workers


def batch_part(my_part: Any) -> Report:
    """Question a function `my_part(order, rank, workers)` that returns one worker's images.

    `order` holds the image numbers of a batch, (N,), where N is a multiple of `workers`; `rank`
    counts from 0. Any rule is right whose parts are equal and together the batch.
    """
    return ask_all("A worker's part of the batch", QUESTIONS, my_part)


class Cut(NamedTuple):
    """The image numbers of a batch, and the parts that its workers got, rank 0 first."""

    order: list[int]
    parts: list[list[int]]

    @property
    def taken(self) -> list[int]:
        return [number for part in self.parts for number in part]

    @property
    def sizes(self) -> list[int]:
        return [len(part) for part in self.parts]

    @property
    def is_right(self) -> bool:
        return sorted(self.taken) == sorted(self.order) and len(set(self.sizes)) == 1


def once(my_part: Callable[..., Any]) -> None:
    """No image is taken by two workers."""
    for cut in _cuts(my_part):
        twice = len(cut.taken) - len(set(cut.taken))
        if twice:
            raise _part("images taken twice", cut, f"{twice} images are taken more than once")


def every_image(my_part: Callable[..., Any]) -> None:
    """Each image is taken by a worker."""
    for cut in _cuts(my_part):
        left = len(set(cut.order) - set(cut.taken))
        if left:
            raise _part("images left out", cut, f"nobody takes {left} of them")


def equal(my_part: Callable[..., Any]) -> None:
    """All workers get equally many images, whatever numbers these have."""
    for cut in _cuts(my_part):
        if len(set(cut.sizes)) > 1:
            sizes = f"the parts have {', '.join(map(str, cut.sizes))} images"
            if _sizes_change_with_the_numbers(my_part, cut):
                raise _part(
                    "chosen by the numbers, not by their places",
                    cut,
                    f"{sizes}, and with other numbers in the batch they have other sizes",
                )
            raise _part("unequal parts", cut, sizes)


def _cuts(my_part: Callable[..., Any]) -> Iterator[Cut]:
    """Yield a cut for each case; raise Mistake where the whole cut rests on a mistake."""
    check_function(my_part)
    for images, workers in CASES:
        order = _order(images)
        cut = _cut(my_part, order, range(workers))
        _check_numbers(cut)
        if workers > 1 and all(sorted(part) == sorted(cut.parts[0]) for part in cut.parts):
            name = "everyone gets the same part"
            if sorted(cut.parts[0]) == sorted(order):
                name = "everyone gets the whole batch"
            raise _part(name, cut, f"every worker gets the same {cut.sizes[0]} images")
        if not cut.is_right and _is_right_from_1(my_part, order, workers):
            raise _part(
                "rank counted from 1", cut, f"it is so only for the ranks from 1 to {workers}"
            )
        yield cut


def _order(images: int, seed: int = 0) -> list[int]:
    """Return image numbers of a shuffled batch, all of them larger than any place in it."""
    numbers = numpy.random.default_rng(seed).choice(900, images, replace=False)
    return [int(number) + 100 for number in numbers]


def _cut(my_part: Callable[..., Any], order: Sequence[int], ranks: range) -> Cut:
    parts = [_listed(my_part(numpy.array(order), rank, len(ranks))) for rank in ranks]
    return Cut(list(order), parts)


def _listed(part: Any) -> list[int]:
    with contextlib.suppress(Exception):
        numbers = part.asnumpy() if hasattr(part, "asnumpy") else numpy.asarray(part)
        if numbers.ndim == 1 and (numbers.size == 0 or numbers.dtype.kind in "iu"):
            return [int(number) for number in numbers]
    raise Mistake(
        "no image numbers",
        f"A row of image numbers was expected, but this came: {short(part)}.",
        "The worker looks for its images by these numbers.",
        "What does your function return: image numbers, their places, or something to pick them?",
    )


def _check_numbers(cut: Cut) -> None:
    foreign = set(cut.taken) - set(cut.order)
    if foreign:
        is_places = max(map(abs, foreign)) < len(cut.order)
        raise _part(
            "places in place of image numbers" if is_places else "images of another batch",
            cut,
            f"the number {min(foreign)} came, which is not in the batch",
        )


def _is_right_from_1(my_part: Callable[..., Any], order: Sequence[int], workers: int) -> bool:
    with contextlib.suppress(Exception):
        return _cut(my_part, order, range(1, workers + 1)).is_right
    return False


def _sizes_change_with_the_numbers(my_part: Callable[..., Any], cut: Cut) -> bool:
    ranks = range(len(cut.parts))
    others = (_cut(my_part, _order(len(cut.order), seed), ranks) for seed in (1, 2, 3))
    return any(other.sizes != cut.sizes for other in others)


def _part(name: str, cut: Cut, seen: str) -> Mistake:
    return Mistake(
        name,
        f"A batch of {len(cut.order)} images should be cut into {len(cut.parts)} equal parts that "
        f"share no image and are together the batch, but {seen}.",
        "An image that two workers see counts twice in the sum of the gradients, and one that "
        "nobody sees does not count: the step is not that of the batch any more.",
        "Write down the places 0 to 11 of a batch, and those that rank 0, 1 and 2 of three workers "
        "get from your function.",
    )


QUESTIONS = (
    Question("once", "Does each image go to one worker alone?", once),
    Question("all", "Does each image go to some worker?", every_image),
    Question("equal", "Are the parts equal, whatever the numbers?", equal),
)
