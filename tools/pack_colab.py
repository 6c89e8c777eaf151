"""Make notebooks that work alone, for Colab: build/colab/*.ipynb, each with the toolbox inside.

Upload one to Colab, or send it to somebody. Outputs are left out: whoever opens it runs it.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

import arrival
from publish import colab_address, has_badges
from run_course import ROOT, code_cells, notebook_paths, save

OUTPUT = ROOT / "build" / "colab"
NEIGHBOR = re.compile(r"\[([^\]]+)\]\((\w+\.(?:ipynb|md))\)")  # a link to a file in notebooks/
HIDDEN = {"cellView": "form", "jupyter": {"source_hidden": True}}  # in Colab, in JupyterLab


def pack(path: Path, first_cell: str, address: str) -> NotebookNode:
    """Return a notebook that needs no file beside it."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not has_badges(cell)]
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    first = code_cells(notebook)[0]
    first.source = first_cell
    first.metadata.update(HIDDEN)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = NEIGHBOR.sub(lambda link: _link(*link.groups(), address), cell.source)
    return notebook


def _link(text: str, name: str, address: str) -> str:
    """A link to where the course is published, or the words alone: there is no file beside it."""
    if not address:
        return f"*{text}*"
    published = f"{address}/blob/main/notebooks/{name}"
    return f"[{text}]({colab_address(address, name) if name.endswith('.ipynb') else published})"


def main() -> None:
    first_cell, address = arrival.alone(), arrival.address()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for path in notebook_paths():
        save(pack(path, first_cell, address), OUTPUT / path.name)
        size = (OUTPUT / path.name).stat().st_size / 1e6
        print(f"{(OUTPUT / path.name).relative_to(ROOT)}  {size:.1f} MB")


if __name__ == "__main__":
    main()
