"""Check of a residual block: its questions, in the order in which a learner reads the answers.

Other designs of blocks are answers that work, but to another question. Experiments made for one
design mislead about another. So where a block is recognized, each question that it fails names the
design.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy

from utils.checks import _block_layers, _block_shape, _block_sum, _specimen
from utils.checks._ask import Question, ask_all, given
from utils.checks._report import Mistake, Report
from utils.checks._specimen import (
    CHANNELS,
    Specimen,
    agree,
    both_kinds,
    new_block,
    of_each,
    residual,
)

_of_both = partial(of_each, both_kinds)


# Premises: what an experiment shows about one part presumes that others are as they should be.
_of_sum = partial(given, _of_both(_block_layers.repeats), _block_sum.shortcut)
_of_1x1 = partial(_of_sum, _block_shape.weights, _block_sum.last_relu)
_of_layers = partial(_of_sum, _block_layers.modes, _block_shape.weights, _block_shape.working)


_ASKED = (
    Question("shapes", "Is the output shape right, for every input?", _block_shape.shape),
    Question("input kept", "Is the input unchanged after the call?", _of_both(_block_sum.in_place)),
    Question(
        "repeatable", "Does the same input give the same output?", _of_both(_block_layers.repeats)
    ),
    Question(
        "modes",
        "Do the layers work in both modes, and in inference for each image alone?",
        _block_layers.modes,
    ),
    Question(
        "shortcut",
        "If the layers give zeros, does x come out unchanged, but for the last ReLU?",
        _block_sum.shortcut,
        2,
    ),
    Question(
        "weights",
        "Are there two 3x3 convolutions, and one of 1x1 if requested?",
        _block_shape.weights,
    ),
    Question("all used", "Does every layer affect the output?", _block_shape.used),
    Question("last ReLU", "Does a ReLU follow the sum?", _of_sum(ask=_block_sum.last_relu)),
    Question(
        "ReLU between",
        "Is there a ReLU between the convolutions?",
        _of_layers(ask=_block_layers.between),
    ),
    Question(
        "reach",
        "Does each output number see the right pixels?",
        _of_layers(ask=_block_shape.reach),
    ),
    Question(
        "1x1 shortcut",
        "Does the shortcut add the 1x1 convolution of x?",
        _of_1x1(ask=_block_sum.projection),
    ),
    Question(
        "first normalization",
        "Is it between the first convolution and the ReLU?",
        _of_layers(ask=_block_layers.first_normalization),
    ),
    Question(
        "second normalization",
        "Does it follow the second convolution, over the whole batch?",
        _of_layers(ask=_block_layers.second_normalization),
    ),
    Question(
        "own normalizations",
        "Does each place have its own normalization?",
        given(_block_shape.shape, ask=_block_layers.own_normalizations),
    ),
    Question(
        "both signs",
        "Can the layers also make x smaller?",
        _of_layers(ask=_block_sum.subtracts),
    ),
    Question(
        "gradient",
        "Does it reach the input and the weights?",
        _of_layers(ask=_of_both(_block_sum.gradient)),
    ),
    Question(
        "running statistics",
        "Does training update what inference uses?",
        _of_layers(ask=_of_both(_block_layers.averages)),
    ),
)


def _check_design(Residual: Any) -> None:
    """Raise Mistake if a learner's block has one of the other designs that are known."""
    for name, is_recognized, seen in _DESIGNS:
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
    return _block_layers.own_scale(residual(Residual)) is not None


def _is_gated(Residual: Any) -> bool:
    """Other weights beside the convolutions multiply each map as a whole by another number."""
    specimen = residual(Residual).fill(_specimen.mixed)
    images = specimen.images() * numpy.array([1, 2]).reshape(2, 1, 1, 1)
    before = specimen.run(images, training=True) - images
    weights = _block_shape.additional(specimen)
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
        if not agree(first.input, numpy.maximum(_block_sum.normalized(X), 0)):
            return False
    return True


def _leaves_layers_out(Residual: Any) -> bool:
    """In training, what the layers add to an image is random: the same numbers, or none."""
    specimen = residual(Residual).fill(_specimen.mixed)
    X = specimen.images()
    added = numpy.array(
        [specimen.run(X, training=True, seed=seed) - X for seed in _block_layers.SEEDS]
    )
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


_DESIGNS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
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


QUESTIONS = tuple(
    replace(question, ask=given(_check_design, ask=question.ask)) for question in _ASKED
)


def residual_block(Residual: Any) -> Report:
    """Check a class `Residual(num_channels, use_1x1conv=False, strides=1)` by its behavior.

    The names of its parts and its style do not matter. A normalization after the 1x1 convolution,
    as in the paper, and convolutions without bias are both right. Whatever is passed, a report
    comes back and no error is raised.
    """
    return ask_all("Residual block", QUESTIONS, Residual)
