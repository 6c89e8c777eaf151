"""What comes out of the jail: frames of plain numbers and short texts, never objects.

A frame answers one item. It holds the name of an error, or a text, or arrays of float64. Its writer
is not trusted: reading stops at the first frame that is incomplete, too large or not asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Container
from dataclasses import dataclass, field

import numpy

# Magic, number of the item, bytes of the error's name, bytes of the text, number of arrays.
HEAD = struct.Struct("<4sIIII")
MAGIC = b"RNF2"
LONGEST_TEXT = 100  # bytes, of an error's name and of a text
MOST_ARRAYS = 50
MOST_AXES = 8
# In place of an item's number: the program has started; the submission's code has been executed.
STARTED, READY = 2**32 - 2, 2**32 - 1


@dataclass
class Frame:
    """The answer to one item: arrays, a text, or the name of an error."""

    item: int
    error: str = ""
    text: str = ""
    arrays: list[numpy.ndarray] = field(default_factory=list)


def write(frame: Frame) -> bytes:
    """Return a frame as bytes. Names and texts are cut at LONGEST_TEXT bytes."""
    error = frame.error.encode("utf-8", "replace")[:LONGEST_TEXT]
    text = frame.text.encode("utf-8", "replace")[:LONGEST_TEXT]
    parts = [HEAD.pack(MAGIC, frame.item, len(error), len(text), len(frame.arrays)), error, text]
    for array in frame.arrays:
        numbers = numpy.array(array, "<f8", order="C")
        parts.append(struct.pack(f"<I{numbers.ndim}I", numbers.ndim, *numbers.shape))
        parts.append(numbers.tobytes())
    return b"".join(parts)


def read(result: bytes, asked: Container[int]) -> dict[int, Frame]:
    """Return frames by item, up to the first that is broken, repeated or was not asked for."""
    frames: dict[int, Frame] = {}
    rest = _Bytes(result)
    try:
        while rest.left:
            frame = _frame(rest)
            if frame.item not in asked or frame.item in frames:
                break
            frames[frame.item] = frame
    except ValueError:  # what follows cannot be read
        pass
    return frames


def _frame(rest: _Bytes) -> Frame:
    magic, item, error, text, arrays = HEAD.unpack(rest.take(HEAD.size))
    if magic != MAGIC or max(error, text) > LONGEST_TEXT or arrays > MOST_ARRAYS:
        raise ValueError
    return Frame(
        item,
        error=rest.take(error).decode("utf-8", "replace"),
        text=rest.take(text).decode("utf-8", "replace"),
        arrays=[_array(rest) for _ in range(arrays)],
    )


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
    """Bytes that are taken from the front; ValueError where there are too few."""

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
