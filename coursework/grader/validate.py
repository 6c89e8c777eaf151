"""Read what a student has handed in: a notebook, or a sentence on why it is not one.

Nothing is executed, and links are not followed.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from grader.limits import FileLimits


class RefusedError(Exception):
    """A submission cannot be graded; the message is a sentence for the student."""


@dataclass(frozen=True)
class Cell:
    """What grading needs of a cell: its text, nbgrader's id or "", and its outputs.

    Outputs are unchanged from the file and must not be trusted. A cell that is too long comes
    without its text: it holds the toolbox of a notebook packed for Colab.
    """

    is_code: bool
    source: str
    grade_id: str = ""
    outputs: tuple[object, ...] = ()
    is_too_long: bool = False


@dataclass(frozen=True)
class Submission:
    """The cells of a submitted notebook."""

    cells: list[Cell] = field(default_factory=list)


def read(path: Path, limits: FileLimits) -> Submission:
    """Return the cells of a submission. Raises RefusedError."""
    return Submission(_cells(_notebook(_contents(path, limits)), limits))


def _contents(path: Path, limits: FileLimits) -> bytes:
    """The bytes of a regular file. O_NOFOLLOW refuses links without a race."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        sentence = "The file cannot be read: {reason}."
        raise RefusedError(sentence.format(reason=error.strerror)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RefusedError("This is not a file. Hand in the notebook itself.")
    with os.fdopen(descriptor, "rb") as file:
        contents = file.read(limits.megabytes * 2**20 + 1)
    if len(contents) > limits.megabytes * 2**20:
        raise RefusedError(
            "The file is larger than {most} MB. Clear its outputs (Edit → Clear Outputs of All "
            "Cells), save it and hand it in again.".format(most=limits.megabytes)
        )
    return contents


def _notebook(contents: bytes) -> dict:
    if not contents.strip():
        raise RefusedError("The file is empty. Save the notebook and hand it in again.")
    try:
        notebook = json.loads(contents.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RefusedError("The file is not UTF-8 text, which Jupyter saves.") from error
    except (ValueError, RecursionError) as error:
        sentence = "The file is not a notebook: its JSON is broken ({reason})."
        raise RefusedError(sentence.format(reason=error)) from error
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4:
        raise RefusedError(
            "The file is not a notebook of format 4. Open it in JupyterLab, save it and hand it in "
            "again."
        )
    return notebook


def _cells(notebook: dict, limits: FileLimits) -> list[Cell]:
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise RefusedError("The notebook has no list of cells.")
    if len(cells) > limits.cells:
        sentence = "The notebook has {count} cells, more than {most}."
        raise RefusedError(sentence.format(count=len(cells), most=limits.cells))
    found = [_cell(cell, limits.cell_kilobytes * 2**10) for cell in cells]
    if sum(len(cell.source) for cell in found) > limits.source_kilobytes * 2**10:
        sentence = "The cells of the notebook hold more than {most} kB."
        raise RefusedError(sentence.format(most=limits.source_kilobytes))
    return found


def _cell(cell: dict, longest: int) -> Cell:
    source = text_of(cell.get("source", ""))
    if source is None:
        raise RefusedError("The source of a cell in the notebook is not text.")
    outputs = cell.get("outputs")
    return Cell(
        cell.get("cell_type") == "code",
        source if len(source) <= longest else "",
        _grade_id(cell),
        tuple(outputs) if isinstance(outputs, list) else (),
        len(source) > longest,
    )


def text_of(value: object) -> str | None:
    """Return what a notebook stores as one text or a list of lines; None for anything else."""
    lines = value if isinstance(value, list) else [value]
    texts = [line for line in lines if isinstance(line, str)]
    if len(texts) < len(lines):
        return None
    return "".join(texts).encode("utf-8", "replace").decode("utf-8")  # lone surrogates become "?"


def _grade_id(cell: dict) -> str:
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return grade_id if isinstance(grade_id, str) else ""
