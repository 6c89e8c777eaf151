"""Copy the pictures of the README and of docs/ out of the notebooks: python tools/pictures.py

The figure of a cell tagged `readme-NAME` becomes notebooks/images/NAME.png. Pages that show it get
its alternative text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from notebooks import NOTEBOOKS, ROOT, code_cells, notebook_paths, read, tags
from utils.runs import keeper
from utils.setup import remedies, storage

IMAGES = NOTEBOOKS / "images"
PREFIX = "readme-"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = r"!\[(?:\\.|[^\]\\])*\]\((\S*images/{name}\.png)\)"  # in Markdown


class Picture(NamedTuple):
    """A figure of a notebook: its PNG file, and its alternative text; older figures have none."""

    name: str
    png: bytes
    alt: str


def pictures() -> Iterator[Picture]:
    """Yield each tagged figure in the committed notebooks."""
    for path in notebook_paths():
        for cell in code_cells(read(path, "full")):
            names = [tag.removeprefix(PREFIX) for tag in tags(cell) if tag.startswith(PREFIX)]
            figures = [o.data for o in cell.outputs if "image/png" in o.get("data", {})]
            for name, data in zip(names, figures):
                alt = data["text/plain"] if "text/html" in data else ""
                yield Picture(name, base64.b64decode(data["image/png"]), alt)


def described(page: str, name: str, alt: str) -> str:
    """Return a page in Markdown with an alternative text wherever it shows this picture."""
    text = re.sub(r"([\\\[\]*_`<])", r"\\\1", " ".join(alt.split()))
    return re.sub(SHOWN.format(name=name), lambda shown: f"![{text}]({shown[1]})", page)


def describe(name: str, alt: str, pages: list[Path] = PAGES) -> None:
    """Write a picture's alternative text into the pages that show it."""
    for path in pages:
        page = path.read_text("utf-8")
        if described(page, name, alt) != page:
            storage.write_whole(path, described(page, name, alt))


def main() -> None:
    for picture in pictures():
        storage.write_whole(IMAGES / f"{picture.name}.png", picture.png)
        if picture.alt:
            describe(picture.name, picture.alt)


if __name__ == "__main__":
    with remedies.explained():
        keeper.end_with_starter()
        main()
