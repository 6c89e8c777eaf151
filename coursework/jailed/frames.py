"""What comes out of the jail: frames of plain numbers, never objects.

A frame is the number of a question, the name of an error or none, and arrays of float64. Whoever
writes them is not trusted: a frame that is not whole, or too long, ends the reading.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

import numpy

HEAD = struct.Struct("<4sIII")  # magic, question, bytes of the name of the error, number of arrays
MAGIC = b"RNF1"
LONGEST_ERROR = 100  # bytes
MOST_ARRAYS = 50
MOST_AXES = 8
# In place of a question: the worker has started; the code has been executed.
STARTED, READY = 2**32 - 2, 2**32 - 1


@dataclass
class Frame:
    """The answer to one question: arrays, or the name of an error."""

    question: int
    error: str = ""
    arrays: list[numpy.ndarray] = field(default_factory=list)


def write(question: int, arrays: Sequence[numpy.ndarray] = (), error: str = "") -> bytes:
    """Return the bytes of a frame."""
    text = error.encode("utf-8", "replace")[:LONGEST_ERROR]
    parts = [HEAD.pack(MAGIC, question, len(text), len(arrays)), text]
    for array in arrays:
        numbers = numpy.array(array, "<f8", order="C")
        parts.append(struct.pack(f"<I{numbers.ndim}I", numbers.ndim, *numbers.shape))
        parts.append(numbers.tobytes())
    return b"".join(parts)


def read(result: bytes, asked: Container[int]) -> dict[int, Frame]:
    """Return the frames by question, as far as each is whole, was asked for, and comes once."""
    frames: dict[int, Frame] = {}
    rest = _Bytes(result)
    try:
        while rest.left:
            frame = _frame(rest)
            if frame.question not in asked or frame.question in frames:
                break
            frames[frame.question] = frame
    except ValueError:  # what follows cannot be read
        pass
    return frames


def _frame(rest: _Bytes) -> Frame:
    magic, question, length, count = HEAD.unpack(rest.take(HEAD.size))
    if magic != MAGIC or length > LONGEST_ERROR or count > MOST_ARRAYS:
        raise ValueError
    error = rest.take(length).decode("utf-8", "replace")
    return Frame(question, error, [_array(rest) for _ in range(count)])


def _array(rest: _Bytes) -> numpy.ndarray:
    (axes,) = struct.unpack("<I", rest.take(4))
    if axes > MOST_AXES:
        raise ValueError
    shape = struct.unpack(f"<{axes}I", rest.take(4 * axes))
    size = 8
    for side in shape:
        size *= side
    return numpy.frombuffer(rest.take(size), "<f8").reshape(shape)


class _Bytes:
    """Bytes that are taken from the front; ValueError where there are not enough."""

    def __init__(self, contents: bytes) -> None:
        self.contents, self.position = contents, 0

    @property
    def left(self) -> int:
        return len(self.contents) - self.position

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise ValueError
        self.position += count
        return self.contents[self.position - count : self.position]
