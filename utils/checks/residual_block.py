"""Check of a residual block: its questions, in the order in which a learner reads the answers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from utils.checks import _block_designs, _block_layers, _block_shape, _block_sum
from utils.checks._ask import Question, ask_all, given
from utils.checks._report import Report
from utils.checks._specimen import both_kinds, of_each

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
# Whatever a block of another design fails, the answer names the design.
QUESTIONS = tuple(
    replace(question, ask=given(_block_designs.check, ask=question.ask)) for question in _ASKED
)


def residual_block(Residual: Any) -> Report:
    """Check a class `Residual(num_channels, use_1x1conv=False, strides=1)` by its behavior.

    The names of its parts and its style do not matter. A normalization after the 1x1 convolution,
    as in the paper, and convolutions without bias are both right. Whatever is passed, a report
    comes back and no error is raised.
    """
    return ask_all("Residual block", QUESTIONS, Residual)
