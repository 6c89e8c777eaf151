"""Release an assignment: write the notebook for students, on its own and packed for Colab.

make assignment ASSIGNMENT=ps1
make assignment ASSIGNMENT=ps1 OFFLINE=1  # packed with a sample of the data
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import colab
import first_cell
import published
from grader import assignment
from grader.gradebook import Gradebook
from notebooks import ROOT, save
from utils.setup import remedies

COURSE = Path(__file__).resolve().parent


def release(course: Path, name: str, output: Path, offline: bool = False) -> list[Path]:
    """Write the release; return its copy in `output` and the copy packed for Colab.

    If `offline`, the packed copy carries a sample of the data.
    Raises AssignmentError where nbgrader refuses the source, or the items' points do not add up.
    """
    source = course / "source" / name / f"{name}.ipynb"
    if not source.is_file():
        raise assignment.AssignmentError(f"There is no {source}. Write the assignment there.")
    released = Gradebook(course, name).release()
    assignment.load(course, name)
    (output / "colab").mkdir(parents=True, exist_ok=True)
    alone, packed = output / f"{name}.ipynb", output / "colab" / f"{name}.ipynb"
    alone.write_bytes(released.read_bytes())
    save(colab.pack(released, first_cell.alone(offline), published.address()), packed)
    return [alone, packed]


def main() -> None:
    parser = argparse.ArgumentParser(description="Release an assignment.")
    parser.add_argument("assignment", choices=assignment.names(COURSE))
    parser.add_argument("--offline", action="store_true", help="pack a sample of the data too")
    given = parser.parse_args()
    name = given.assignment
    try:
        alone, packed = release(COURSE, name, ROOT / "build" / "assignments", given.offline)
    except assignment.AssignmentError as error:
        sys.exit(str(error))
    print(f"{alone.relative_to(ROOT)}  for students who have the course, into its notebooks/")
    print(f"{packed.relative_to(ROOT)}  for Colab, where it works on its own")


if __name__ == "__main__":
    with remedies.explained():
        main()
