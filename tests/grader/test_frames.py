"""Frames from the jail are read as numbers and short texts, or not at all."""

import struct
from math import prod

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jailed import frames
from jailed.frames import Frame

ARRAYS = [numpy.arange(6.0).reshape(2, 3), numpy.array(7.0), numpy.zeros((0, 4))]
ASKED = range(8)


def equal(first, second):
    """Whether two frames hold the same, bit for bit."""
    return (first.item, first.error, first.text) == (second.item, second.error, second.text) and [
        (array.shape, array.tobytes()) for array in first.arrays
    ] == [(array.shape, array.tobytes()) for array in second.arrays]


def test_arrays_texts_and_errors_come_back():
    sent = [
        Frame(3, arrays=ARRAYS),
        Frame(4, text="no shortcut"),
        Frame(5, error="no such layer"),
    ]
    found = frames.read(b"".join(map(frames.write, sent)), {3, 4, 5})
    assert found.keys() == {3, 4, 5}
    assert all(equal(found[frame.item], frame) for frame in sent)


def test_long_texts_are_cut():
    (found,) = frames.read(frames.write(Frame(1, error="é" * 99, text="x" * 999)), {1}).values()
    assert found.error == "é" * 50
    assert found.text == "x" * 100


def test_of_two_answers_to_an_item_the_first_counts():
    answers = [frames.write(Frame(1, arrays=[make(1)])) for make in (numpy.ones, numpy.zeros)]
    assert frames.read(b"".join(answers), {1})[1].arrays[0].tolist() == [1.0]


def test_reading_stops_at_an_answer_to_an_item_that_was_not_asked():
    answers = b"".join(frames.write(Frame(number)) for number in (1, 7, 2))
    assert frames.read(answers, {1, 2}).keys() == {1}


HUGE = struct.pack("<I3I", 3, 2**31, 2**31, 2**31)
EMPTY_AND_HUGE = struct.pack("<I8I", 8, 0, *7 * [2**32 - 1])
HEAD = frames.HEAD.pack


@pytest.mark.parametrize(
    "forged",
    [
        b"",
        b"passed: 100%",
        b"\x80\x04\x95" + bytes(50),  # a pickle
        HEAD(b"RNF2", 2, 0, 0, 1) + HUGE,
        HEAD(b"RNF2", 2, 0, 0, 1) + EMPTY_AND_HUGE,
        HEAD(b"RNF2", 2, 0, 0, 2**32 - 1),
        HEAD(b"RNF2", 2, 2**31, 0, 0),
        HEAD(b"RNF2", 2, 0, 2**31, 0),
        HEAD(b"RNF2", 2, 0, 0, 1) + struct.pack("<I", 2**20),
        HEAD(b"RNF1", 2, 0, 0, 0),
        frames.write(Frame(2, arrays=ARRAYS))[:-1],
    ],
    ids=lambda forged: str(forged[:12]),
)
def test_a_forged_or_truncated_frame_is_not_read(forged):
    """Complete frames before it are."""
    found = frames.read(frames.write(Frame(1, arrays=ARRAYS)) + forged, {1, 2})
    assert found.keys() == {1}


# Properties


def any_bits(shape, seed):
    """An array whose bits are random: infinities and NaNs too."""
    return numpy.frombuffer(numpy.random.default_rng(seed).bytes(8 * prod(shape))).reshape(shape)


ANY_ARRAY = st.builds(
    any_bits, st.lists(st.integers(0, 2), max_size=frames.MOST_AXES), st.integers(0, 9)
)
SHORT = st.text(st.characters(codec="utf-8"), max_size=frames.LONGEST_TEXT // 4)
ANY_FRAMES = st.lists(
    st.builds(
        Frame,
        st.sampled_from(ASKED),
        error=SHORT,
        text=SHORT,
        arrays=st.lists(ANY_ARRAY, max_size=3),
    ),
    max_size=3,
    unique_by=lambda frame: frame.item,
)
# Bytes that get past the first checks: heads with the right magic, and small numbers.
SMALL = st.integers(0, 9) | st.integers(0, 2**32 - 1)
NEARLY = st.lists(
    st.builds(HEAD, st.just(frames.MAGIC), SMALL, SMALL, SMALL, SMALL)
    | st.lists(SMALL, max_size=9).map(lambda numbers: struct.pack(f"<{len(numbers)}I", *numbers))
    | st.binary(max_size=30),
    max_size=6,
).map(b"".join)


def assert_harmless(found, length):
    """Frames from `length` untrusted bytes are within all limits."""
    assert found.keys() <= set(ASKED)
    for item, frame in found.items():
        assert frame.item == item
        assert max(len(frame.error), len(frame.text)) <= frames.LONGEST_TEXT
        assert len(frame.arrays) <= frames.MOST_ARRAYS
        for array in frame.arrays:
            assert array.dtype == "<f8"
            assert array.ndim <= frames.MOST_AXES
    assert sum(array.nbytes for frame in found.values() for array in frame.arrays) <= length


@given(st.binary(max_size=300) | NEARLY)
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_harmless_frames_or_none(result):
    assert_harmless(frames.read(result, ASKED), len(result))


@given(ANY_FRAMES)
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read(sent):
    found = frames.read(b"".join(map(frames.write, sent)), ASKED)
    assert len(found) == len(sent)
    assert all(equal(found[frame.item], frame) for frame in sent)


@given(ANY_FRAMES, st.data())
@settings(max_examples=50, deadline=None)
def test_of_a_truncated_result_the_complete_frames_are_read(sent, data):
    parts = [frames.write(frame) for frame in sent]
    length = data.draw(st.integers(0, len(b"".join(parts))))
    found = frames.read(b"".join(parts)[:length], ASKED)
    complete = [i for i in range(len(parts)) if len(b"".join(parts[: i + 1])) <= length]
    assert found.keys() == {sent[i].item for i in complete}
    assert all(equal(found[sent[i].item], sent[i]) for i in complete)


@given(ANY_FRAMES.filter(bool), st.data())
@settings(max_examples=80, deadline=None)
def test_one_changed_byte_is_refused_or_harmless(sent, data):
    """Frames before it are read as they were sent."""
    parts = [frames.write(frame) for frame in sent]
    changed = bytearray(b"".join(parts))
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] ^= data.draw(st.integers(1, 255))
    found = frames.read(bytes(changed), ASKED)
    assert_harmless(found, len(changed))
    for i, frame in enumerate(sent):
        if len(b"".join(parts[: i + 1])) <= place:
            assert equal(found[frame.item], frame)
