"""The folder that is shown inside the jail stands alone, and limits the time of answers."""

import ast
import itertools
import sys
import time

import pytest
from submissions import COURSEWORK

from jailed.program import EndlessError, answer, execute, limited

JAILED = COURSEWORK / "jailed"
ALLOWED = {*sys.stdlib_module_names, "jailed", "mxnet", "numpy", "utils"}


def imported(path):
    """The top-level packages that a module imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not any(node.level for node in nodes if isinstance(node, ast.ImportFrom))
    return {name.partition(".")[0] for name in names}


def test_it_imports_nothing_of_the_grader_or_of_the_items():
    modules = list(JAILED.rglob("*.py"))
    assert len(modules) > 3
    assert set().union(*map(imported, modules)) <= ALLOWED


def test_a_loop_without_end_is_stopped_after_its_seconds_of_the_processor():
    """Other programs may have kept the processor busy meanwhile; that is not the answer's fault."""
    before = time.process_time()
    with pytest.raises(EndlessError), limited(0.2):
        for _ in itertools.count():
            pass
    assert time.process_time() - before < 2


def test_waiting_is_stopped_too_but_later():
    with limited(0.2):
        time.sleep(0.3)
    with pytest.raises(EndlessError), limited(0.2):
        time.sleep(60)


@pytest.mark.parametrize(
    ("sources", "error"),
    [
        (["import nothing_there\ndef wanted(): pass"], "ModuleNotFoundError"),
        (["1 / 0", "int('x')\ndef wanted(): pass"], "ValueError"),
        (["1 / 0", "def other(): pass"], ""),
    ],
)
def test_where_a_name_is_missing_the_error_that_ended_its_source_is_told(sources, error):
    names, errors = execute(sources, 10)
    request = {"procedure": "numbers", "name": "wanted", "arguments": {}, "keys": []}
    frame = answer(0, names, errors, request, 10)
    assert (frame.error, frame.text) == ("MissingError", error)


@pytest.mark.parametrize(
    "left_behind",
    [
        "npx.softmax(np.ones((2, 3), dtype='int32'))",
        "np.ones((3, 4))[np.array([7, 9])]",
        "autograd.set_training(True)",
        "autograd.set_recording(True)",
    ],
)
def test_what_other_code_left_behind_does_not_count(left_behind):
    """Errors that come late, and settings that nobody switched off."""
    imports = "from mxnet import autograd, np, npx"
    wanted = "def wanted():\n    npx.waitall()\n    return float(autograd.is_training())"
    names, errors = execute([imports, left_behind, wanted], 10)
    request = {"procedure": "numbers", "name": "wanted", "arguments": {}, "keys": []}
    frame = answer(0, names, errors, request, 10)
    assert frame.error == ""
    assert frame.arrays == [0.0]
