"""Learners' blocks and networks as specimens: with weights of our choice, run and watched.

Parameters are found by shape, never by the names that the learner chose: a convolution has an array
of four axes, (channels out, channels in, height, width).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import mxnet as mx
import numpy
from mxnet import autograd, gluon, init, np

from utils import _gluon
from utils.checks._ask import check_block, check_maker, needed_arguments, short
from utils.checks._errors import cannot_add
from utils.checks._isolate import stop_if_late
from utils.checks._report import Mistake

Shape = tuple  # of whole numbers
# The values with which a normalization changes nothing, by Gluon's own names.
NEUTRAL = {"gamma": 1, "beta": 0, "bias": 0, "running_mean": 0, "running_var": 1}
CHANNELS = 4  # of the blocks in the experiments


class Specimen:
    """A block that has seen a first input of `shape`, with neutral normalizations.

    `expected` returns the output shape for an input shape; any other output is a Mistake. Without
    it every shape is accepted.
    """

    def __init__(
        self,
        block: gluon.Block,
        shape: Shape,
        expected: Callable[[Shape], Shape] | None = None,
        device: mx.Context | None = None,
    ) -> None:
        self.block, self.expected, self.device = block, expected, device or mx.cpu()
        self.channels = shape[1]  # of the input
        self._first_run(shape)
        self.parameters: list[gluon.Parameter] = list(block.collect_params().values())
        if not all(map(is_complete, self.parameters)):  # some layers may be called in training only
            self.run(numpy.ones(shape), training=True)
        for parameter in filter(is_complete, self.parameters):
            value = next((v for end, v in NEUTRAL.items() if parameter.name.endswith(end)), None)
            if value is not None:
                self.set(parameter, numpy.full(parameter.shape, value))

    def _first_run(self, shape: Shape) -> None:
        X = numpy.ones(shape, "float32")
        try:
            self.run(X)
        except Mistake:
            raise
        except Exception as error:
            raise cannot_add(self.block, np.array(X, ctx=self.device)) or error from None

    @property
    def kernels(self) -> list[gluon.Parameter]:
        """The weights of the convolutions."""
        return [p for p in self.parameters if is_complete(p) and is_kernel(p)]

    @property
    def others(self) -> list[gluon.Parameter]:
        """All that training moves, the kernels left out: scales, shifts, biases."""
        kernels = {id(kernel) for kernel in self.kernels}
        trainable = [p for p in self.parameters if p.grad_req != "null"]
        return [p for p in trainable if is_complete(p) and id(p) not in kernels]

    def place_of(self, parameter: gluon.Parameter) -> str:
        """Return where a parameter stands, in the learner's own names, such as conv3.weight."""
        places = _gluon.places(self.block)
        return next((place for place, p in places.items() if p is parameter), parameter.name)

    def set(self, parameter: gluon.Parameter, values: numpy.ndarray) -> None:
        """Give a parameter new values, an array of its shape."""
        stop_if_late()
        parameter.set_data(np.array(values, dtype="float32"))

    def fill(self, draw: Callable[[Shape], numpy.ndarray], size: int | None = None) -> Specimen:
        """Draw all kernels anew, or those that are `size` pixels wide; return the specimen."""
        for kernel in self.kernels:
            if size in (None, kernel.shape[-1]):
                self.set(kernel, draw(kernel.shape))
        return self

    def run(
        self, X: numpy.ndarray, *, training: bool = False, seed: int | None = None
    ) -> numpy.ndarray:
        """Return the output for X, or raise Mistake unless it is an array of the expected shape.

        In training the seed decides what a dropout drops. It is 0 unless it is given. In inference
        it is set only if it is given, since that takes as long as half a call.
        """
        stop_if_late()
        if training or seed is not None:
            mx.random.seed(seed or 0, ctx=mx.cpu())
        try:
            with autograd.train_mode() if training else autograd.predict_mode():
                Y = self.block(np.array(X, dtype="float32", ctx=self.device))
        except RuntimeError as error:
            if "has not been initialized" in str(error):
                raise unregistered() from error
            raise
        return checked(Y, self.expected(X.shape) if self.expected else None)

    def changes_with_scale(
        self,
        X: numpy.ndarray,
        draw: Callable[[Shape], numpy.ndarray],
        factor: Callable[[int], float],
        *,
        kernels: Sequence[gluon.Parameter] | None = None,
        training: bool = True,
    ) -> bool:
        """Return whether the output changes when each output channel's weights grow by its factor.

        Those of all kernels, or of some.
        """
        before = self.fill(draw).run(X, training=training)
        for kernel in self.kernels if kernels is None else kernels:
            factors = numpy.array([factor(channel) for channel in range(kernel.shape[0])])
            self.set(kernel, draw(kernel.shape) * factors[:, None, None, None])
        return not agree(self.run(X, training=training), before)


def residual(
    Residual: Any, *, channels_in: int = CHANNELS, batch: int = 2, **arguments: Any
) -> Specimen:
    """Return a new specimen of a learner's block with CHANNELS channels."""
    strides = arguments.get("strides", 1)
    block = new_block(Residual, CHANNELS, **arguments)
    return Specimen(
        block,
        (batch, channels_in, 6, 6),
        lambda shape: (shape[0], CHANNELS, *(math.ceil(n / strides) for n in shape[2:])),
    )


