"""Check of a residual block that returns its input before it has learned anything."""

from __future__ import annotations

from typing import Any

import numpy
from mxnet import autograd, gluon, np

from utils.checks import _specimen
from utils.checks._ask import Question, ask_all
from utils.checks._report import Mistake, Report
from utils.checks._specimen import CHANNELS, agree, checked, images, is_complete, new_block
from utils.checks.residual_block import QUESTIONS as OF_RESIDUAL_BLOCK

SHAPE = (2, CHANNELS, 6, 6)
SIGNED = images(*SHAPE, low=-2, high=2)
STEPS = 3  # the scale moves in the first, the layers before it in the second
LOOK = (
    "Which one number multiplies all that the layers add to x? How is it set before the first "
    "step: by which argument of the layer that owns it?"
)


def starts_as_identity(StartsAsIdentity: Any) -> Report:
    """Check a class as for `residual_block`, new blocks of which return relu(x).

    With a 1x1 convolution they return relu of its output. All weights can still learn. Source:
    Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 5.1,
    https://arxiv.org/abs/1706.02677
    """
    return ask_all("Start as the identity", QUESTIONS, StartsAsIdentity)


def start(StartsAsIdentity: Any) -> None:
    """A new block returns relu(x), in training mode as well."""
    block = new_block(StartsAsIdentity, CHANNELS)
    for training in (False, True):
        with autograd.train_mode() if training else autograd.predict_mode():
            Y = checked(block(np.array(SIGNED)), SHAPE)
        if not agree(Y, numpy.maximum(SIGNED, 0)):
            raise Mistake(
                "not the identity at the start",
                "A new block should return relu(x), but its layers already add something to x.",
                "A network of blocks that add nothing is as easy to begin with as a shallow one.",
                LOOK,
            )


def leaves(StartsAsIdentity: Any) -> None:
    """After a few steps, both 3x3 convolutions have changed."""
    block = new_block(StartsAsIdentity, CHANNELS)
    X, target = np.array(SIGNED), np.array(images(*SHAPE))
    block(X).wait_to_read()
    parameters = list(block.collect_params().values())
    kernels = [p for p in parameters if is_complete(p) and _specimen.is_kernel(p)]
    before = [kernel.data().asnumpy() for kernel in kernels]
    trainer = gluon.Trainer(parameters, "sgd", {"learning_rate": 0.1}, kvstore=None)
    for _ in range(STEPS):
        with autograd.record():
            loss = ((block(X) - target) ** 2).mean()
        loss.backward()
        trainer.step(1, ignore_stale_grad=True)
    if any(numpy.array_equal(k.data().asnumpy(), was) for k, was in zip(kernels, before)):
        raise Mistake(
            "cannot leave the start",
            "After {steps} steps of training, the weights of a convolution are exactly what they "
            "were.".format(steps=STEPS),
            "Where a product has two factors that are zero, the gradient of both is zero. Neither "
            "of them ever changes.",
            LOOK,
        )


QUESTIONS = (
    *OF_RESIDUAL_BLOCK,
    Question("start", "Does a new block return relu(x)?", start),
    Question("leaves the start", "Can all of its convolutions still learn?", leaves),
)
