"""Find the code to grade in a submission: its answers, and what they need.

The release decides what is asked. In a student's notebook, cells may have been lost, copied, moved
or renamed, and may have lost their metadata: an answer is found by the names that its stub defines,
and by nbgrader's id. From the other cells it takes what the answers use: imports, functions,
classes and variables. A training that the student tried out is left behind. Where there is no
answer that can run, a sentence says what is there instead. Nothing is executed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

from grader.statements import Statement, python, statements, syntax_error, text_of_assignment
from grader.validate import Cell, RefusedError, Submission

MOST_STATEMENTS = 5000  # in one notebook
DEFINES = re.compile(r"^(?:async +)?(?:def|class) +(\w+)", re.MULTILINE)
STUDENT = "student"  # the variable that holds a student's name
FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)  # code in Markdown

UNCHANGED = "There is no answer: the cell is as it was handed out."
EMPTY = "There is no answer: the cell is empty."
GONE = "There is no answer: its cell is gone, and no other cell defines {names}."
TOO_LONG = "The cell of this answer is too long to be read. Keep the answer alone in it."
TEXT = (
    "The cell of this answer is a text cell, which Jupyter does not run, and its text is not code "
    "that can be graded. Turn it into a code cell (select it, press Escape, then Y). {reason}"
)
GRADED_TEXT = (
    "The cell of this answer is a text cell, which Jupyter does not run. Its text was graded as "
    "code."
)


@dataclass(frozen=True)
class Answers:
    """The code to grade: cells with answers by grade id, helpers, and all sources in order.

    `problems` are sentences, by grade id, on why there is no answer or why it cannot run; `notes`
    say what is unusual about an answer that is graded. `broken` is why another cell cannot run, "".
    """

    cells: dict[str, str] = field(default_factory=dict)
    helpers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    broken: str = ""


@dataclass(frozen=True)
class _Cell:
    """A cell as Python, with the id that nbgrader gave it, or "", and its text in the notebook."""

    source: str
    grade_id: str
    statements: tuple[Statement, ...]
    original: str
    is_code: bool = True

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
        if cell.grade_id not in ignored and cell.source.strip() not in ignored:
            cells.append(_cell(cell.source, cell.grade_id, cell.is_code))
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
    is_answer = {id(cell) for cell in chosen.values()}
    written = [cell for cell in written if cell.is_code or id(cell) in is_answer]
    asked = {name for wanted in stub_names.values() for name in wanted}
    helpers = _helpers(written, list(chosen.values()), asked, setup_names)
    sources: list[str] = []
    for cell in written:
        sources += [cell.source] if id(cell) in is_answer else helpers[id(cell)]
    problems = {
        grade_id: syntax_error(chosen[grade_id].original)
        if grade_id in chosen
        else _missing(submission, grade_id, stub, stub_names[grade_id])
        for grade_id, stub in stubs.items()
    }
    others = [
        cell
        for cell in written
        if not (id(cell) in is_answer or cell.statements or cell.original.startswith("%%"))
    ]
    errors = (syntax_error(cell.original) for cell in [*chosen.values(), *others])
    return Answers(
        cells={grade_id: cell.source for grade_id, cell in chosen.items()},
        helpers=tuple(text for texts in helpers.values() for text in texts),
        sources=tuple(sources),
        problems={grade_id: problem for grade_id, problem in problems.items() if problem},
        notes={grade_id: GRADED_TEXT for grade_id, cell in chosen.items() if not cell.is_code},
        broken=next(filter(None, errors), ""),
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


def _cell(source: str, grade_id: str = "", is_code: bool = True) -> _Cell:
    code = source if is_code else "\n".join(FENCED.findall(source)) or source
    text = python(code)
    return _Cell(text, grade_id, tuple(statements(text)), code, is_code)


def _answer(written: list[_Cell], grade_id: str, wanted: set[str]) -> _Cell | None:
    """The last cell that defines the wanted names, preferably with the id; else one with the id.

    Text is only taken where no code defines the names. A cell that is not Python defines what it
    seems to define.
    """
    complete = [cell for cell in written if wanted and wanted <= cell.names]
    seeming = [cell for cell in written if wanted and wanted <= _seeming_names(cell)]
    code, text = ([c for c in complete if c.is_code is is_code] for is_code in (True, False))
    for cells in (code, text):
        if cells:
            with_id = [cell for cell in cells if cell.grade_id == grade_id]
            return (with_id or cells)[-1]
    with_id = [cell for cell in written if cell.grade_id == grade_id and cell.is_code]
    return next(reversed(with_id or [cell for cell in seeming if cell.is_code]), None)


def _seeming_names(cell: _Cell) -> set[str]:
    """What a cell that is not Python looks like defining; nothing for one that is."""
    return set() if cell.statements else set(re.findall(DEFINES, cell.source))


def _missing(submission: Submission, grade_id: str, stub: str, wanted: set[str]) -> str:
    """Say in a sentence what is there in place of an answer."""
    cells: list[Cell] = [cell for cell in submission.cells if cell.grade_id == grade_id]
    if any(cell.is_too_long for cell in cells):
        return TOO_LONG
    for cell in cells:
        if not cell.is_code and cell.source.strip() not in ("", stub.strip()):
            return TEXT.format(reason=syntax_error(_cell(cell.source, "", False).original)).strip()
    if not cells:
        return GONE.format(names=" and ".join(sorted(wanted)))
    return UNCHANGED if any(cell.source.strip() for cell in cells) else EMPTY


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
