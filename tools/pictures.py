"""Copy the pictures of the README and of docs/ out of the notebooks: python tools/pictures.py

The figure of a cell tagged `readme-NAME` becomes notebooks/images/NAME.png.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from notebooks import NOTEBOOKS, code_cells, notebook_paths, read, tags
from utils.setup import storage

IMAGES = NOTEBOOKS / "images"
PREFIX = "readme-"


def pictures() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the PNG file of each tagged figure in the committed notebooks."""
    for path in notebook_paths():
        for cell in code_cells(read(path, "full")):
            names = [tag.removeprefix(PREFIX) for tag in tags(cell) if tag.startswith(PREFIX)]
            encoded = [
                output.data["image/png"]
                for output in cell.outputs
                if "image/png" in output.get("data", {})
            ]
            for name, png in zip(names, encoded):
                yield name, base64.b64decode(png)


def main() -> None:
    for name, png in pictures():
        storage.write_whole(IMAGES / f"{name}.png", png)


if __name__ == "__main__":
    main()
