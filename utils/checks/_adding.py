"""Follows the convolution layers of a network up to a sum that cannot be computed."""

from __future__ import annotations

import math
from typing import NamedTuple

from mxnet import gluon, np

from utils.checks._report import Mistake


class Call(NamedTuple):
    """One use of a convolution layer, with shapes."""

    weight: gluon.Parameter
    input: tuple[int, ...]
    output: tuple[int, ...]

    @property
    def kernel(self) -> int:
        return self.weight.shape[-1]

    def divides_by(self, strides: int) -> bool:
        return self.output[2] == math.ceil(self.input[2] / strides)


def convolutions(block: gluon.Block, X: np.ndarray) -> list[Call]:
    """Return the uses of Gluon's convolution layers for X, up to an error if there is one.

    A block that computes without such layers has none, and neither has a compiled one.
    """
    calls, handles = [], []

    def note(layer: gluon.Block, inputs: tuple, output: np.ndarray) -> None:
        weight = getattr(layer, "weight", None)
        if weight is not None and len(weight.shape) == 4:
            calls.append(Call(weight, inputs[0].shape, output.shape))

    block.apply(lambda layer: handles.append(layer.register_forward_hook(note)))
    try:
        block(X)
    except Exception:
        return calls
    finally:
        for handle in handles:
            handle.detach()
    return calls


def cannot_add(block: gluon.Block, X: np.ndarray) -> Mistake | None:
    """Name the reason why the last residual block that a network reached cannot add, if it cannot.

    Two 3x3 convolutions make a block; a 1x1 convolution with the same input is its shortcut.
    """
    calls = convolutions(block, X)
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
