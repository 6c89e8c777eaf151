"""Reading what somebody has handed in: a notebook, or a sentence that says why it is none.

Nothing of it is executed, and no link is followed.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from grader.limits import FileLimits

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,100}\.ipynb")


class RefusedError(Exception):
    """A submission cannot be graded; the message is a sentence for its author."""


@dataclass(frozen=True)
class Cell:
    """What grading needs of a cell: its kind, its text, and the id that nbgrader gave it, or ""."""

    kind: str
    source: str
    grade_id: str = ""


@dataclass(frozen=True)
class Submission:
    """The cells of a notebook that was handed in."""

    cells: list[Cell] = field(default_factory=list)


def read(path: Path, limits: FileLimits) -> Submission:
    """Return the cells of a submission. Raises RefusedError."""
    if not NAME.fullmatch(path.name):
        raise RefusedError(
            f"The name {path.name!r} is not that of a notebook. Hand in a file with letters, "
            "digits, spaces, dots, - and _ in its name, which ends with .ipynb."
        )
    return Submission(_cells(_notebook(_contents(path, limits)), limits))


def _contents(path: Path, limits: FileLimits) -> bytes:
    """The bytes of a regular file, and of no other: O_NOFOLLOW refuses links without a race."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise RefusedError(f"{path.name} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RefusedError(f"{path.name} is not a file. Hand in the notebook itself.")
    with os.fdopen(descriptor, "rb") as file:
        contents = file.read(limits.megabytes * 2**20 + 1)
    if len(contents) > limits.megabytes * 2**20:
        raise RefusedError(
            f"{path.name} is larger than {limits.megabytes} MB. Clear its outputs (Edit → Clear "
            "Outputs of All Cells), save it and hand it in again."
        )
    return contents


def _notebook(contents: bytes) -> dict:
    if not contents.strip():
        raise RefusedError("The file is empty. Save the notebook and hand it in again.")
    try:
        notebook = json.loads(contents.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RefusedError("The file is not UTF-8 text, as Jupyter saves it.") from error
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"The file is not a notebook: its JSON is broken ({error}).") from error
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4:
        found = notebook.get("nbformat") if isinstance(notebook, dict) else None
        raise RefusedError(
            f"The file is not a notebook of format 4 but of format {found}. Open it in JupyterLab, "
            "save it and hand it in again."
        )
    return notebook


def _cells(notebook: dict, limits: FileLimits) -> list[Cell]:
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise RefusedError("The notebook has no list of cells.")
    if len(cells) > limits.cells:
        raise RefusedError(f"The notebook has {len(cells)} cells, more than {limits.cells}.")
    return [Cell(str(cell.get("cell_type")), _text(cell), _grade_id(cell)) for cell in cells]


def _text(cell: dict) -> str:
    """A cell's source: one text, or a list of lines."""
    source = cell.get("source", "")
    lines = source if isinstance(source, list) else [source]
    if not all(isinstance(line, str) for line in lines):
        raise RefusedError("A cell of the notebook has a source that is not text.")
    return "".join(lines)


def _grade_id(cell: dict) -> str:
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return grade_id if isinstance(grade_id, str) else ""
