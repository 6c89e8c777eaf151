"""Sphinx extension: the receptive field, to be touched, where a notebook explains it.

In a browser, site/static/where/receptive.js takes the place of a picture. In the EPUB, and where no
script runs, the picture stays.
"""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

DRAWN = "plots.windows("  # in the cell whose section explains the receptive field
PICTURE = "receptive_field"
TEXTS = {
    "en": {
        "html": "**Touch it.** Move over the map on the left, and see which pixels reach the "
        "number under the pointer. The arrow keys do the same.",
        "epub": "The receptive fields of ResNet-18, for an image of 96×96 pixels:",
    },
    "zh_CN": {
        "html": "**动手试试**：在左边的图上移动指针，看看哪些像素会影响指针所指的数。"
        "用方向键也可以。",
        "epub": "ResNet-18各部分的感受野，图像为96×96像素：",
    },
}
INTERACTIVE = """
<div id="receptive-field" class="where">

{picture}

</div>
<script type="module" src="../_static/where/receptive.js"></script>
"""


def add(app: Sphinx, docname: str, source: list[str]) -> None:
    """Add a cell at the end of the section; called by Sphinx with the notebook in a list of one."""
    if app.env.doc2path(docname).suffix != ".ipynb":
        return
    notebook = nbformat.reads(source[0], as_version=4)
    drawn = [i for i, cell in enumerate(notebook.cells) if DRAWN in cell.source]
    if not drawn:
        return
    headings = [i for i, cell in enumerate(notebook.cells) if cell.source.startswith("## ")]
    end = next(i for i in headings if i > drawn[0])
    text = cell_text(app.config.language, app.builder.name, Path(app.srcdir) / "pages")
    notebook.cells.insert(end, nbformat.v4.new_markdown_cell(text, id="receptive-field"))
    source[0] = nbformat.writes(notebook)


def cell_text(language: str, builder: str, pages: Path) -> str:
    """Return the text of the cell, in Markdown, for "html" or "epub"."""
    alt = json.loads((pages / "pictures.json").read_text("utf-8"))[PICTURE]
    picture = f"![{alt}](../pages/{PICTURE}.svg)"
    is_book = builder == "epub"
    shown = picture if is_book else INTERACTIVE.format(picture=picture)
    return f"{TEXTS[language]['epub' if is_book else 'html']}\n\n{shown}"


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register what this extension does; called by Sphinx."""
    app.connect("source-read", add)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
