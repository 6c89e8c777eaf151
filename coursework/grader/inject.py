"""nbgrader's step in which a notebook would be executed, replaced: the marks are put in.

They were given before, by the grader. Whoever starts nbgrader's own autograding, also from
formgrader, executes nothing of a submission.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from grader.assignment import CHECK, grade_id, nbgrader


class MissingMarksError(Exception):
    """A submission has not been marked; the message says how that is done."""


class InjectMarks(NbGraderPreprocessor):
    """Gives each check cell its points, and says of each question what was right or wrong."""

    folder = Unicode(help="where the marks are: ASSIGNMENT/STUDENT.json").tag(config=True)

    def preprocess(self, notebook: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Put the marks of a student into the notebook. Raises MissingMarksError."""
        assignment = resources["nbgrader"]["assignment"]
        path = Path(self.folder) / assignment / f"{resources['nbgrader']['student']}.json"
        if not path.exists():
            raise MissingMarksError(
                f"There is no {path}. Submissions are marked by `make grade "
                f"ASSIGNMENT={assignment} FROM=...`, and not by nbgrader."
            )
        result = json.loads(path.read_text("utf-8"))
        for cell in notebook.cells:
            if nbgrader(cell).get("grade") and not nbgrader(cell).get("solution"):
                cell.outputs = _outputs(result, grade_id(cell).removesuffix(CHECK), cell.source)
        return notebook, resources


def _outputs(result: dict, answer: str, check: str) -> list[NotebookNode]:
    """A text for the student, and the points, as nbgrader reads them: a number that comes out."""
    marks = [mark for mark in result["marks"] if mark["answer"] == answer]
    text, said = [], ""
    for mark in marks:
        text.append(f"{mark['points']:g} of {mark['of']:g}  {mark['title']}")
        if mark["why"]:
            text.append(f"{'':8}{'As above.' if mark['why'] == said else mark['why']}")
        said = mark["why"]
    if answer in result["diagnoses"]:
        text.append(f"Look first at: {result['diagnoses'][answer]}.")
        text.append(f"In your own notebook, {check.splitlines()[-1]} says more.")
    points = sum(mark["points"] for mark in marks)
    return [
        nbformat.v4.new_output(
            "stream", name="stdout", text="\n".join(text or ["No points here."]) + "\n"
        ),
        nbformat.v4.new_output(
            "execute_result", {"text/plain": str(float(points))}, execution_count=1
        ),
    ]
