"""From a submission to the code that is graded: its answers, and what they need.

The release decides what is asked. A student's notebook may have lost, doubled, moved or renamed
cells, and their metadata: an answer is found by the names that its stub defines, and by nbgrader's
id. Of the other cells comes along what the answers use: imports, functions, classes and variables.
A training that a student has tried out does not run again. Nothing is executed here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from grader.statements import Statement, python, statements
from grader.validate import RefusedError, Submission

MOST_STATEMENTS = 5000  # in one notebook


@dataclass(frozen=True)
class Graft:
    """What is graded: answers by grade id, and all sources to execute, in order, as Python."""

    answers: dict[str, str] = field(default_factory=dict)
    helpers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Cell:
    """A code cell as Python; `answers` is the grade id whose answer it is, or ""."""

    source: str
    grade_id: str
    statements: tuple[Statement, ...]

    @property
    def names(self) -> set[str]:
        return {name for statement in self.statements for name in statement.bound}


def graft(
    submission: Submission, stubs: dict[str, str], others: set[str], setup_names: set[str]
) -> Graft:
    """Return the student's code for the questions whose stubs are named.

    `stubs` maps each grade id to the text of its stub. `others` are the grade ids of further
    answers and the texts of the release's other code cells: neither comes along. `setup_names` are
    those that the release's own cells define before anything else. Raises RefusedError where there
    is more code than anybody writes.
    """
    cells: list[_Cell] = []
    for cell in submission.cells:
        if cell.is_code and cell.grade_id not in others and cell.source.strip() not in others:
            cells.append(_cell(cell.source, cell.grade_id))
            if sum(len(cell.statements) for cell in cells) > MOST_STATEMENTS:
                raise RefusedError(f"The notebook has more than {MOST_STATEMENTS} statements.")
    stub_names = {grade_id: _cell(stub).names for grade_id, stub in stubs.items()}
    texts = {stub.strip() for stub in stubs.values()} | {""}
    worked = [cell for cell in cells if cell.source not in texts]
    chosen = {
        grade_id: cell
        for grade_id, wanted in stub_names.items()
        if (cell := _answer(worked, grade_id, wanted))
    }
    asked = {name for wanted in stub_names.values() for name in wanted}
    helpers = _helpers(worked, list(chosen.values()), asked, setup_names)
    order = {id(cell): grade_id for grade_id, cell in chosen.items()}
    sources: list[str] = []
    for cell in worked:
        sources += [cell.source] if id(cell) in order else helpers[id(cell)]
    return Graft(
        {grade_id: cell.source for grade_id, cell in chosen.items()},
        tuple(text for texts in helpers.values() for text in texts),
        tuple(sources),
    )


def names(source: str) -> set[str]:
    """The functions, classes and variables that a text defines at its top level."""
    return _cell(source).names


def _cell(source: str, grade_id: str = "") -> _Cell:
    text = python(source)
    return _Cell(text, grade_id, tuple(statements(text)))


def _answer(worked: list[_Cell], grade_id: str, wanted: set[str]) -> _Cell | None:
    """The last cell that defines what is wanted, rather one with the id; else the one with it."""
    with_id = [cell for cell in worked if cell.grade_id == grade_id]
    complete = [cell for cell in worked if wanted and wanted <= cell.names]
    both = [cell for cell in complete if cell.grade_id == grade_id]
    return next(reversed(both or complete or with_id), None)


def _helpers(
    worked: list[_Cell], answers: list[_Cell], asked: set[str], setup_names: set[str]
) -> dict[int, list[str]]:
    """The statements, by the id of their cell, that the answers use, or that these use.

    What stands behind the last answer only counts for names that are not there before.
    """
    is_answer = {id(cell) for cell in answers}
    last = max((i for i, cell in enumerate(worked) if id(cell) in is_answer), default=0)
    binders: dict[str, list[tuple[int, int]]] = defaultdict(list)
    late: dict[str, list[tuple[int, int]]] = defaultdict(list)
    changers: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for i, cell in enumerate(worked):
        if id(cell) in is_answer:
            continue
        for j, statement in enumerate(cell.statements):
            for name in statement.bound - asked:
                (binders if i < last else late)[name].append((i, j))
            for name in statement.changed:
                changers[name].append((i, j))
    needed = ["*", *asked, *(n for cell in answers for each in cell.statements for n in each.used)]
    chosen: set[tuple[int, int]] = set()
    seen: set[str] = set()
    while needed:
        name = needed.pop()
        if name in seen:
            continue
        seen.add(name)
        early = binders[name]
        for place in [*(early or ([] if name in setup_names else late[name])), *changers[name]]:
            if place not in chosen:
                chosen.add(place)
                needed += worked[place[0]].statements[place[1]].used
    found: dict[int, list[str]] = {id(cell): [] for cell in worked}
    for i, j in sorted(chosen):
        found[id(worked[i])].append(worked[i].statements[j].text)
    return {cell: list(dict.fromkeys(texts)) for cell, texts in found.items()}
