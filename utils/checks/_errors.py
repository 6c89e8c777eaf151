"""Explains what a learner's code raised: where it happened, and what such a message often means.

Where a sum failed, the convolutions that ran before it tell why.
"""

from __future__ import annotations

import contextlib
import linecache
import math
import sysconfig
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import NamedTuple

from mxnet import gluon, np

from utils import _gluon
from utils.checks._report import Mistake

LIBRARIES = ("site-packages", "dist-packages", "<frozen", sysconfig.get_path("stdlib"))
PACKAGES = ("mxnet", "numpy", "utils")  # MXNet makes some of its code where no file is
LONGEST = 280  # characters of a message


class Hint(NamedTuple):
    """What a message with a telling part means, and the name of the diagnosis."""

    part: str
    text: str
    name: str = "raises an error"


HINTS = (
    Hint(
        "legacy operator",
        "MXNet has two kinds of arrays, and this function belongs to the old one. Those for the "
        "arrays of `mxnet.np` stand in `np`, `npx` and, inside `hybrid_forward`, in `F.np` and "
        "`F.npx`.",
    ),
    Hint(
        "already in a computational graph",
        "The line writes into an array that the gradient still needs, as `+=`, `[:] =` and `out=` "
        "do. A new array for the result leaves the old one as it is.",
    ),
    Hint(
        "has no attribute '_children'",
        "A block can keep layers only after its parent is ready. Does the first line of `__init__` "
        "call the `__init__` of the parent?",
    ),
    Hint(
        "Cannot differentiate node",
        "A gradient exists only for what was computed inside `autograd.record()`, and only once. "
        "Which lines stand inside it?",
    ),
    Hint(
        "has not been updated by backward",
        "The step found no new gradient. Is `backward` called before each step, and does every "
        "layer of the network take part in the loss?",
    ),
    Hint(
        "signal only works in main thread",
        "The check runs your code in a thread of its own, to be able to stop it. There a "
        "`DataLoader` cannot start other processes. Use `num_workers=0` for the check.",
        "needs the main thread",
    ),
    Hint(
        "No such file or directory",
        "The check runs your code in an empty folder of its own, so that it overwrites no file of "
        "yours. A file that it reads needs its full path.",
    ),
)
ARGUMENTS = ("unexpected keyword argument", "positional argument", "multiple values for argument")


def explained(error: BaseException) -> Mistake:
    """Return an error as a Mistake."""
    if isinstance(error, NotImplementedError):
        return _no_forward() if _is_of_an_empty_block(error) else _not_written_yet()
    frames = list(_own_frames(error))
    place = _place(*frames[-1]) if frames else ""
    hint = _hint(error, is_learners=bool(frames))
    return Mistake(
        hint.name,
        f"The code raised {type(error).__name__}: {error_text(error)}",
        "Code that ends with an error gives no result that could be questioned.",
        f"{place} {hint.text}".strip()
        or "Call it yourself with a small array and read the whole message.",
    )


def error_text(error: BaseException) -> str:
    """Return the last line of the message, as a sentence: in MXNet's, C++ stands above it."""
    lines = [line.strip() for line in _message(error).splitlines() if line.strip()]
    text = lines[-1].replace("MXNetError: ", "") if lines else "(without a message)"
    if len(text) > LONGEST:
        sentences, _, _ = text[:LONGEST].rpartition(". ")
        text = sentences or f"{text[:LONGEST]} ..."
    return text if text.endswith(".") else f"{text}."


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # the `__str__` is the learner's, too
        return ""


def _hint(error: BaseException, *, is_learners: bool) -> Hint:
    message = _message(error)
    if isinstance(error, TypeError) and any(part in message for part in ARGUMENTS):
        if is_learners:
            return Hint("", "Compare the arguments there with those in the definition.")
        return Hint(
            "",
            "The check itself made this call, with the arguments that `help` shows for the check. "
            "Compare their names, their order and their defaults with your definition.",
        )
    return next((hint for hint in HINTS if hint.part in message), Hint("", ""))


def _place(frame: FrameType, number: int) -> str:
    name, file = frame.f_code.co_name, frame.f_code.co_filename
    line = linecache.getline(file, number, frame.f_globals).strip()
    return (
        f"It happened in `{name}`, at the line `{line}`." if line else f"It happened in `{name}`."
    )


