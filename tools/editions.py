"""The editions of the course: where the files of each language lie.

Uses the standard library alone: the pages are built without the course's packages.
"""

from __future__ import annotations

import re

# By the names of the pages that are made of them. A page has the same name in every language, so
# that one language can link to the other.
FILES = {
    "en": {"index.md": "README.md", "notebooks": "notebooks", "docs": "docs"},
    "zh": {"index.md": "README.zh-CN.md", "notebooks": "notebooks_zh", "docs": "docs_zh"},
}
PAGES = {name: name for name in FILES["en"]}
# In an address that opens a notebook: what stands before its folder on GitHub and Colab, on Binder.
OPENED = re.compile(r"(/main/|=lab/tree/)notebooks/")


def moved(path: str, here: dict[str, str], there: dict[str, str]) -> str:
    """Return where a file of one edition lies in another; a file of none stays where it is.

    Paths are those below the course. `here` and `there` are editions of `FILES`, or `PAGES`.
    """
    for name, source in here.items():
        if path == source or path.startswith(f"{source}/"):
            return there[name] + path.removeprefix(source)
    return path


def opening(text: str, language: str) -> str:
    """Return a text whose addresses that open a notebook open it in the edition of a language."""
    return OPENED.sub(rf"\1{FILES[language]['notebooks']}/", text)
