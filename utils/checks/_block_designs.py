"""Recognizes other designs of residual blocks: answers that work, but to another question.

Experiments made for one design mislead about another. Where a block is recognized, every question
that it fails names the design.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy

from utils.checks import _specimen
from utils.checks._block_layers import SEEDS, own_scale
from utils.checks._block_shape import additional
from utils.checks._block_sum import normalized
from utils.checks._report import Mistake
from utils.checks._specimen import CHANNELS, Specimen, agree, both_kinds, new_block, residual


def check(Residual: Any) -> None:
    """Raise Mistake if a learner's block has one of the other designs that are known."""
    for name, is_recognized, seen in DESIGNS:
        recognized = False
        with contextlib.suppress(Exception):  # a block that fails an experiment has another design
            recognized = is_recognized(Residual)
        if recognized:
            raise Mistake(
                name,
                seen,
                "Such blocks exist, and networks of them learn. This exercise asks for another "
                "one: two 3x3 convolutions, each with a normalization of its own after it, and a "
                "ReLU between them and after the sum.",
                "Compare your block with the drawing. What does it do that is not drawn?",
            )


def _has_own_scale(Residual: Any) -> bool:
    return own_scale(residual(Residual)) is not None


def _is_gated(Residual: Any) -> bool:
    """Other weights beside the convolutions multiply each map as a whole by another number."""
    specimen = residual(Residual).fill(_specimen.mixed)
    images = specimen.images() * numpy.array([1, 2]).reshape(2, 1, 1, 1)
    before = specimen.run(images, training=True) - images
    weights = additional(specimen)
    for weight in weights:
        specimen.set(weight, 3 * _specimen.mixed(weight.shape))
    after = specimen.run(images, training=True) - images
    factors = (after * before).sum(axis=(2, 3)) / (before**2).sum(axis=(2, 3))
    return (
        bool(weights)
        and not agree(after, before)
        and agree(after, before * factors[..., None, None])
    )


def _is_pre_activated(Residual: Any) -> bool:
    """The first convolution gets relu of the normalized x."""
    for specimen in both_kinds(Residual):
        X = specimen.images()
        first = next(c for c in specimen.calls(X, training=True) if c.kernel == 3)
        if not agree(first.input, numpy.maximum(normalized(X), 0)):
            return False
    return True


def _leaves_layers_out(Residual: Any) -> bool:
    """In training, what the layers add to an image is random: the same numbers, or none."""
    specimen = residual(Residual).fill(_specimen.mixed)
    X = specimen.images()
    added = numpy.array([specimen.run(X, training=True, seed=seed) - X for seed in SEEDS])
    for numbers in added.swapaxes(0, 1):  # of one image, for each of the seeds
        is_there = abs(numbers).max(axis=(1, 2, 3)) > 1e-3
        if is_there.all() or not is_there.any():
            return False
        if not all(agree(Y, numbers[is_there][0]) for Y in numbers[is_there]):
            return False
    return True


def _is_bottleneck(Residual: Any) -> bool:
    """There is one 3x3 convolution, on fewer channels, between two of 1x1."""
    wide = 2 * CHANNELS
    specimen = Specimen(new_block(Residual, wide), (2, wide, 6, 6))
    calls = [call for call in specimen.calls(specimen.images()) if call.kernel]
    return [c.kernel for c in calls] == [1, 3, 1] and calls[1].input.shape[1] < wide


DESIGNS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    (
        "residual with a scale of its own",
        _has_own_scale,
        "A trained number, or one for each channel, multiplies what the layers add, as in ReZero "
        "and LayerScale.",
    ),
    (
        "squeeze-and-excitation",
        _is_gated,
        "Weights beside those of the convolutions multiply each map that the layers add by a "
        "number, as in a squeeze-and-excitation block.",
    ),
    (
        "pre-activation",
        _is_pre_activated,
        "The first convolution gets x after a normalization and a ReLU, as in a pre-activated "
        "block.",
    ),
    (
        "stochastic depth",
        _leaves_layers_out,
        "In training, what the layers add to an image is sometimes there and sometimes not, as "
        "with stochastic depth.",
    ),
    (
        "bottleneck",
        _is_bottleneck,
        "One 3x3 convolution works on fewer channels between two of 1x1, as in a bottleneck.",
    ),
)
