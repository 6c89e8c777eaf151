"""Copy the README's pictures out of the notebooks: python tools/pictures.py

The figure of a cell tagged `readme-NAME` becomes notebooks/images/NAME.png.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from run_course import NOTEBOOKS, code_cells, notebook_paths, read, tags

IMAGES = NOTEBOOKS / "images"
PREFIX = "readme-"


def pictures() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the PNG file of each tagged figure in the committed notebooks."""
    for path in notebook_paths():
        for cell in code_cells(read(path, "full")):
            names = [tag.removeprefix(PREFIX) for tag in tags(cell) if tag.startswith(PREFIX)]
            encoded = [
                o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {})
            ]
            for name, png in zip(names, encoded):
                yield name, base64.b64decode(png)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    for name, png in pictures():
        (IMAGES / f"{name}.png").write_bytes(png)


if __name__ == "__main__":
    main()
