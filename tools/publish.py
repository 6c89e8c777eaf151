"""Write the address of the published course into it: badges, and what a lone notebook clones.

    python tools/publish.py https://github.com/owner/name

README.md gets badges and the line that clones the course. Each notebook gets badges and a first
cell that clones the course where the notebook was opened alone. The Chinese edition follows. A
later call with another address replaces the first one.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_markdown_cell

import colab
import first_cell
import published
import translate
from generated import write_block
from notebooks import ROOT, code_cells, notebook_paths, save
from utils.setup import remedies

ADDRESS = re.compile(r"https://github\.com/([\w-]+/[\w.-]+?)(\.git)?/?")


class AddressError(Exception):
    """Colab and Binder cannot open the address; the message says which form it needs."""


def checked(address: str) -> str:
    """Return the address as https://github.com/owner/name; raise AddressError for any other."""
    match = ADDRESS.fullmatch(address)
    if not match:
        raise AddressError(
            f"Colab and Binder cannot open {address!r}. They open public repositories on GitHub: "
            "make publish REPO=https://github.com/owner/name"
        )
    return f"{published.GITHUB}{match[1]}"


def stamp_notebook(path: Path, address: str) -> None:
    """Put badges below a notebook's title, and the address into its first code cell."""
    notebook = nbformat.read(path, as_version=4)
    title, *rest = [cell for cell in notebook.cells if not colab.has_badges(cell)]
    badges = new_markdown_cell(colab.badges(address, path.name), id=published.BADGES)
    notebook.cells = [title, badges, *rest]
    code_cells(notebook)[0].source = first_cell.at_home(address)
    save(notebook, path)


def stamp_readme(path: Path, address: str) -> None:
    """Put badges and the lines that clone the course into the README."""
    folder = address.rpartition("/")[2]
    write_block(path, "badges", colab.badges(address, notebook_paths()[0].name))
    write_block(path, "clone", f"```\ngit clone {address}\ncd {folder}\n```")


def main() -> None:
    try:
        address = checked(sys.argv[1] if len(sys.argv) == 2 else "")
    except AddressError as error:
        sys.exit(str(error))
    stamp_readme(ROOT / "README.md", address)
    for path in notebook_paths():
        stamp_notebook(path, address)
    translate.write(ROOT)
    print(f"The course now names the address {address}. Commit it and push to the branch main.")


if __name__ == "__main__":
    with remedies.explained():
        main()
