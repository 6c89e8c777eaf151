"""The numbers of a network, read and put back as numpy's arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy
from mxnet import gluon, np, npx


def learned(net: gluon.Block) -> list[gluon.Parameter]:
    """Return the parameters that have a gradient, in order."""
    return [p for p in net.collect_params().values() if p.grad_req != "null"]


def read(net: gluon.Block) -> list[numpy.ndarray]:
    """Return every parameter, running statistics too, in order; of several devices, the first's."""
    npx.waitall()  # a compiled network may otherwise hand out the values before the last step
    return [parameter.list_data()[0].asnumpy() for parameter in net.collect_params().values()]


def put(net: gluon.Block, values: Sequence[numpy.ndarray]) -> None:
    """Set every parameter, on all of its devices, to what `read` has returned."""
    for parameter, value in zip(net.collect_params().values(), values):
        parameter.set_data(np.array(value))
