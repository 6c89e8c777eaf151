"""Explains errors of a learner's code: where they happened, and what the message usually means.

If a residual sum failed, the shapes of the convolutions before it say why.
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
PACKAGES = ("mxnet", "numpy", "utils")  # by name, since MXNet generates code that has no file
OF_SUMS = ("could not be broadcast", "residual branch gives")  # parts of messages
LONGEST = 280  # characters of a message


class Hint(NamedTuple):
    """What a message that contains `part` means, and the name of the diagnosis."""

    part: str
    text: str
    name: str = "raises an error"


HINTS = (
    Hint(
        "legacy operator",
        "MXNet has two kinds of arrays, and this function belongs to the old kind. For arrays of "
        "`mxnet.np`, use the functions of `np` and `npx` or, inside `hybrid_forward`, of `F.np` "
        "and `F.npx`.",
    ),
    Hint(
        "already in a computational graph",
        "The line writes into an array that the gradient still needs, as `+=`, `[:] =` and `out=` "
        "do. Put the result into a new array instead.",
    ),
    Hint(
        "has no attribute '_children'",
        "A block can hold layers only after its parent class is initialized. Does the first line "
        "of `__init__` call the `__init__` of the parent?",
    ),
    Hint(
        "Cannot differentiate node",
        "A gradient exists only for what was computed inside `autograd.record()`, and only once. "
        "Which lines are inside it?",
    ),
    Hint(
        "has not been updated by backward",
        "The step found no new gradient. Is `backward` called before each step, and does every "
        "layer of the network take part in the loss?",
    ),
    Hint(
        "signal only works in main thread",
        "The check runs your code in a separate thread, so that it can be stopped. There, a "
        "`DataLoader` cannot start other processes. Use `num_workers=0` for the check.",
        "needs the main thread",
    ),
    Hint(
        "No such file or directory",
        "The check runs your code in an empty folder, so that it cannot overwrite your files. Give "
        "the full path of any file that it reads.",
    ),
)
ARGUMENTS = ("unexpected keyword argument", "positional argument", "multiple values for argument")


def explained(error: BaseException) -> Mistake:
    """Turn an error into a Mistake."""
    if isinstance(error, NotImplementedError):
        return _no_forward() if _is_from_empty_block(error) else _not_written_yet()
    frames = list(_own_frames(error))
    place = _place(*frames[-1]) if frames else ""
    hint = _hint(error, is_learners=bool(frames))
    return Mistake(
        hint.name,
        "The code raised {kind}: {message}".format(
            kind=type(error).__name__, message=error_text(error)
        ),
        "Code that ends with an error gives no result to check.",
        f"{place} {hint.text}".strip()
        or "Call it yourself with a small array and read the whole message.",
    )


def error_text(error: BaseException) -> str:
    """Return the last line of the message, as a sentence; in MXNet's, C++ comes before it."""
    lines = [line.strip() for line in _message(error).splitlines() if line.strip()]
    text = lines[-1].replace("MXNetError: ", "") if lines else "(without a message)"
    if len(text) > LONGEST:
        sentences, _, _ = text[:LONGEST].rpartition(". ")
        text = sentences or f"{text[:LONGEST]} ..."
    return text if text.endswith(".") else f"{text}."


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # the learner may have written the `__str__`
        return ""


def _hint(error: BaseException, *, is_learners: bool) -> Hint:
    message = _message(error)
    if isinstance(error, TypeError) and any(part in message for part in ARGUMENTS):
        if is_learners:
            return Hint("", "Compare the arguments there with those in the definition.")
        return Hint(
            "",
            "The check itself made this call, with the arguments that `help` shows for the check. "
            "Compare their names, order and defaults with your definition.",
        )
    return next((hint for hint in HINTS if hint.part in message), Hint("", ""))


def _place(frame: FrameType, number: int) -> str:
    name, file = frame.f_code.co_name, frame.f_code.co_filename
    line = linecache.getline(file, number, frame.f_globals).strip()
    if not line:
        return "It happened in `{name}`.".format(name=name)
    return "It happened in `{name}`, at the line `{line}`.".format(name=name, line=line)


