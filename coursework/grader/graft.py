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
    """A code cell as Python, with the id that nbgrader gave it, or ""."""

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
    answers and the texts of the release's own cells: neither comes along. `setup_names` are
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
    is_answer = {id(cell) for cell in chosen.values()}
    sources: list[str] = []
    for cell in worked:
        sources += [cell.source] if id(cell) in is_answer else helpers[id(cell)]
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
    """The statements, by the id of their cell, that the answers use, or that these use."""
    is_answer = {id(cell) for cell in answers}
    last = max((i for i, cell in enumerate(worked) if id(cell) in is_answer), default=0)
    loose = [
        (i, statement)
        for i, cell in enumerate(worked)
        if id(cell) not in is_answer
        for statement in cell.statements
    ]
    offered = _offered(loose, last, asked, setup_names)
    needed = ["*", *asked, *(n for cell in answers for each in cell.statements for n in each.used)]
    chosen: set[int] = set()
    while needed:
        new = set(offered.pop(needed.pop(), ())) - chosen
        chosen |= new
        needed += [name for number in new for name in loose[number][1].used]
    found: dict[int, dict[int, str]] = {id(cell): {} for cell in worked}
    for number in sorted(chosen):
        i, statement = loose[number]
        found[id(worked[i])][statement.line] = statement.text  # once, where several share a line
    return {cell: list(texts.values()) for cell, texts in found.items()}


def _offered(
    loose: list[tuple[int, Statement]], last: int, asked: set[str], setup_names: set[str]
) -> dict[str, list[int]]:
    """The numbers of the statements that bind a name, or change its object, by that name.

    `loose` are statements with the places of their cells. Those behind the last answer bind only
    names that nothing before them binds: what a student has run there came after the answers.
    """
    early, late, changed = (defaultdict(list) for _ in range(3))
    modules = setup_names | {name for _, each in loose if each.is_import for name in each.bound}
    for number, (place, statement) in enumerate(loose):
        for name in statement.bound - asked:
            (early if place < last else late)[name].append(number)
        for name in statement.changed - modules:  # `numpy.save(...)` changes nothing here
            changed[name].append(number)
    for name in late.keys() - early.keys() - setup_names:
        early[name] = late[name]
    return {name: early[name] + changed[name] for name in early.keys() | changed.keys()}
