"""What comes out of the jail is read as numbers, or not at all."""

import struct

import numpy
import pytest

from jailed import frames

ARRAYS = [numpy.arange(6.0).reshape(2, 3), numpy.array(7.0), numpy.zeros((0, 4))]


def test_arrays_and_errors_come_back():
    found = frames.read(frames.write(3, ARRAYS) + frames.write(5, error="no such layer"), {3, 5})
    assert [array.tolist() for array in found[3].arrays] == [array.tolist() for array in ARRAYS]
    assert found[5].error == "no such layer"
    assert found.keys() == {3, 5}


def test_of_two_answers_to_a_question_the_first_counts():
    answers = frames.write(1, [numpy.ones(1)]) + frames.write(1, [numpy.zeros(1)])
    assert frames.read(answers, {1})[1].arrays[0].tolist() == [1.0]


def test_nothing_behind_an_answer_to_a_question_that_was_not_asked_is_read():
    answers = b"".join(frames.write(number) for number in (1, 7, 2))
    assert frames.read(answers, {1, 2}).keys() == {1}


HUGE = struct.pack("<I3I", 3, 2**31, 2**31, 2**31)
HEAD = frames.HEAD.pack


@pytest.mark.parametrize(
    "forged",
    [
        b"",
        b"passed: 100%",
        b"\x80\x04\x95" + bytes(50),  # a pickle
        HEAD(b"RNF1", 2, 0, 1) + HUGE,
        HEAD(b"RNF1", 2, 0, 2**32 - 1),
        HEAD(b"RNF1", 2, 2**31, 0),
        HEAD(b"RNF1", 2, 0, 1) + struct.pack("<I", 2**20),
        HEAD(b"RNF0", 2, 0, 0),
        frames.write(2, ARRAYS)[:-1],
    ],
    ids=lambda forged: str(forged[:12]),
)
def test_what_is_forged_or_cut_short_is_not_read(forged):
    """What was whole before it is."""
    assert frames.read(frames.write(1, ARRAYS) + forged, {1, 2}).keys() == {1}
