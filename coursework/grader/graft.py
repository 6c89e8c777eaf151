"""From a submission to the code that is graded: its answers, and what they need.

The release decides what is asked. A student's notebook may have lost, doubled, moved or renamed
cells, and their metadata: an answer is found by nbgrader's id, or by the names that its stub
defines. Of the other cells comes along what the answers use: imports, functions, classes and
variables. A training that a student has tried out does not run again. Nothing is executed here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from grader.validate import Submission

MAGIC = re.compile(r"^([ \t]*)(?:(?:[\w, ]+= ?)?[%!].*|\??[\w.]+\?+)$", re.MULTILINE)
COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Try)


@dataclass(frozen=True)
class Graft:
    """What is graded: the helpers and then the answers, by grade id, as Python."""

    helpers: str
    answers: dict[str, str]

    @property
    def sources(self) -> list[str]:
        """The cells to execute, in order."""
        return [self.helpers, *self.answers.values()]


def graft(submission: Submission, stubs: dict[str, str], given: set[str]) -> Graft:
    """Return the student's code for the questions whose stubs are named.

    `stubs` maps each grade id to the text of its stub; `given` are the texts of the release's other
    code cells, which are not the student's.
    """
    code = [(cell.grade_id, python(cell.source)) for cell in submission.cells if cell.is_code]
    found = {grade_id: _answer(code, grade_id, stub) for grade_id, stub in stubs.items()}
    answers = {grade_id: source for grade_id, source in found.items() if source}
    others = [source for grade_id, source in code if grade_id not in stubs and source not in given]
    asked = {name for stub in stubs.values() for name in names(stub)}
    return Graft(_helpers(others, answers.values(), asked), answers)


def python(source: str) -> str:
    """The text of a cell as Python: where it is none, each line of IPython's becomes a `pass`."""
    source = source.strip()
    return source if _statements(source) else MAGIC.sub(r"\1pass", source)


def names(source: str) -> set[str]:
    """The functions, classes and variables that a text defines at its top level."""
    return {name for node in _statements(source) for name in _bound(node)}


def _answer(code: list[tuple[str, str]], grade_id: str, stub: str) -> str:
    """The last cell that has the id and is more than the stub, or else defines the same names."""
    worked = [(found, source) for found, source in code if source not in ("", stub.strip())]
    with_id = [source for found, source in worked if found == grade_id]
    wanted = names(stub)
    with_names = [source for _, source in worked if wanted and wanted <= names(source)]
    return next(reversed(with_id or with_names), "")


def _helpers(others: list[str], answers: Iterable[str], asked: set[str]) -> str:
    """The statements of the other cells that bind what the answers use, or what these use."""
    statements = [(node, source) for source in others for node in _statements(source)]
    needed = {name for source in answers for node in _statements(source) for name in _used(node)}
    chosen: set[int] = set()
    while True:
        more = {
            index
            for index, (node, _) in enumerate(statements)
            if index not in chosen and (_bound(node) - asked) & (needed | {"*"})
        }
        if not more:
            return "\n".join(_text(*statements[index]) for index in sorted(chosen))
        chosen |= more
        needed |= {name for index in more for name in _used(statements[index][0])}


def _text(node: ast.stmt, source: str) -> str:
    """The lines of a statement, its decorators included."""
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    return "\n".join(source.split("\n")[first - 1 : node.end_lineno])


def _statements(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _used(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _bound(node: ast.stmt) -> set[str]:
    """The names that a statement of the top level binds; "*" for an import of all names."""
    parts = ast.walk(node) if isinstance(node, COMPOUND) else [node]
    return {name for part in parts for name in _bound_by(part)}


def _bound_by(node: ast.AST) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {name for target in targets for name in _used(target)}
    return set()
