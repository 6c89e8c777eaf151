"""What the statements of a notebook's cell bind, change and use, without executing them."""

from __future__ import annotations

import ast
import re
import symtable
import textwrap
from dataclasses import dataclass

MAGIC = re.compile(r"\s*([%!?]|[\w, ]*= ?[%!])|.*\?\s*$")
MOST_MAGICS = 20  # in one cell
COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Try)


@dataclass(frozen=True)
class Statement:
    """A statement of the top level: its lines, and the names that it binds, changes and uses.

    `a.b = c` changes a, and uses c.
    """

    text: str
    bound: frozenset[str]
    changed: frozenset[str]
    used: frozenset[str]


def python(source: str) -> str:
    """Return the text of a cell as Python: lines that are IPython's alone become a `pass`."""
    lines = textwrap.dedent(source).replace("\r\n", "\n").strip("\n").split("\n")
    for _ in range(MOST_MAGICS):
        number = _broken_line("\n".join(lines))
        if number is None or not MAGIC.match(lines[number]):
            break
        indent = lines[number][: len(lines[number]) - len(lines[number].lstrip())]
        while lines[number].endswith("\\") and number + 1 < len(lines):
            del lines[number]
        lines[number] = f"{indent}pass"
    return "\n".join(lines).strip()


def _broken_line(source: str) -> int | None:
    """The index of the line at which a text stops to be Python; None if it does not."""
    try:
        ast.parse(source)
    except SyntaxError as error:
        last = source.count("\n")
        return min((error.lineno or 1) - 1, last)
    except (ValueError, RecursionError, MemoryError):
        return None
    return None


def statements(source: str) -> list[Statement]:
    """Return the statements of a text; none where it is no Python."""
    try:
        nodes = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    lines = source.split("\n")
    used: dict[tuple[int, int], tuple[str, frozenset[str]]] = {}  # several may share their lines
    found = []
    for node in nodes:
        decorators = getattr(node, "decorator_list", [])
        place = min(each.lineno for each in (node, *decorators)), node.end_lineno
        if place not in used:
            text = "\n".join(lines[place[0] - 1 : place[1]])
            used[place] = text, _globals(text)
        found.append(Statement(used[place][0], *_bound(node), used[place][1]))
    return found


def _bound(node: ast.stmt) -> tuple[frozenset[str], frozenset[str]]:
    """The names that a statement binds, and those whose objects it changes."""
    parts = ast.walk(node) if isinstance(node, COMPOUND) else [node]
    targets = [target for part in parts for target in _targets(part)]
    bound = {target for target in targets if isinstance(target, str)}
    changed = {_base(target) for target in targets if not isinstance(target, str)}
    return frozenset(bound), frozenset(changed - {""})


def _targets(node: ast.AST) -> list[str | ast.expr]:
    """What a statement binds: names as text, and parts of objects as expressions."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):  # "*" for an import of all names
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    if isinstance(node, (ast.For, ast.AnnAssign, ast.AugAssign)):
        targets = [node.target]
    elif isinstance(node, ast.Assign):
        targets = node.targets
    else:
        return []
    flat = [part for target in targets for part in _flat(target)]
    return [part.id if isinstance(part, ast.Name) else part for part in flat]


def _flat(target: ast.expr) -> list[ast.expr]:
    if isinstance(target, (ast.Tuple, ast.List)):
        return [part for each in target.elts for part in _flat(each)]
    return _flat(target.value) if isinstance(target, ast.Starred) else [target]


def _base(target: ast.expr) -> str:
    """The name of the object of which a part is bound: "a" for `a.b[0]`; "" if it has none."""
    while isinstance(target, (ast.Attribute, ast.Subscript)):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def _globals(text: str) -> frozenset[str]:
    """The names that a text looks up outside of itself: no arguments, no local variables."""
    try:
        tables = [symtable.symtable(text, "<cell>", "exec")]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    found = set()
    while tables:
        table = tables.pop()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global()):
                found.add(symbol.get_name())
        tables += table.get_children()
    return frozenset(found)
