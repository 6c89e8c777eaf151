"""Find the code to grade in a submission: its answers, and what they need.

The release decides what is asked. In a student's notebook, cells may have been lost, copied, moved
or renamed, and may have lost their metadata: an answer is found by the names that its stub defines,
and by nbgrader's id. From the other cells it takes what the answers use: imports, functions,
classes and variables. A training that the student tried out is left behind. Nothing is executed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from grader.statements import Statement, python, statements, text_of_assignment
from grader.validate import RefusedError, Submission

MOST_STATEMENTS = 5000  # in one notebook
STUDENT = "student"  # the variable that holds a student's name


@dataclass(frozen=True)
class Answers:
    """The code to grade: cells with answers by grade id, helpers, and all sources in order."""

    cells: dict[str, str] = field(default_factory=dict)
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


def find(
    submission: Submission, stubs: dict[str, str], ignored: set[str], setup_names: set[str]
) -> Answers:
    """Return the answers to the given stubs, and the statements that they need.

    `stubs` maps grade ids to the texts of the stubs. `ignored` holds grade ids and texts of cells
    to leave out: answers graded by hand, and the release's own cells. `setup_names` are defined
    before anything else. Raises RefusedError where there is more code than anybody writes.
    """
    cells: list[_Cell] = []
    for cell in submission.cells:
        if cell.is_code and cell.grade_id not in ignored and cell.source.strip() not in ignored:
            cells.append(_cell(cell.source, cell.grade_id))
            if sum(len(cell.statements) for cell in cells) > MOST_STATEMENTS:
                raise RefusedError(
                    "The notebook has more than {most} statements.".format(most=MOST_STATEMENTS)
                )
    stub_names = {grade_id: _cell(stub).names for grade_id, stub in stubs.items()}
    unwritten = {stub.strip() for stub in stubs.values()} | {""}
    written = [cell for cell in cells if cell.source not in unwritten]
    chosen = {
        grade_id: cell
        for grade_id, wanted in stub_names.items()
        if (cell := _answer(written, grade_id, wanted))
    }
    asked = {name for wanted in stub_names.values() for name in wanted}
    helpers = _helpers(written, list(chosen.values()), asked, setup_names)
    is_answer = {id(cell) for cell in chosen.values()}
    sources: list[str] = []
    for cell in written:
        sources += [cell.source] if id(cell) in is_answer else helpers[id(cell)]
    return Answers(
        cells={grade_id: cell.source for grade_id, cell in chosen.items()},
        helpers=tuple(text for texts in helpers.values() for text in texts),
        sources=tuple(sources),
    )


def written_name(submission: Submission) -> str:
    """Return the name that the student has written into the notebook, "" if there is none."""
    found = ""
    for cell in submission.cells:
        if cell.is_code and STUDENT in cell.source:
            for statement in statements(python(cell.source)):
                if STUDENT in statement.bound:
                    found = text_of_assignment(statement.text) or found
    return found


def names(source: str) -> set[str]:
    """Return the functions, classes and variables that a text defines at its top level."""
    return _cell(source).names


def _cell(source: str, grade_id: str = "") -> _Cell:
    text = python(source)
    return _Cell(text, grade_id, tuple(statements(text)))


def _answer(written: list[_Cell], grade_id: str, wanted: set[str]) -> _Cell | None:
    """The last cell that defines the wanted names, preferably with the id; else one with the id."""
    with_id = [cell for cell in written if cell.grade_id == grade_id]
    complete = [cell for cell in written if wanted and wanted <= cell.names]
    both = [cell for cell in complete if cell.grade_id == grade_id]
    return next(reversed(both or complete or with_id), None)


def _helpers(
    written: list[_Cell], answers: list[_Cell], asked: set[str], setup_names: set[str]
) -> dict[int, list[str]]:
    """The statements that answers use, directly or through others, by the id() of their cell."""
    is_answer = {id(cell) for cell in answers}
    last = max((i for i, cell in enumerate(written) if id(cell) in is_answer), default=0)
    loose = [
        (i, statement)
        for i, cell in enumerate(written)
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
    found: dict[int, dict[int, str]] = {id(cell): {} for cell in written}
    for number in sorted(chosen):
        i, statement = loose[number]
        found[id(written[i])][statement.line] = statement.text  # once, where several share a line
    return {cell: list(texts.values()) for cell, texts in found.items()}


def _offered(
    loose: list[tuple[int, Statement]], last: int, asked: set[str], setup_names: set[str]
) -> dict[str, list[int]]:
    """The numbers of the statements that bind a name or change its object, by that name.

    `loose` are statements with the positions of their cells. Statements after the last answer bind
    only names that nothing before them binds: the student ran them after the answers.
    """
    early: dict[str, list[int]] = defaultdict(list)
    late: dict[str, list[int]] = defaultdict(list)
    changed: dict[str, list[int]] = defaultdict(list)
    modules = setup_names | {name for _, each in loose if each.is_import for name in each.bound}
    for number, (position, statement) in enumerate(loose):
        for name in statement.bound - asked:
            (early if position < last else late)[name].append(number)
        for name in statement.changed - modules:  # `numpy.save(...)` changes nothing here
            changed[name].append(number)
    for name in late.keys() - early.keys() - setup_names:
        early[name] = late[name]
    return {name: early[name] + changed[name] for name in early.keys() | changed.keys()}
