"""Marking all submissions: side by side, with a bar, and going on after an interruption.

Each student has a file with their marks, which appears when it is whole. It says what it belongs
to, so that a second run marks only what is new, and all where a question has changed.
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

from grader import clean, marking, validate
from grader.assignment import Assignment
from grader.collect import Found, is_name
from grader.graft import graft
from grader.jail import Jail, JailError
from grader.limits import Limits
from jailed.frames import Frame
from utils.student import Variant, variant_of

TRIES = 3  # of a jail that does not start: that is not the student's mistake
Result = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """What it takes to mark a submission of an assignment.

    `jail` has the ready-made networks taken out. `whole` has not: in it the notebook's own checks
    say which mistake a wrong answer has.
    """

    assignment: Assignment
    solution: list[dict[Variant, Frame]]
    jail: Jail
    whole: Jail
    limits: Limits


def bench(assignment: Assignment, jail: Jail, whole: Jail, limits: Limits) -> Bench:
    """Ask the solution. Raises ValueError where it does not answer, and JailError."""
    sources = [*assignment.setup, *assignment.solution.values()]
    solution = marking.expected(sources, assignment.questions, jail)
    return Bench(assignment, solution, jail, whole, limits)


def mark_all(
    found: dict[str, Found], bench: Bench, results: Path, version: str
) -> dict[str, Result]:
    """Mark what each student has handed in, as many at once as there are processors.

    Writes to `results` STUDENT.json, the marks, and STUDENT.ipynb, the notebook for nbgrader. A
    result has under "failed" why the grader itself could not mark: such a one is not kept.
    """
    results.mkdir(parents=True, exist_ok=True)
    workers = len(os.sched_getaffinity(0))
    slots: queue.Queue[int] = queue.Queue()
    for slot in range(workers):
        slots.put(slot)

    def work(student: str) -> Result:
        slot = slots.get()
        jail, whole = replace(bench.jail, slot=slot), replace(bench.whole, slot=slot)
        own = replace(bench, jail=jail, whole=whole)
        try:
            return _kept(student, found[student], own, results, version)
        except JailError as error:
            return {"failed": str(error)}
        except Exception as error:  # whatever it is, the others are graded
            return {"failed": f"{type(error).__name__}: {error}"}
        finally:
            slots.put(slot)

    with ThreadPoolExecutor(workers) as pool:
        marked = list(tqdm(pool.map(work, found), total=len(found), unit="submission"))
    return dict(zip(found, marked))


def _kept(student: str, handed_in: Found, bench: Bench, results: Path, version: str) -> Result:
    """The result of an earlier run, or a new one, which is kept."""
    path = results / f"{student}.json"
    digest = _digest(handed_in, version, bench.limits.file.megabytes * 2**20 + 1)
    if is_name(student) and path.exists():
        result = json.loads(path.read_text("utf-8"))
        if result["digest"] == digest:
            return result
    result, notebook = _tried(lambda: mark(student, handed_in, bench))
    result["digest"] = digest
    if is_name(student):
        _write(path.with_name(f"{student}.ipynb"), nbformat.writes(notebook))
        _write(path, json.dumps(result, indent=1, sort_keys=True))
    return result


def mark(student: str, handed_in: Found, bench: Bench) -> tuple[Result, NotebookNode]:
    """Mark one submission; return its result and the notebook for nbgrader. Raises JailError."""
    assignment = bench.assignment
    try:
        if handed_in.path is None:
            raise validate.RefusedError(handed_in.reason)
        submission = validate.read(handed_in.path, bench.limits.file)
        answers = graft(submission, assignment.stubs, assignment.others, assignment.setup_names)
    except validate.RefusedError as error:
        marks = [marking.Mark(question, 0, str(error)) for question in assignment.questions]
        return _result(marks, {}, str(error)), clean.refused(assignment, str(error))
    sources = [*assignment.setup, *answers.sources]
    marks = marking.mark(
        *(sources, answers.answers, assignment.questions, bench.solution),
        *(variant_of(student), bench.jail),
    )
    wrong = {mark.question.grade_id for mark in marks if mark.why and mark.ran}
    scored = {question.grade_id for question in assignment.questions}
    checks = {  # what gives no points of its own may be why another answer is wrong
        answer: text
        for answer, text in assignment.checks.items()
        if answer in wrong or (wrong and answer not in scored)
    }
    names = marking.diagnoses(sources, checks, bench.whole) if checks else {}
    return _result(marks, names), clean.clean(assignment, submission, answers)


def _result(marks: list[marking.Mark], diagnoses: dict[str, str], refused: str = "") -> Result:
    return {
        "refused": refused,
        "points": sum(mark.points for mark in marks),
        "marks": [
            {
                "answer": mark.question.grade_id,
                "title": mark.question.title,
                "points": mark.points,
                "of": mark.question.points,
                "why": mark.why,
            }
            for mark in marks
        ],
        "diagnoses": diagnoses,
    }


def points(result: Result) -> dict[str, float]:
    """The points of a result by the id of the answer; none if the grader failed."""
    found: dict[str, float] = {}
    for mark in result.get("marks", []):
        found[mark["answer"]] = found.get(mark["answer"], 0) + mark["points"]
    return found


def _tried(work: Callable[[], tuple[Result, NotebookNode]]) -> tuple[Result, NotebookNode]:
    for _ in range(TRIES - 1):
        with contextlib.suppress(JailError):
            return work()
    return work()


def _digest(handed_in: Found, version: str, most: int) -> str:
    """What a result belongs to; a link, or what cannot be read, counts by its name."""
    digest = hashlib.sha256(f"{version}{handed_in.reason}".encode())
    path = handed_in.path
    if path is not None:
        digest.update(ascii(path.name).encode())
        with contextlib.suppress(OSError):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    digest.update(file.read(most))
    return digest.hexdigest()


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, "utf-8")
    os.replace(part, path)
