"""The verdict on one question."""

import re

import numpy
import pytest

from grader.compare import difference
from grader.frames import Frame

RIGHT = Frame(0, arrays=[numpy.linspace(0, 1, 12).reshape(3, 4), numpy.array(5.0)])


def changed(first):
    return Frame(0, arrays=[first, numpy.array(5.0)])


@pytest.mark.parametrize("factor", [1, 1 + 1e-5])
def test_the_same_numbers_are_right(factor):
    assert difference(RIGHT, changed(RIGHT.arrays[0] * factor)) == ""


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, "no answer"),
        (Frame(0, error="KeyError: 'conv9'"), "raised an error: KeyError"),
        (Frame(0), r"missing, and should be \(3, 4\)"),
        (changed(RIGHT.arrays[0].T), r"\(4, 3\) and \(\)"),
        (changed(RIGHT.arrays[0] * 2), "only 8% of the numbers"),
        (changed(RIGHT.arrays[0] * numpy.nan), "not finite"),
        (changed(RIGHT.arrays[0] * numpy.inf), "not finite"),
    ],
)
def test_a_wrong_answer_is_told_in_a_sentence(given, sentence):
    assert re.search(sentence, difference(RIGHT, given))


def test_no_answer_comes_with_what_stopped_it():
    assert "within 60 seconds" in difference(RIGHT, None, "it did not end within 60 seconds")
