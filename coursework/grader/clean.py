"""Turn a submission into what nbgrader sees: the release with a student's answers in it.

A person who grades by hand opens it in a browser, so nothing in it may run. Markdown becomes HTML
without scripts; outputs become text and images.
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

from grader.answers import Answers
from grader.assignment import Assignment, grade_id, is_fixed
from grader.validate import Cell, Submission, text_of

HELPERS = "# From other cells of the submission: what the answers below use.\n"
LONGEST_TEXT = 20_000  # characters of Markdown; a longer text is shown as it is
MOST_OUTPUTS = 200  # of one cell
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
# The tags that Markdown needs. Without images, which could be fetched from anywhere.
HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
BLOCKS = ["p", "br", "hr", "blockquote", "pre", "ul", "ol", "li"]
INLINE = ["a", "b", "code", "em", "i", "strong"]
TABLES = ["table", "thead", "tbody", "tr", "th", "td"]
TAGS = HEADINGS + BLOCKS + INLINE + TABLES


def clean(assignment: Assignment, submission: Submission, answers: Answers) -> NotebookNode:
    """Return the release with a student's answers in it.

    Given cells that students run come with their outputs, for example a curve to explain. An answer
    graded by hand is followed by the cells that the student added to it.
    """
    cells: list[NotebookNode] = []
    for given in copy.deepcopy(assignment.release.cells):
        before = cells[-1].source if cells else ""
        cells.append(given)
        if grade_id(given) in answers.cells:
            given.source = answers.cells[grade_id(given)]
        elif grade_id(given) in assignment.by_hand:
            first, *added = _by_hand(assignment, submission, given, before)
            _fill(given, first)
            cells += [_added(cell, f"{given.id}-{i}") for i, cell in enumerate(added)]
        elif given.cell_type == "code" and not is_fixed(given):
            places = _after(submission, before)
            _fill(given, submission.cells[places[-1]] if places else Cell(True, given.source))
    if answers.helpers:
        first = next(i for i, cell in enumerate(cells) if grade_id(cell) in assignment.stubs)
        source = HELPERS + "\n".join(answers.helpers)
        cells.insert(first, nbformat.v4.new_code_cell(source, id="helpers"))
    return _with_cells(assignment, cells)


def refused(assignment: Assignment, reason: str) -> NotebookNode:
    """Return the release with a note on why the submission could not be read."""
    note = harmless("**This submission could not be read.** {reason}".format(reason=reason))
    cell = nbformat.v4.new_markdown_cell(note, id="refused")
    return _with_cells(assignment, [cell, *copy.deepcopy(assignment.release.cells)])


def harmless(markdown: str) -> str:
    """Return Markdown as HTML without scripts; its links lead only to pages.

    Square brackets are escaped, so that nothing becomes a link when it is rendered as Markdown.
    """
    if len(markdown) > LONGEST_TEXT:  # rendering could take minutes
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
    """An answer graded by hand, and the cells that the student added after it.

    The answer is the last changed cell with the id or, where ids are lost, the cell after the text
    that asks for it.
    """
    texts = {cell.source.strip() for cell in assignment.release.cells}
    ids = {grade_id(cell) for cell in assignment.release.cells} - {""}
    cells = submission.cells
    with_id = [i for i, cell in enumerate(cells) if cell.grade_id == grade_id(given)]
    changed = [i for i in with_id if cells[i].source.strip() not in texts]
    places = changed or with_id or _after(submission, before)
    if not places:
        return [Cell(True, given.source)]
    end = places[-1] + 1
    while end < len(cells) and cells[end].source.strip() not in texts | {""}:
        if cells[end].grade_id in ids:
            break
        end += 1
    return cells[places[-1] : end]


def _after(submission: Submission, text: str) -> list[int]:
    """The positions of the cells that follow a cell with this text."""
    cells = submission.cells
    return [i for i in range(1, len(cells)) if cells[i - 1].source.strip() == text.strip()]


def _fill(cell: NotebookNode, answer: Cell) -> None:
    if cell.cell_type == "code":
        cell.source, cell.outputs = answer.source, _outputs(answer)
    elif answer.source.strip() != cell.source.strip():  # else nbgrader must see the stub
        cell.source = harmless(answer.source)


def _added(cell: Cell, name: str) -> NotebookNode:
    if cell.is_code:
        return nbformat.v4.new_code_cell(cell.source, outputs=_outputs(cell), id=name)
    return nbformat.v4.new_markdown_cell(harmless(cell.source), id=name)


def _outputs(cell: Cell) -> list[NotebookNode]:
    found = [_output(output) for output in cell.outputs[:MOST_OUTPUTS]]
    return [output for output in found if output]


def _output(output: object) -> NotebookNode | None:
    """An output as text or as an image; None for everything else."""
    if not isinstance(output, dict):
        return None
    if text := text_of(output.get("text")):
        return nbformat.v4.new_output("stream", name="stdout", text=text)
    data = output.get("data")
    if not isinstance(data, dict):
        return None
    kept = {"text/plain": text_of(data.get("text/plain")) or ""}
    for kind in ("image/png", "image/jpeg"):
        image = text_of(data.get(kind))
        if image and BASE64.fullmatch(image):
            kept[kind] = image
    if drawing := text_of(data.get("image/svg+xml")):  # inside <img> its scripts do not run
        packed = base64.b64encode(drawing.encode()).decode()
        kept["text/html"] = f'<img alt="drawing" src="data:image/svg+xml;base64,{packed}">'
    return nbformat.v4.new_output("display_data", kept)
