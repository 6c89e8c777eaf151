"""The verdict on one question: the numbers of a submission beside those of the solution."""

from __future__ import annotations

import numpy

from grader.frames import Frame

RELATIVE, ABSOLUTE = 1e-3, 1e-4  # float32, summed up in another order


def difference(expected: Frame, given: Frame | None, stopped: str = "") -> str:
    """Return what is wrong with an answer, in a sentence without its inputs, "" if it is right."""
    if given is None:
        return f"Your code gave no answer: {stopped}." if stopped else "Your code gave no answer."
    if given.error:
        return f"Your code raised an error: {given.error}"
    shapes = [array.shape for array in expected.arrays], [array.shape for array in given.arrays]
    if shapes[0] != shapes[1]:
        return f"The shape is {_text(shapes[1])}, and should be {_text(shapes[0])}."
    for right, found in zip(expected.arrays, given.arrays):
        if not numpy.isfinite(found).all():
            return "Some of the numbers are not finite."
        if not numpy.allclose(found, right, rtol=RELATIVE, atol=ABSOLUTE):
            share = numpy.isclose(found, right, rtol=RELATIVE, atol=ABSOLUTE).mean()
            return f"The shape is right, but only {share:.0%} of the numbers are."
    return ""


def _text(shapes: list[tuple[int, ...]]) -> str:
    return " and ".join(str(shape) for shape in shapes) or "missing"
