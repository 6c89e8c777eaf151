"""Mark all submissions: in parallel, with a progress bar, resuming after an interruption.

Each student has a file with their marks and a digest of everything they depend on. A second run
marks only what is new, and everything where an item has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from tqdm import tqdm

from grader import answers, clean, marking, validate
from grader.assignment import Assignment
from grader.collect import Found
from grader.jail import Jail, JailError
from grader.limits import Limits
from jailed.frames import Frame
from utils.setup.storage import write_whole
from utils.student import Variant, variant_of

TRIES = 3  # for a jail that does not start, which is not the student's mistake
Result = dict[str, Any]


@dataclass(frozen=True)
class Marker:
    """What it takes to mark a submission of an assignment.

    In `jail`, ready-made networks are removed. `whole` has them: there the notebook's own checks
    name the mistake in a wrong answer.
    """

    assignment: Assignment
    solution: list[dict[Variant, Frame]]
    jail: Jail
    whole: Jail
    limits: Limits


def prepare(assignment: Assignment, jail: Jail, whole: Jail, limits: Limits) -> Marker:
    """Run the solution. Raises ValueError where it leaves an item unanswered, and JailError."""
    sources = [*assignment.setup, *assignment.solution.values()]
    solution = marking.expected(sources, assignment.items, jail)
    return Marker(assignment, solution, jail, whole, limits)


def mark_all(
    found: dict[str, Found], marker: Marker, results: Path, version: str
) -> dict[str, Result]:
    """Mark what each student has handed in, as many at a time as there are processors.

    Writes STUDENT.json, the marks, and STUDENT.ipynb, the notebook for nbgrader, to `results`.
    Where the grader itself fails, or nobody knows whose a submission is, the result says why under
    "failed", and is not written.
    """
    results.mkdir(parents=True, exist_ok=True)
    processors = len(os.sched_getaffinity(0))
    slots: queue.Queue[int] = queue.Queue()
    for slot in range(processors):
        slots.put(slot)

    def work(student: str) -> Result:
        if found[student].unclear:
            return {"failed": found[student].unclear}
        slot = slots.get()
        jail, whole = replace(marker.jail, slot=slot), replace(marker.whole, slot=slot)
        own = replace(marker, jail=jail, whole=whole)
        try:
            return _resumed(student, found[student], own, results, version)
        except JailError as error:
            return {"failed": str(error)}
        except Exception as error:  # whatever it is, the other submissions are graded
            return {"failed": f"{type(error).__name__}: {error}"}
        finally:
            slots.put(slot)

    with ThreadPoolExecutor(processors) as pool:
        marked = list(tqdm(pool.map(work, found), total=len(found), unit="submission"))
    return {
        student: {**result, "platform": found[student].platform, "number": found[student].number}
        for student, result in zip(found, marked)
    }


def mark(handed_in: Found, marker: Marker) -> tuple[Result, NotebookNode]:
    """Mark one submission; return its result and the notebook for nbgrader. Raises JailError."""
    assignment = marker.assignment
    try:
        if handed_in.path is None:
            raise validate.RefusedError(handed_in.reason)
        submission = validate.read(handed_in.path, marker.limits.file)
        found = answers.find(
            submission, assignment.stubs, assignment.ignored, assignment.setup_names
        )
    except validate.RefusedError as error:
        marks = [marking.Mark(item, 0, str(error)) for item in assignment.items]
        return _result(marks, {}, str(error)), clean.refused(assignment, str(error))
    sources = [*assignment.setup, *found.sources]
    marks = marking.mark(
        sources,
        answers=found,
        items=assignment.items,
        solution=marker.solution,
        variant=variant_of(handed_in.name),
        jail=marker.jail,
    )
    checks = _checks_to_run(assignment, marks)
    mistakes = marking.diagnoses(sources, checks, marker.whole) if checks else {}
    return _result(marks, mistakes, notes=found.notes), clean.clean(assignment, submission, found)


def points(result: Result) -> dict[str, float]:
    """Return a result's points by answer; none where the grader failed."""
    found: dict[str, float] = {}
    for each in result.get("marks", []):
        found[each["answer"]] = found.get(each["answer"], 0) + each["points"]
    return found


def _resumed(student: str, handed_in: Found, marker: Marker, results: Path, version: str) -> Result:
    """The result of an earlier run, or a new one, which is written."""
    path = results / f"{student}.json"
    digest = _digest(handed_in, version, marker.limits.file.megabytes * 2**20 + 1)
    if path.exists():
        result = json.loads(path.read_text("utf-8"))
        if result["digest"] == digest:
            return result
    result, notebook = _tried(lambda: mark(handed_in, marker))
    result["digest"] = digest
    write_whole(path.with_name(f"{student}.ipynb"), nbformat.writes(notebook))
    write_whole(path, json.dumps(result, indent=1, sort_keys=True))
    return result


def _checks_to_run(assignment: Assignment, marks: list[marking.Mark]) -> dict[str, str]:
    """The checks of wrong answers and, if there are any, of answers that give no points.

    Other answers use the latter, for example the block in a network, and inherit their mistakes.
    """
    wrong = {mark.item.grade_id for mark in marks if mark.why and mark.ran}
    scored = {item.grade_id for item in assignment.items}
    return {
        answer: text
        for answer, text in assignment.checks.items()
        if answer in wrong or (wrong and answer not in scored)
    }


def _result(
    marks: list[marking.Mark],
    diagnoses: dict[str, str],
    refused: str = "",
    notes: dict[str, str] | None = None,
) -> Result:
    return {
        "refused": refused,
        "points": sum(mark.points for mark in marks),
        "marks": [
            {
                "answer": mark.item.grade_id,
                "title": mark.item.title,
                "points": mark.points,
                "of": mark.item.points,
                "why": mark.why,
            }
            for mark in marks
        ],
        "diagnoses": diagnoses,
        "notes": notes or {},
    }


def _tried(work: Callable[[], tuple[Result, NotebookNode]]) -> tuple[Result, NotebookNode]:
    for _ in range(TRIES - 1):
        with contextlib.suppress(JailError):
            return work()
    return work()


def _digest(handed_in: Found, version: str, most: int) -> str:
    """A digest of what a result depends on. Of links and unreadable files only the name counts."""
    digest = hashlib.sha256(ascii((version, handed_in.name, handed_in.reason)).encode())
    path = handed_in.path
    if path is not None:
        with contextlib.suppress(OSError):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    digest.update(file.read(most))
    return digest.hexdigest()
