"""Names that numpy has removed since 1.23 and that MXNet 1.9.1 reads, restored if missing.

The list comes from every use of numpy in MXNet 1.9.1 and d2l 1.0.3. A test collects the uses again
and looks for them in Colab's numpy. Only a missing name is added, so nothing changes for code that
does not use these names.
"""

from __future__ import annotations

import math
import warnings
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy


def _financial(*_: Any, **__: Any) -> NoReturn:
    raise NotImplementedError(
        "numpy's financial functions have moved to the package numpy-financial. MXNet only passes "
        "them on, and nothing in this course uses them."
    )


# What each name stood for.
REMOVED: dict[str, Any] = {
    "bool": bool,
    "int": int,
    "Inf": math.inf,
    "NaN": math.nan,
    "NAN": math.nan,
    "PINF": math.inf,
    "NINF": -math.inf,
    "PZERO": 0.0,
    "NZERO": -0.0,
    "alltrue": numpy.all,
    "sometrue": numpy.any,
    "product": numpy.prod,
    "round_": numpy.round,
    "in1d": numpy.isin,
    "trapz": getattr(numpy, "trapezoid", None),
    "msort": lambda a: numpy.sort(a, axis=0),
    "compat": SimpleNamespace(basestring=str),
    **dict.fromkeys(("mirr", "npv", "pmt", "ppmt", "pv", "rate"), _financial),
}


def restore() -> tuple[str, ...]:
    """Add the missing names to numpy, and return them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns about names that it will remove
        missing = tuple(name for name in REMOVED if not hasattr(numpy, name))
    for name in missing:
        setattr(numpy, name, REMOVED[name])
    return missing
