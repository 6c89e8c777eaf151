"""A learner's network as a specimen: one that was made already is given back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mxnet import gluon, init, np, npx

from utils.checks.specimens import Specimen, is_complete, new_block


@contextmanager
def specimen_of(net: Any, side: int = 32) -> Iterator[Specimen]:
    """Yield a specimen of a network, or of the one that a function without arguments makes.

    It has seen 2 images of `side` pixels, with as many channels as it is made for, or 1.
    """
    if not isinstance(net, gluon.Block):
        yield Specimen(new_block(net), (2, 1, side, side))
        return
    with _given_back(net) as device:
        yield Specimen(net, (2, channels_of(net), side, side), device=device)


def channels_of(net: gluon.Block) -> int:
    """Return how many channels the widest convolution expects; 1 if it does not know yet."""
    shapes = [p.shape for p in net.collect_params().values() if is_complete(p)]
    kernels = [shape for shape in shapes if len(shape) == 4]
    return max(kernels, key=lambda shape: shape[-1])[1] if kernels else 1


@contextmanager
def _given_back(net: gluon.Block) -> Iterator[Any]:
    """Lend a network, and give its parameters back: values, shapes, or none where it had none."""
    npx.waitall()  # a compiled network may otherwise hand out the values before the last step
    parameters = list(net.collect_params().values())
    state = [(p, p._shape, p._deferred_init, p._data and p.data().asnumpy()) for p in parameters]
    ready = [p for p in parameters if p._data is not None]
    device = ready[0].list_ctx()[0] if ready else None
    try:
        net.initialize(init.Xavier(), ctx=device)  # leaves alone what has values already
        yield device
    finally:
        for parameter, shape, deferred, values in state:
            if values is not None:
                parameter.set_data(np.array(values))
            else:  # Gluon has no public way back to a parameter without values
                parameter._data = parameter._grad = None
                parameter._shape, parameter._deferred_init = shape, deferred
        if any(values is None for *_, values in state):
            net.apply(_forget_graph)


def _forget_graph(block: gluon.Block) -> None:
    """A compiled graph expects values in all parameters. The next call compiles it again."""
    if isinstance(block, gluon.HybridBlock):
        block._clear_cached_op()
