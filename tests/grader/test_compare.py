"""The verdict on one question."""

import numpy
import pytest

from grader.compare import difference, inequality, unanswered
from jailed.frames import Frame

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
        (Frame(0, error="KeyError"), "raised KeyError"),
        (Frame(0, error="SystemExit"), "raised SystemExit"),
        (Frame(0, error="MXNetError"), "raised MXNetError"),
        (Frame(0, error="Height40487"), "raised an error"),
        (Frame(0, error="print"), "raised an error"),
        (Frame(0, error="EndlessError"), "did not come to an end"),
        (Frame(0, error="MissingError"), "ends before it defines"),
        (changed(RIGHT.arrays[0] * numpy.nan), "not finite"),
        (changed(RIGHT.arrays[0] + numpy.inf), "not finite"),
    ],
)
def test_what_cannot_be_compared_is_told_in_a_sentence(given, sentence):
    assert sentence in unanswered(given)


def test_no_answer_comes_with_what_stopped_it():
    assert "within 60 seconds" in unanswered(None, "it did not end within 60 seconds")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (Frame(0), "another shape"),
        (changed(RIGHT.arrays[0].T), "another shape"),
        (changed(RIGHT.arrays[0] * 2), "Only 15% of the numbers"),
        (Frame(0, arrays=[numpy.full((3, 4), 9.0), numpy.array(9.0)]), "None of the numbers"),
        (changed(RIGHT.arrays[0] + numpy.eye(3, 4) / 99), "Only 76% of the numbers"),
    ],
)
def test_a_difference_is_told_without_a_number_that_was_asked_with(given, sentence):
    assert sentence in difference(RIGHT, given)


def test_whole_numbers_have_no_tolerance():
    right, near = (Frame(0, arrays=[numpy.array(count)]) for count in (11_178_378.0, 11_178_379.0))
    assert difference(right, near) == ""
    assert inequality(right, near) == "It is another number."
    assert inequality(right, right) == ""
