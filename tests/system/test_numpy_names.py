"""The names that MXNet reads and numpy has removed: collected from MXNet, restored if missing."""

import ast
import importlib.util
import json
import subprocess
from pathlib import Path

import numpy
import pytest

from notebooks import ROOT
from utils.setup import machine

LISTS = ("numpy/fallback.py", "numpy_dispatch_protocol.py")  # these also hold names as strings


def sources():
    """MXNet's modules and the part of d2l that is written for it."""
    for package, pattern in (("mxnet", "**/*.py"), ("d2l", "mxnet.py")):
        folder = Path(importlib.util.find_spec(package).origin).parent
        yield from folder.glob(pattern)


def names_read(path):
    """The names that a module reads from numpy: `onp.bool`, and strings in lists of names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    aliases = {a.asname or a.name for node in imports for a in node.names if a.name == "numpy"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in aliases:
                yield node.attr
        elif isinstance(node, ast.List) and str(path).endswith(LISTS):
            yield from (e.value.split(".")[0] for e in node.elts if isinstance(e, ast.Constant))


@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # in sources that are read
@pytest.mark.slow
@pytest.mark.xdist_group("environments")
@pytest.mark.network
def test_every_name_that_mxnet_and_d2l_read_is_there_in_colab(colab):
    """Some are missing from its numpy, and none after utils has restored them."""
    read = sorted({name for path in sources() for name in names_read(path)})
    assert len(read) > 100
    code = (
        "import json, sys, warnings, numpy; warnings.simplefilter('ignore')\n"
        "missing = lambda: [n for n in json.loads(sys.argv[1]) if not hasattr(numpy, n)]\n"
        "before = missing(); import utils; print(json.dumps([before, missing()]))"
    )
    printed = subprocess.check_output([colab, "-c", code, json.dumps(read)], cwd=ROOT, text=True)
    before, after = json.loads(printed)
    assert len(before) > 10
    assert after == []


def test_only_missing_names_are_restored(monkeypatch):
    machine.restore_numpy_names()
    for name in ("alltrue", "PZERO"):
        monkeypatch.delattr(numpy, name)
    assert sorted(machine.restore_numpy_names()) == ["PZERO", "alltrue"]
    assert numpy.alltrue([True, True])
    assert numpy.PZERO == 0
    assert machine.restore_numpy_names() == ()


def test_the_financial_functions_say_where_they_have_gone():
    with pytest.raises(NotImplementedError, match="numpy-financial"):
        machine.removed_numpy_names()["npv"](0.1, [1, 2])
