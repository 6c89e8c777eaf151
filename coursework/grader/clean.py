"""A submission as nbgrader gets to see it: the release, with a student's answers put into it.

Nothing that could run comes along: no HTML, no program among the outputs. A person who grades it in
a browser opens what a stranger has written.
"""

from __future__ import annotations

import copy

import nbformat
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode

from grader.assignment import Assignment, grade_id
from grader.graft import Graft
from grader.validate import Cell, Submission

HELPERS = "# From other cells of the submission: what the answers below use."


def clean(assignment: Assignment, submission: Submission, graft: Graft) -> NotebookNode:
    """Return the release with a student's answers."""
    notebook = copy.deepcopy(assignment.release)
    for index, cell in enumerate(notebook.cells):
        if grade_id(cell) in graft.answers:
            cell.source = graft.answers[grade_id(cell)]
        elif grade_id(cell) in assignment.by_hand:
            answer = _by_hand(submission, grade_id(cell), notebook.cells[index - 1].source)
            if answer:
                _fill(cell, answer)
    if graft.helpers:
        helpers = nbformat.v4.new_code_cell(f"{HELPERS}\n{graft.helpers}", id="helpers")
        notebook.cells.insert(_first_answer(notebook, assignment), helpers)
    return notebook


def refused(assignment: Assignment, reason: str) -> NotebookNode:
    """Return the release with a note that there was nothing to put into it."""
    notebook = copy.deepcopy(assignment.release)
    text = _harmless(f"**This submission could not be read.** {reason}")
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(text, id="refused"))
    return notebook


def _by_hand(submission: Submission, wanted: str, before: str) -> Cell | None:
    """The last cell with the id, or else the one behind the text that asks for it."""
    with_id = [cell for cell in submission.cells if cell.grade_id == wanted]
    behind = [
        cell
        for asking, cell in zip(submission.cells, submission.cells[1:])
        if asking.source.strip() == before.strip()
    ]
    return next(reversed(with_id or behind), None)


def _fill(cell: NotebookNode, answer: Cell) -> None:
    if cell.cell_type == "code":
        cell.source = answer.source
        cell.outputs = [nbformat.from_dict(output) for output in answer.outputs]
    else:
        cell.source = _harmless(answer.source)


def _harmless(text: str) -> str:
    """Markdown without HTML that does something, and without links: they can hold programs."""
    return SanitizeHTML().sanitize_html_tags(text).replace("[", "&#91;")


def _first_answer(notebook: NotebookNode, assignment: Assignment) -> int:
    return next(i for i, cell in enumerate(notebook.cells) if grade_id(cell) in assignment.stubs)
