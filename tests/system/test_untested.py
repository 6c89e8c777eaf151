"""The end of `make test`: one line on what this machine could not test."""

import os
import re
import subprocess
import sys

import pytest
import untested

from grader import jail
from notebooks import ROOT

# Reasons that no package takes away: another system, or a state of the course.
OTHERS = (
    "only Linux has",
    "needs `make set-up`",
    "/dev/full",
    "apt and dpkg",
    "no tests run beside",
    "published at",
)


def test_it_counts_by_need_and_names_the_packages():
    reasons = [jail.MISSING, jail.MISSING, "no C compiler on this machine", "published at x"]
    assert untested.last_line(reasons) == (
        "NOT TESTED on this machine: 2 for want of bubblewrap, 1 for want of a C compiler. Install "
        "what brings them: `sudo apt-get install bubblewrap gcc`."
    )


def test_where_nothing_is_missing_nothing_is_said():
    assert untested.last_line(["published at x"]) == ""


def test_what_no_package_brings_is_counted_all_the_same():
    line = untested.last_line(["the real data is not within reach of its network"])
    assert line == "NOT TESTED on this machine: 1 for want of a network."


def test_every_reason_for_skipping_is_known():
    """A new one has to be put into NEEDS, or among OTHERS."""
    texts = [path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py")]
    found = re.findall(r'(?:pytest\.skip\(\s*f?|reason=\s*f?)"([^"]+)"', "\n".join(texts))
    assert len(found) > 10
    known = (*untested.NEEDS, *OTHERS)
    assert [reason for reason in found if not any(part in reason for part in known)] == []


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["0", "2"])
def test_it_is_the_last_line_of_all(tmp_path, processes):
    """A PATH without programs is a machine without bubblewrap."""
    command = [sys.executable, "-m", "pytest", "-n", processes, "tests/grader/test_jail.py"]
    run = subprocess.run(
        [*command, "-k", "endless_output"],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
    line = run.stdout.splitlines()[-1]
    assert line.startswith("NOT TESTED on this machine: ")
    assert line.endswith("`sudo apt-get install bubblewrap`.")
