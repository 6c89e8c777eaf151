"""Make notebooks/errors.md, the page of errors, from tools/errors.ipynb.

The notebook is executed, so each message on the page is one that really comes. Its cells stand on
the page as they are, except those tagged `hidden`. A cell tagged `raises-exception` has to give
the message that the heading above it quotes, by an error or a warning. Any other cell, such as a
mended example, has to run without either.
"""

from __future__ import annotations

import re
import sys
import tempfile
import textwrap
from pathlib import Path

from nbformat import NotebookNode

from notebooks import NOTEBOOKS, NotebookError, run_notebook, tags
from utils.runs import keeper
from utils.setup import remedies, storage

SOURCE = Path(__file__).with_name("errors.ipynb")
PAGE = NOTEBOOKS / "errors.md"
WIDTH = 100
LONGEST = 400  # characters of a message; the rest of a longer one is left out
HEADING = re.compile(r"#+ (?:`(?P<words>.*)`)?")
WARNING = re.compile(r"\w+Warning: .*")
# "[12:59:59] ../src/operator/nn/convolution.cc:151: " differs from run to run.
PLACE = re.compile(r"\[\d\d:\d\d:\d\d\] \S+:\d+: ")


class PageError(Exception):
    """An example does not do what its heading says; the message names both."""


def execute(source: Path) -> NotebookNode:
    """Return the notebook with its outputs, executed in an empty folder.

    Raises NotebookError where a cell fails without announcing it.
    """
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "notebooks")
        folder.mkdir()
        return run_notebook(source, cwd=folder)


def page(notebook: NotebookNode) -> str:
    """Return an executed notebook as a page in Markdown.

    Raises PageError where an example does not do what its heading says.
    """
    blocks, words = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = HEADING.match(cell.source)
            words = heading["words"] or "" if heading else words
            blocks.append(cell.source)
            continue
        message = checked(cell, words)
        if "hidden" not in tags(cell):
            blocks.append(f"```python\n{cell.source}\n```")
            shown = message or ("" if words else printed(cell))
            if shown:
                blocks.append(f"```text\n{shown}\n```")
    return "\n\n".join(blocks) + "\n"


def checked(cell: NotebookNode, words: str) -> str:
    """Return the message of a cell; raise PageError unless it is the one that is announced."""
    said = message(cell)
    announced = "raises-exception" in tags(cell)
    # The message is broken into lines, the heading is not.
    if announced and not (words and words in " ".join(said.split())):
        raise PageError(f"Below the heading {words!r} this cell says {said!r}:\n{cell.source}")
    if said and not announced:
        raise PageError(f"This cell should run, but it says {said!r}:\n{cell.source}")
    return said


def message(cell: NotebookNode) -> str:
    """Return the telling part of a cell's first error, or else of its first warning, or ""."""
    for output in cell.outputs:
        if output.output_type == "error":
            # MXNet puts its stack trace first.
            text = output.evalue.strip().split("\nMXNetError: ")[-1].removeprefix("MXNetError: ")
            return fill(f"{output.ename}: {PLACE.sub('', text)}")
    text = "".join(output.text for output in cell.outputs if output.get("name") == "stderr")
    warning = WARNING.search(text)
    return fill(warning[0] if warning else text)


def printed(cell: NotebookNode) -> str:
    """Return what a cell printed."""
    return "".join(out.text for out in cell.outputs if out.get("name") == "stdout").strip()


def fill(text: str) -> str:
    """Return a message in lines; the end of a long one is left out."""
    short = textwrap.shorten(text, LONGEST, placeholder=" ...")
    return textwrap.fill(short, WIDTH, break_on_hyphens=False)


def main() -> None:
    try:
        storage.write_whole(PAGE, page(execute(SOURCE)))
    except (NotebookError, PageError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    with remedies.explained():
        keeper.end_with_starter()
        main()