def _own_frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    """Yield the calls that led to an error, with lines, as far as they are in a learner's code."""
    for frame, line in traceback.walk_tb(error.__traceback__):
        file, module = frame.f_code.co_filename, frame.f_globals.get("__name__") or ""
        if module.split(".")[0] not in PACKAGES and not any(part in file for part in LIBRARIES):
            yield frame, line


def _is_of_an_empty_block(error: BaseException) -> bool:
    """Return whether the error is that of Gluon's own `forward`, which is there to be replaced."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    module, name = frame.f_globals.get("__name__") or "", frame.f_code.co_name
    return module == "mxnet.gluon.block" and name in ("forward", "hybrid_forward")


def _no_forward() -> Mistake:
    return Mistake(
        "no forward",
        "The block was called, and the empty `forward` that Gluon puts into every block answered.",
        "Without a `forward` of its own a block has layers, but nothing says what they compute.",
        "Is yours named exactly `forward` or, in a class made from `nn.HybridBlock`, "
        "`hybrid_forward`? Is it indented, so that it belongs to the class?",
    )


def _not_written_yet() -> Mistake:
    return Mistake(
        "not written yet",
        "There is no answer here yet: the code raises NotImplementedError.",
        "The questions can only be asked of code that runs.",
        "Replace the line with `raise NotImplementedError` by your own code.",
    )


# Sums of two shapes


class ConvolutionUse(NamedTuple):
    """One use of a convolution layer, with shapes."""

    weight: gluon.Parameter
    input: tuple[int, ...]
    output: tuple[int, ...]

    @property
    def kernel(self) -> int:
        return self.weight.shape[-1]

    def divides_by(self, strides: int) -> bool:
        return self.output[2] == math.ceil(self.input[2] / strides)


def convolution_uses(block: gluon.Block, X: np.ndarray) -> list[ConvolutionUse]:
    """Return the uses of Gluon's convolution layers for X, in order, up to an error if one comes.

    A block that computes without such layers has none, and neither has a compiled one.
    """
    layers: list[gluon.Block] = []
    block.apply(layers.append)
    uses: list[ConvolutionUse] = []

    def note(layer: gluon.Block, inputs: tuple, output: np.ndarray) -> None:
        weight = getattr(layer, "weight", None)
        if weight is not None and len(weight.shape) == 4:
            uses.append(ConvolutionUse(weight, inputs[0].shape, output.shape))

    with contextlib.suppress(Exception), _gluon.hooked(layers, note):
        block(X)
    return uses


def cannot_add(block: gluon.Block, X: np.ndarray) -> Mistake | None:
    """Name the reason why the last residual block that a network reached cannot add, if it cannot.

    Two 3x3 convolutions make a block; a 1x1 convolution with the same input is its shortcut.
    """
    calls = convolution_uses(block, X)
    wide = [call for call in calls if call.kernel == 3]
    if not wide or len(wide) % 2:
        return None
    before, after = wide[-2].input, wide[-1].output
    beside = [call for call in calls if call.kernel == 1 and call.input == before]
    shortcut = beside[-1].output if beside else before
    if shortcut == after:
        return None
    sizes = [p.shape[-1] for p in block.collect_params().values() if len(p.shape or ()) == 4]
    name, seen = "shortcut cannot be added", ""
    if sizes.count(3) > 2 and not beside:  # else the block is alone: nobody says what it is for
        if after[2] < before[2]:
            name, seen = "shortcut without its 1x1 convolution", "No 1x1 convolution changes x."
        elif 1 in sizes:
            name, seen = "1x1 convolution in another block", "Another block has a 1x1 convolution."
        else:
            name, seen = "no block with a 1x1 convolution", "No block has a 1x1 convolution."
    which = f"Block {len(wide) // 2}" if sizes.count(3) > 2 else "The block"
    return Mistake(
        name,
        f"{which} cannot add: its layers turn {before} into {after}, but its shortcut brings "
        f"{shortcut}. {seen}".rstrip(),
        "Only equal shapes can be added. Where the layers change the channels or the size, the "
        "shortcut has to change x in the same way.",
        "Which block changes channels, height and width, and what does its shortcut need for that?",
    )
