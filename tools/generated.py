"""Blocks of a Markdown page that a command writes; the text around them is written by hand.

A block stands between two comments, which the page holds from the start:

    <!-- NAME, by make COMMAND -->
    <!-- end of NAME -->
"""

from __future__ import annotations

import re
from pathlib import Path

from utils.setup import storage


class MarkerError(Exception):
    """A page lacks the comments of a block; the message names the page and the comments."""


def block(path: Path, name: str) -> str:
    """Return the text of a block. Raises MarkerError unless the page holds it exactly once."""
    return _find(path, path.read_text("utf-8"), name)[1].removesuffix("\n")


def write_block(path: Path, name: str, text: str) -> None:
    """Replace the text of a block. Raises MarkerError unless the page holds it exactly once."""
    page = path.read_text("utf-8")
    start, end = _find(path, page, name).span(1)
    storage.write_whole(path, f"{page[:start]}{text}\n{page[end:]}")


def _find(path: Path, page: str, name: str) -> re.Match[str]:
    pattern = rf"<!-- {name}, by make [\w-]+ -->\n(.*?)<!-- end of {name} -->"
    found = list(re.finditer(pattern, page, re.DOTALL))
    if len(found) != 1:
        raise MarkerError(
            f"{path.name} must hold the comments <!-- {name}, by make COMMAND --> and "
            f"<!-- end of {name} --> exactly once, each on a line of its own."
        )
    return found[0]
