"""Where the course is published, once `make publish` has written it into the README.

Uses the standard library alone: the pages are built without the course's packages.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GITHUB = "https://github.com/"
BADGES = "badges"  # the id of the cell with the badges in a notebook


def address() -> str:
    """Return where the README says that the course is published, or ""."""
    found = re.search(r"^git clone (\S+)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    return found[1] if found else ""
