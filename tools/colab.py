"""The course in Colab: links and badges, and notebooks packed to work alone."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

import published
from notebooks import code_cells

BADGE_IMAGE = "https://colab.research.google.com/assets/colab-badge.svg"
BINDER_IMAGE = "https://mybinder.org/badge_logo.svg"
SAID = re.compile(r"\n\nutils\.language\(.*\)$")
# A link to a file in the notebook's folder, or to a place in it.
NEIGHBOR = re.compile(r"\[([^\]]+)\]\((\w+\.(?:ipynb|md)(?:#[\w-]+)?)\)")
HIDDEN = {"cellView": "form", "jupyter": {"source_hidden": True}}  # in Colab, in JupyterLab


def link(address: str, name: str, folder: str = "notebooks") -> str:
    """Return the link that opens a notebook of the published course in Colab."""
    path = address.removeprefix(published.GITHUB)
    return f"https://colab.research.google.com/github/{path}/blob/main/{folder}/{name}"


def badges(address: str, name: str) -> str:
    """Return two badges, in Markdown, that open a notebook in Colab and on Binder."""
    path = address.removeprefix(published.GITHUB)
    binder = f"https://mybinder.org/v2/gh/{path}/main?urlpath=lab/tree/notebooks/{name}"
    return (
        f"[![Open in Colab]({BADGE_IMAGE})]({link(address, name)})\n"
        f"[![Open on Binder]({BINDER_IMAGE})]({binder})"
    )


def has_badges(cell: NotebookNode) -> bool:
    """Return whether this is the cell with the badges."""
    return cell.get("id") == published.BADGES


def pack(path: Path, first_cell: str, address: str) -> NotebookNode:
    """Return a notebook that needs no file beside it; its first code cell becomes `first_cell`.

    A line in which that cell says its language stays. Outputs are left out. Links to other files of
    the course lead to `address`; where that is "", only their text is kept.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not has_badges(cell)]
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    first = code_cells(notebook)[0]
    said = SAID.search(first.source)
    first.source = first_cell + (said[0] if said else "")
    first.metadata.update(HIDDEN)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = NEIGHBOR.sub(
                lambda found: _moved(found[1], found[2], address, path.parent.name), cell.source
            )
    return notebook


def _moved(text: str, name: str, address: str, folder: str) -> str:
    """Return a link to a file in the notebook's folder as it reads in a packed notebook."""
    if not address:
        return f"*{text}*"
    if name.endswith(".ipynb"):
        return f"[{text}]({link(address, name, folder)})"
    return f"[{text}]({address}/blob/main/{folder}/{name})"
