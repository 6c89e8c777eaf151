"""A submission as nbgrader gets to see it: the release, with a student's answers put into it.

Nothing that could run comes along: a person who grades it opens in a browser what a stranger has
written. Markdown becomes HTML without scripts here, outputs become text and pictures.
"""

from __future__ import annotations

import base64
import copy
import html
import re

import nbformat
from nbconvert.filters import markdown2html
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode

from grader.assignment import Assignment, grade_id, is_fixed
from grader.graft import Graft
from grader.validate import Cell, Submission, text_of

HELPERS = "# From other cells of the submission: what the answers below use.\n"
LONGEST_TEXT = 20_000  # characters, that are shown with their form
MOST_OUTPUTS = 200  # of one cell
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
# What Markdown is made of, without pictures: they would be fetched from anywhere.
TAGS = [
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li"),
    *("em", "strong", "b", "i", "code", "pre", "a", "table", "thead", "tbody", "tr", "th", "td"),
]


def clean(assignment: Assignment, submission: Submission, graft: Graft) -> NotebookNode:
    """Return the release with a student's answers in it.

    Cells that are given, but for the student to run, come with their outputs: a curve to explain.
    Behind an answer that a person grades follow the cells that the student has added there.
    """
    cells: list[NotebookNode] = []
    for given in copy.deepcopy(assignment.release.cells):
        before = cells[-1].source if cells else ""
        cells.append(given)
        if grade_id(given) in graft.answers:
            given.source = graft.answers[grade_id(given)]
        elif grade_id(given) in assignment.by_hand:
            first, *added = _by_hand(assignment, submission, given, before)
            _fill(given, first)
            cells += [_added(cell, f"{given.id}-{i}") for i, cell in enumerate(added)]
        elif given.cell_type == "code" and not is_fixed(given):
            places = _behind(submission, before)
            _fill(given, submission.cells[places[-1]] if places else Cell(True, given.source))
    if graft.helpers:
        first = next(i for i, cell in enumerate(cells) if grade_id(cell) in assignment.stubs)
        source = HELPERS + "\n".join(graft.helpers)
        cells.insert(first, nbformat.v4.new_code_cell(source, id="helpers"))
    return _with_cells(assignment, cells)


def refused(assignment: Assignment, reason: str) -> NotebookNode:
    """Return the release with a note that there was nothing to put into it."""
    note = harmless(f"**This submission could not be read.** {reason}")
    cell = nbformat.v4.new_markdown_cell(note, id="refused")
    return _with_cells(assignment, [cell, *copy.deepcopy(assignment.release.cells)])


def harmless(markdown: str) -> str:
    """Return Markdown as HTML that does nothing: no scripts, and links to pages alone.

    Without square brackets nothing in it is a link once more, when it is shown as Markdown.
    """
    if len(markdown) > LONGEST_TEXT:  # which could take minutes
        return f"<pre>{html.escape(markdown)}</pre>".replace("[", "&#91;")
    page = SanitizeHTML(tags=TAGS, strip=True).sanitize_html_tags(markdown2html(markdown))
    return page.replace("[", "&#91;")


def _with_cells(assignment: Assignment, cells: list[NotebookNode]) -> NotebookNode:
    notebook = copy.copy(assignment.release)
    notebook.cells = cells
    return notebook


def _by_hand(
    assignment: Assignment, submission: Submission, given: NotebookNode, before: str
) -> list[Cell]:
    """The answer, and the cells behind it as far as the student has added them.

    It is the last cell with the id that is not as it was released; or else, where the ids are gone,
    the one behind the text that asks for it.
    """
    texts = {cell.source.strip() for cell in assignment.release.cells}
    ids = {grade_id(cell) for cell in assignment.release.cells} - {""}
    cells = submission.cells
    with_id = [i for i, cell in enumerate(cells) if cell.grade_id == grade_id(given)]
    changed = [i for i in with_id if cells[i].source.strip() not in texts]
    places = changed or with_id or _behind(submission, before)
    if not places:
        return [Cell(True, given.source)]
    end = places[-1] + 1
    while end < len(cells) and cells[end].source.strip() not in texts | {""}:
        if cells[end].grade_id in ids:
            break
        end += 1
    return cells[places[-1] : end]


def _behind(submission: Submission, text: str) -> list[int]:
    """The places behind a text."""
    cells = submission.cells
    return [i for i in range(1, len(cells)) if cells[i - 1].source.strip() == text.strip()]


def _fill(cell: NotebookNode, answer: Cell) -> None:
    if cell.cell_type == "code":
        cell.source, cell.outputs = answer.source, _outputs(answer)
    elif answer.source.strip() != cell.source.strip():  # nbgrader sees that nothing was written
        cell.source = harmless(answer.source)


def _added(cell: Cell, name: str) -> NotebookNode:
    if cell.is_code:
        return nbformat.v4.new_code_cell(cell.source, outputs=_outputs(cell), id=name)
    return nbformat.v4.new_markdown_cell(harmless(cell.source), id=name)


def _outputs(cell: Cell) -> list[NotebookNode]:
    found = [_output(output) for output in cell.outputs[:MOST_OUTPUTS]]
    return [output for output in found if output]


def _output(output: object) -> NotebookNode | None:
    """An output as text or as a picture; None for all else."""
    if not isinstance(output, dict):
        return None
    if text := text_of(output.get("text")):
        return nbformat.v4.new_output("stream", name="stdout", text=text)
    data = output.get("data")
    if not isinstance(data, dict):
        return None
    kept = {"text/plain": text_of(data.get("text/plain")) or ""}
    for kind in ("image/png", "image/jpeg"):
        picture = text_of(data.get(kind))
        if picture and BASE64.fullmatch(picture):
            kept[kind] = picture
    if drawing := text_of(data.get("image/svg+xml")):  # within <img> it cannot run a program
        packed = base64.b64encode(drawing.encode()).decode()
        kept["text/html"] = f'<img alt="drawing" src="data:image/svg+xml;base64,{packed}">'
    return nbformat.v4.new_output("display_data", kept)
