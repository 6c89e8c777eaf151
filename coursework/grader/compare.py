"""The verdict on one question: the numbers of a submission beside those of the solution.

What is said here reaches the student. It holds no number that the question was asked with, and no
text that the submission wrote.
"""

from __future__ import annotations

import builtins

import numpy

from grader import ready_made
from jailed.frames import Frame

RELATIVE, ABSOLUTE = 1e-3, 1e-4  # float32, summed up in another order

KNOWN_ERRORS = {
    "EndlessError": "Your code did not come to an end.",
    "MissingError": "Your code ends before it defines what was asked for, or names it differently.",
    "NotImplementedError": "There is no answer yet: the code raises NotImplementedError.",
    ready_made.ERROR: "Your code uses a ready-made network or training. They are taken out while "
    "answers are graded: write it yourself.",
}


def unanswered(given: Frame | None, stopped: str = "") -> str:
    """Return why there are no numbers to compare, in a sentence; "" where there are."""
    if given is None:
        return f"Your code gave no answer: {stopped}." if stopped else "Your code gave no answer."
    if given.error in KNOWN_ERRORS:
        return KNOWN_ERRORS[given.error]
    if given.error:
        return f"Your code raised {error_name(given.error)}."
    if not all(numpy.isfinite(array).all() for array in given.arrays):
        return "Some of the numbers are not finite."
    return ""


def difference(expected: Frame, given: Frame) -> str:
    """Return how outputs differ from those of the solution, in a sentence; "" if they do not."""
    return _difference(expected, given, RELATIVE, ABSOLUTE)


def inequality(expected: Frame, given: Frame) -> str:
    """The same for whole numbers, of which each is right or wrong."""
    return _difference(expected, given, 0, 0)


def _difference(expected: Frame, given: Frame, relative: float, absolute: float) -> str:
    shapes = [array.shape for array in expected.arrays], [array.shape for array in given.arrays]
    if shapes[0] != shapes[1]:
        return "The result has another shape than it should have."
    right, found = (
        numpy.concatenate([array.ravel() for array in frame.arrays]) for frame in (expected, given)
    )
    close = numpy.isclose(found, right, rtol=relative, atol=absolute)
    if close.all():
        return ""
    if close.size == 1:
        return "It is another number."
    if close.mean() < 0.01:
        return "None of the numbers is right, or hardly any."
    return f"Only {numpy.floor(100 * close.mean()):.0f}% of the numbers are right."


def error_name(name: str) -> str:
    """The name of a kind of error that everybody has, or words: it is not a place for messages."""
    kind = getattr(builtins, name, None)
    is_known = isinstance(kind, type) and issubclass(kind, BaseException)
    return name if is_known or name == "MXNetError" else "an error"
