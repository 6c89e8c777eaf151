"""Reading what somebody has handed in: a notebook, or a sentence that says why it is none.

Nothing of it is executed, and no link is followed.
"""

from __future__ import annotations

import json
import os
import re
import stat
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from grader.limits import FileLimits

NAME = re.compile(r"\w[\w ().,+-]{0,100}\.ipynb")


class RefusedError(Exception):
    """A submission cannot be graded; the message is a sentence for its author."""


@dataclass(frozen=True)
class Cell:
    """What grading needs of a cell: its text, the id that nbgrader gave it, or "", and its outputs.

    The outputs are as they stand in the file, and not to be trusted.
    """

    is_code: bool
    source: str
    grade_id: str = ""
    outputs: tuple[object, ...] = ()


@dataclass(frozen=True)
class Submission:
    """The cells of a notebook that was handed in."""

    cells: list[Cell] = field(default_factory=list)


def read(path: Path, limits: FileLimits) -> Submission:
    """Return the cells of a submission. Raises RefusedError."""
    if not NAME.fullmatch(unicodedata.normalize("NFC", path.name)):
        raise RefusedError(
            f"The name {path.name!r} is not that of a notebook. Hand in a file with letters, "
            "digits, spaces and ().,+-_ in its name, which ends with .ipynb."
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
        notebook = json.loads(contents.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RefusedError("The file is not UTF-8 text, as Jupyter saves it.") from error
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"The file is not a notebook: its JSON is broken ({error}).") from error
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
        raise RefusedError(f"The notebook has {len(cells)} cells, more than {limits.cells}.")
    found = [_cell(cell, limits.cell_kilobytes * 2**10) for cell in cells]
    if sum(len(cell.source) for cell in found) > limits.source_kilobytes * 2**10:
        raise RefusedError(
            f"The cells of the notebook hold more than {limits.source_kilobytes} kB."
        )
    return found


def _cell(cell: dict, longest: int) -> Cell:
    source = text_of(cell.get("source", ""))
    if source is None:
        raise RefusedError("A cell of the notebook has a source that is not text.")
    outputs = cell.get("outputs")
    return Cell(
        cell.get("cell_type") == "code",
        source if len(source) <= longest else "",  # the toolbox that a packed notebook carries
        _grade_id(cell),
        tuple(outputs) if isinstance(outputs, list) else (),
    )


def text_of(value: object) -> str | None:
    """What a notebook holds as one text or as a list of lines; None for anything else."""
    lines = value if isinstance(value, list) else [value]
    if not all(isinstance(line, str) for line in lines):
        return None
    return "".join(lines).encode("utf-8", "replace").decode("utf-8")  # halves of characters


def _grade_id(cell: dict) -> str:
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return grade_id if isinstance(grade_id, str) else ""
