"""The folder that is shown inside the jail stands alone."""

import ast
import sys

from submissions import COURSEWORK

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
