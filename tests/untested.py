"""The last line of a run: which tests this machine could not run, and what brings their needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

# What a test needs, as its reason for being skipped names it, and the packages that bring it, by
# their names in Debian and Ubuntu; "" where none does.
NEEDS = {
    "bubblewrap": "bubblewrap",
    "util-linux": "util-linux",
    "openssh": "openssh-client openssh-server",
    "open JupyterLab": "chromium chromium-driver",
    "C compiler": "gcc",
    "no git": "git",
    "ARM processor": "qemu-user-static debootstrap",
    "no Python": "",
    "network": "",
    "root": "",
}
NAMES = {
    "open JupyterLab": "Chromium",
    "openssh": "an ssh server",
    "C compiler": "a C compiler",
    "no git": "git",
    "ARM processor": "an emulated ARM processor",
    "no Python": "another version of Python (`.venv/bin/uv python install VERSION`)",
    "network": "a network",
    "root": "the rights of root",
}


def last_line(reasons: Iterable[str]) -> str:
    """Return what was not tested, given the reason of each skipped test, or "".

    A reason that names no need of `NEEDS` is not about this machine.
    """
    found = Counter(next((need for need in NEEDS if need in reason), "") for reason in reasons)
    missing = {need: found[need] for need in NEEDS if found[need]}
    if not missing:
        return ""
    parts = ", ".join(
        "{count} for want of {need}".format(count=count, need=NAMES.get(need, need))
        for need, count in missing.items()
    )
    line = "NOT TESTED on this machine: {parts}.".format(parts=parts)
    packages = " ".join(NEEDS[need] for need in missing if NEEDS[need])
    if packages:
        line += " Install what brings them: `sudo apt-get install {packages}`.".format(
            packages=packages
        )
    return line
