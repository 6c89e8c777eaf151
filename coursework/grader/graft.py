"""From a submission to the code that is graded: its answers, and what they need.

The release decides what is asked. A student's notebook may have lost, doubled, moved or renamed
cells, and their metadata: an answer is found by nbgrader's id, or by the names that its stub
defines. The code comes along as text; nothing is executed here.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from grader.validate import Cell, Submission

MAGIC = re.compile(r"^\s*[%!?].*$", re.MULTILINE)


@dataclass(frozen=True)
class Graft:
    """Code cells in the order of execution, and which questions nobody has answered."""

    sources: list[str]
    unanswered: list[str]


def graft(submission: Submission, stubs: dict[str, str], given: set[str]) -> Graft:
    """Return the student's code for the questions whose stubs are named.

    `stubs` maps each grade id to the text of its stub; `given` are the texts of the release's other
    code cells, which have no place among the answers: the notebook's own checks, for example.
    """
    answers = {grade_id: _answer(submission, grade_id, stub) for grade_id, stub in stubs.items()}
    chosen = {id(cell) for cell in answers.values() if cell}
    sources = []
    for cell in submission.cells:
        is_helper = cell.kind == "code" and _plain(cell.source) not in given
        if id(cell) in chosen or (is_helper and not _is_answer(cell, stubs)):
            sources.append(_plain(cell.source))
    return Graft(
        [source for source in sources if source.strip()],
        [grade_id for grade_id, cell in answers.items() if cell is None],
    )


def names(source: str) -> set[str]:
    """The functions, classes and variables that a text defines at its top level."""
    try:
        tree = ast.parse(_plain(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _answer(submission: Submission, grade_id: str, stub: str) -> Cell | None:
    """The last cell that has the id and is more than the stub, or else defines the same names."""
    code = [cell for cell in submission.cells if cell.kind == "code"]
    worked = [cell for cell in code if cell.source.strip() and cell.source.strip() != stub.strip()]
    with_id = [cell for cell in worked if cell.grade_id == grade_id]
    wanted = names(stub)
    with_names = [cell for cell in worked if wanted and wanted <= names(cell.source)]
    return next(reversed(with_id or with_names), None)


def _is_answer(cell: Cell, stubs: dict[str, str]) -> bool:
    """Whether a cell is a doubled or an empty answer, which must not replace the chosen one."""
    if cell.grade_id in stubs or cell.source.strip() in {stub.strip() for stub in stubs.values()}:
        return True
    defined = names(cell.source)
    return any(names(stub) and names(stub) <= defined for stub in stubs.values())


def _plain(source: str) -> str:
    """The text without what is IPython's and not Python's: each such line becomes a `pass`."""
    return MAGIC.sub(lambda line: re.match(r"\s*", line[0])[0] + "pass", source)