def new_block(maker: Any, *arguments: Any, **keywords: Any) -> gluon.Block:
    """Return what a learner's class or function makes, initialized with a seed."""
    if not callable(maker) or isinstance(maker, gluon.Block):
        raise Mistake(
            "not a class or function",
            f"The check was given {short(maker)}, but it expects your class or function itself.",
            "It makes several blocks of its own, with different arguments, and compares them.",
            "Pass the name alone, without parentheses and arguments behind it.",
        )
    mx.random.seed(0, ctx=mx.cpu())
    block = maker(*arguments, **keywords)
    check_block(block)
    block.initialize(init.Xavier())
    return block


def specimen_of(net: Any, side: int = 32) -> Specimen:
    """Return a specimen of a network, or of the one that a function without arguments makes.

    It has seen 2 images of `side` pixels, with as many channels as it is made for, or 1. Whoever
    asks the questions gives the parameters of a network back.
    """
    device = None
    if isinstance(net, gluon.Block):
        ready = [p for p in net.collect_params().values() if _gluon.has_values(p)]
        device = ready[0].list_ctx()[0] if ready else None
        net.initialize(init.Xavier(), ctx=device)  # leaves alone what has values already
    else:
        check_maker(net)
        net = new_block(net)
    return Specimen(net, (2, channels_of(net), side, side), device=device)


def channels_of(net: gluon.Block) -> int:
    """Return how many channels the widest convolution expects; 1 if it does not know yet."""
    shapes = [p.shape for p in net.collect_params().values() if is_complete(p)]
    kernels = [shape for shape in shapes if len(shape) == 4]
    return max(kernels, key=lambda shape: shape[-1])[1] if kernels else 1


def for_classes(net: Any, classes: int) -> Any:
    """Return a function without arguments in place of one that needs the number of classes.

    That is taken to be the only argument without a default. All else is returned as it came.
    """
    is_maker = callable(net) and not isinstance(net, gluon.Block)
    return functools.partial(net, classes) if is_maker and len(needed_arguments(net)) == 1 else net


def checked(Y: object, expected: Shape | None) -> numpy.ndarray:
    """Return an output for numpy; raise Mistake unless it has that shape and finite numbers."""
    if not isinstance(Y, np.ndarray):
        raise Mistake(
            "returns no array",
            f"An array of MXNet was expected as the output, but this came: {short(Y)}.",
            "The next layer computes with this output.",
            "Read the last line of `forward` or `hybrid_forward`. What does it return, and does it "
            "begin with `return`?",
        )
    if expected is not None and Y.shape != expected:
        raise Mistake(
            "wrong output shape",
            f"The output has the shape {Y.shape}, but {expected} was expected.",
            "The next layer, and the sum with the shortcut, count on this shape.",
            "Follow the shape through your layers, one by one: channels, padding, strides.",
        )
    numbers = Y.asnumpy()
    if not numpy.isfinite(numbers).all():
        raise Mistake(
            "numbers that are not finite",
            "The output holds numbers that are not finite (nan or inf), for an ordinary input.",
            "One such number spoils the loss, and through it every weight.",
            "Look for a division by zero, or the logarithm or root of a negative number.",
        )
    return numbers


def unregistered() -> Mistake:
    return Mistake(
        "layers not registered",
        "`initialize()` did not reach all parameters: a layer computes, but the block does not "
        "know it as its own.",
        "Such weights are neither initialized nor trained nor saved.",
        "Where are the layers kept? A Python list or dictionary hides them from Gluon; an "
        "attribute of the block or an `nn.Sequential` does not.",
    )


def is_complete(parameter: gluon.Parameter) -> bool:
    """Return whether the shape is known: it is after a first use."""
    return parameter.shape is not None and all(side > 0 for side in parameter.shape)


def is_kernel(parameter: gluon.Parameter) -> bool:
    """Return whether it is a convolution's. (1, C, 1, 1) is the shape of someone's scale or shift.

    Where the shape is not known yet, some of its numbers are 0.
    """
    return len(parameter.shape or ()) == 4 and parameter.shape[0] > 1


# What to fill kernels and inputs with


def zeros(shape: Shape) -> numpy.ndarray:
    return numpy.zeros(shape)


def mixed(shape: Shape) -> numpy.ndarray:
    """Both signs, scaled so that outputs are about as large as inputs."""
    return _random(shape).normal(size=shape) / math.sqrt(math.prod(shape[1:]))


def positive(shape: Shape) -> numpy.ndarray:
    return abs(mixed(shape)) + 0.01


def negative(shape: Shape) -> numpy.ndarray:
    return -positive(shape)


def images(*shape: int, low: float = 1, high: float = 2) -> numpy.ndarray:
    """Return random numbers between `low` and `high`, the same at every call."""
    return _random(shape).uniform(low, high, shape).astype("float32")


def _random(shape: Shape) -> numpy.random.Generator:
    return numpy.random.default_rng(list(shape))


def strong(shape: Shape) -> numpy.ndarray:
    """Both signs, and so large that the epsilon of a normalization does not count."""
    return 100 * mixed(shape)


def unequal(channel: int | numpy.ndarray) -> float | numpy.ndarray:
    """A factor for a channel. What mixes channels cannot hide that they grew by different ones."""
    return 4.0**channel


def agree(Y: numpy.ndarray, Z: numpy.ndarray, tolerance: float = 2e-3) -> bool:
    """Return whether two outputs are the same, up to rounding and the epsilon of normalizations."""
    return bool(abs(Y - Z).max() <= tolerance * max(1, abs(Z).max()))
