"""Take the questions of the checks away one at a time, and show which wrong versions then pass.

    python tools/check_questions.py [residual_block] [stem] [stage] [resnet18] [...]

A question that no wrong version needs is idle: then the exit status is 1. Without a name all checks
are looked at, which takes a few minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from answers import Version

TESTS = Path(__file__).resolve().parent.parent / "tests"  # where the wrong versions are kept


def needed_for(versions: Iterable[Version]) -> dict[str, list[str]]:
    """Return, for each question, the wrong versions that pass all other questions of their check.

    A question that several checks share has one entry, under the first of them.
    """
    labels: dict[tuple[str, str], str] = {}
    needed: dict[str, list[str]] = {}
    for version in versions:
        answers = version.report.answers
        wrong = [answer for answer in answers if not answer.passed]
        for answer in answers:
            label = labels.setdefault(
                (answer.name, answer.question), f"{version.check}: {answer.name}"
            )
            passing = needed.setdefault(label, [])
            if wrong == [answer]:
                passing.append(version.name)
    return needed


def main() -> int:
    sys.path.append(str(TESTS))
    from answers import WRONG

    names = sys.argv[1:] or list(dict.fromkeys(version.check for version in WRONG))
    versions = [version for version in WRONG if version.check in names]
    if not versions:
        print(f"There is no check with these names: {', '.join(names)}.", file=sys.stderr)
        return 2
    needed = needed_for(versions)
    width = max(map(len, needed)) + 1
    print(f"{'without the question':<{width}} these wrong versions pass")
    for label, passing in needed.items():
        print(f"{label:<{width}} {', '.join(passing) or 'none: it is idle'}")
    return int(not all(needed.values()))


if __name__ == "__main__":
    sys.exit(main())
