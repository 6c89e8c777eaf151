"""What the commands share: an optional list of names, and a message for an unknown one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def chosen(description: str, noun: str, names: Sequence[str]) -> list[str]:
    """Return the names given on the command line, or all of them where none is given.

    An unknown name ends the program with a message that lists the known ones.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "chosen", nargs="*", metavar=noun.upper(), help=f"{', '.join(names)}; default: all of them"
    )
    given = parser.parse_args().chosen or list(names)
    unknown = [name for name in given if name not in names]
    if unknown:
        parser.error(f"there is no {noun} {unknown[0]!r}; there are {', '.join(names)}")
    return given
