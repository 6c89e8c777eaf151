"""Write the address of the course into it: badges, and where a notebook finds the toolbox.

    python tools/publish.py https://github.com/owner/name

README.md gets the line to clone it and badges, each notebook badges of its own and a first cell
that clones the course where it has been opened alone. May be run again, with another address.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

import arrival
from run_course import ROOT, code_cells, notebook_paths, save
from utils.setup import storage

ADDRESS = re.compile(r"https://github\.com/([\w-]+/[\w.-]+?)(\.git)?/?")
BADGES = "badges"  # the id of the cell, and the name of the README's part
COLAB_IMAGE = "https://colab.research.google.com/assets/colab-badge.svg"
BINDER_IMAGE = "https://mybinder.org/badge_logo.svg"


class AddressError(Exception):
    """The address is not one that Colab and Binder can open; the message says what is wanted."""


def checked(address: str) -> str:
    """Return the address as https://github.com/owner/name; raise AddressError for another."""
    match = ADDRESS.fullmatch(address)
    if not match:
        raise AddressError(
            f"{address!r} is not an address that Colab and Binder can open. They open public "
            "repositories on GitHub: make publish REPO=https://github.com/owner/name"
        )
    return f"https://github.com/{match[1]}"


def colab_address(address: str, name: str) -> str:
    """Where Colab opens a notebook of the published course."""
    path = address.removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{path}/blob/main/notebooks/{name}"


def badges(address: str, name: str) -> str:
    """Two pictures that open a notebook in Colab and on Binder."""
    path = address.removeprefix("https://github.com/")
    binder = f"https://mybinder.org/v2/gh/{path}/main?urlpath=lab/tree/notebooks/{name}"
    return (
        f"[![Open in Colab]({COLAB_IMAGE})]({colab_address(address, name)})\n"
        f"[![Open on Binder]({BINDER_IMAGE})]({binder})"
    )


def has_badges(cell: NotebookNode) -> bool:
    """Whether a cell is the one with the badges."""
    return cell.get("id") == BADGES


def stamp_notebook(path: Path, address: str) -> None:
    """Put the badges below a notebook's title, and the address into its first code cell."""
    notebook = nbformat.read(path, as_version=4)
    title, *rest = [cell for cell in notebook.cells if not has_badges(cell)]
    notebook.cells = [title, new_markdown_cell(badges(address, path.name), id=BADGES), *rest]
    code_cells(notebook)[0].source = arrival.at_home(address)
    save(notebook, path)


def stamp_readme(text: str, address: str) -> str:
    """Return the README with the badges and the lines to clone the course."""
    folder = address.rpartition("/")[2]
    parts = {
        BADGES: badges(address, notebook_paths()[0].name),
        "clone": f"```\ngit clone {address}\ncd {folder}\n```",
    }
    for name, part in parts.items():
        start, end = f"<!-- {name}, by make publish -->\n", f"<!-- end of {name} -->"
        head, _, rest = text.partition(start)
        text = f"{head}{start}{part}\n{end}{rest.partition(end)[2]}"
    return text


def main() -> None:
    try:
        address = checked(sys.argv[1] if len(sys.argv) == 2 else "")
    except AddressError as error:
        sys.exit(str(error))
    readme = ROOT / "README.md"
    storage.write_whole(readme, stamp_readme(readme.read_text("utf-8"), address))
    for path in notebook_paths():
        stamp_notebook(path, address)
    print(f"The course says that it is at {address}. Commit this, and push it to the branch main.")


if __name__ == "__main__":
    main()