def _own_frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    """Yield the learner's own calls that led to an error: frame and line number."""
    for frame, line in traceback.walk_tb(error.__traceback__):
        file, module = frame.f_code.co_filename, frame.f_globals.get("__name__") or ""
        if module.split(".")[0] not in PACKAGES and not any(part in file for part in LIBRARIES):
            yield frame, line


def _is_from_empty_block(error: BaseException) -> bool:
    """Return whether Gluon's own `forward` raised it, because the learner's block has none."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    module, name = frame.f_globals.get("__name__") or "", frame.f_code.co_name
    return module == "mxnet.gluon.block" and name in ("forward", "hybrid_forward")


def _no_forward() -> Mistake:
    return Mistake(
        "no forward",
        "The block was called, but it has no `forward` of its own, only the empty one that every "
        "Gluon block inherits.",
        "Without a `forward`, a block has layers, but nothing says what to compute with them.",
        "Is it named exactly `forward` or, in a subclass of `nn.HybridBlock`, `hybrid_forward`? Is "
        "it indented, so that it belongs to the class?",
    )


def _not_written_yet() -> Mistake:
    return Mistake(
        "not written yet",
        "There is no answer here yet: the code raises NotImplementedError.",
        "Only code that runs can be checked.",
        "Replace the line `raise NotImplementedError` with your own code.",
    )


# Sums of two shapes


class ConvolutionUse(NamedTuple):
    """One call of a convolution layer: its weight, and the shapes of input and output."""

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


def cannot_add(block: gluon.Block, X: np.ndarray, error: Exception) -> Mistake | None:
    """Return why the last residual block that a network reached cannot add; None if it can.

    Two 3x3 convolutions make a block; a 1x1 convolution with the same input is its shortcut. An
    error of another kind, such as a misspelled name, is not explained by shapes.
    """
    message = _message(error)
    if not any(part in message for part in OF_SUMS):
        return None
    uses = convolution_uses(block, X)
    wide = [use for use in uses if use.kernel == 3]
    if not wide or len(wide) % 2:
        return None
    before, after = wide[-2].input, wide[-1].output
    beside = [use for use in uses if use.kernel == 1 and use.input == before]
    shortcut = beside[-1].output if beside else before
    if shortcut == after:
        return _not_added(beside[-1], message) if beside else None
    sizes = [p.shape[-1] for p in block.collect_params().values() if len(p.shape or ()) == 4]
    name = "shortcut cannot be added"
    seen = (
        "Block {number} cannot add: its layers turn {before} into {after}, but its shortcut brings "
        "{shortcut}."
    )
    if sizes.count(3) <= 2:  # a single block: nothing says what its shortcut should do
        seen = (
            "The block cannot add: its layers turn {before} into {after}, but its shortcut brings "
            "{shortcut}."
        )
    elif not beside:
        name, which = _missing_1x1(halves=after[2] < before[2], elsewhere=1 in sizes)
        seen = f"{seen} {which}"
    return Mistake(
        name,
        seen.format(number=len(wide) // 2, before=before, after=after, shortcut=shortcut),
        "Only equal shapes can be added. Where the layers change the channels or the size, the "
        "shortcut has to change x in the same way.",
        "Which block changes channels, height and width, and what does its shortcut need for that?",
    )


def _not_added(use: ConvolutionUse, message: str) -> Mistake | None:
    """Return the mistake of a sum that got the input of the 1x1 convolution, not its output."""
    if not all(str(list(shape)).replace(" ", "") in message for shape in (use.input, use.output)):
        return None
    return Mistake(
        "result of the 1x1 convolution not added",
        "The 1x1 convolution turns {before} into {after}, which is what the layers return, too. "
        "But the sum got {before}.".format(before=use.input, after=use.output),
        "A layer does not change its input. What it computes is what it returns.",
        "What becomes of the array that the 1x1 convolution returns?",
    )


def _missing_1x1(*, halves: bool, elsewhere: bool) -> tuple[str, str]:
    """Return a diagnosis and a sentence for a block whose shortcut has no 1x1 convolution."""
    if halves:
        return "shortcut without its 1x1 convolution", "No 1x1 convolution changes x."
    if elsewhere:
        return "1x1 convolution in another block", "Another block has a 1x1 convolution."
    return "no block with a 1x1 convolution", "No block has a 1x1 convolution."
