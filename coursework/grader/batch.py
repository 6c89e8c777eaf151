"""Marking a folder of submissions: side by side, with a bar, and going on after an interruption.

Each student has a file with their marks, written when it is whole. It says of which submission and
of which assignment, so that a second run marks only what is new or has changed.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import queue
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from grader.frames import Frame
from grader.jail import Jail, JailError
from grader.limits import FileLimits
from grader.marking import Assignment, Marks, mark

TRIES = 3  # of a jail that does not start: that is not the student's mistake


def mark_all(
    submissions: dict[str, Path],
    assignment: Assignment,
    answers: dict[int, Frame],
    jail: Jail,
    limits: FileLimits,
    results: Path,
) -> dict[str, dict[str, Any]]:
    """Mark each student's submission, as many at once as there are processors; return all results.

    Each result has the points, the marks and the reason where a file could not be read, or, under
    "failed", why the grader itself could not mark it.
    """
    results.mkdir(parents=True, exist_ok=True)
    workers = len(os.sched_getaffinity(0))
    slots: queue.Queue[int] = queue.Queue()
    for slot in range(workers):
        slots.put(slot)

    def work(student: str) -> dict[str, Any]:
        path, kept = submissions[student], results / f"{student}.json"
        digest = _digest(path, assignment)
        if kept.exists() and (result := json.loads(kept.read_text("utf-8")))["digest"] == digest:
            return result
        slot = slots.get()
        try:
            marks = _mark(path, assignment, answers, replace(jail, slot=slot), limits)
        except JailError as error:
            return {"digest": digest, "failed": str(error)}
        finally:
            slots.put(slot)
        result = {"digest": digest, "points": marks.points, **_plain(marks)}
        _write(kept, json.dumps(result, indent=1))
        return result

    with ThreadPoolExecutor(workers) as pool:
        found = tqdm(pool.map(work, submissions), total=len(submissions), unit="submission")
        return dict(zip(submissions, found))


def write_csv(found: dict[str, dict[str, Any]], assignment: Assignment, path: Path) -> None:
    """Write one row per student: the points, those of each question, and what has to be known."""
    titles = [question.title for question in assignment.questions]
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["student", "points", *titles, "remark"])
        for student, result in found.items():
            marks = [mark["points"] for mark in result.get("marks", [])] or [""] * len(titles)
            remark = result.get("refused") or result.get("failed", "")
            rows.writerow([student, result.get("points", ""), *marks, remark])


def _mark(path: Path, *arguments: Any) -> Marks:
    for attempt in range(TRIES):
        try:
            return mark(path, *arguments)
        except JailError:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("not reached")


def _plain(marks: Marks) -> dict[str, Any]:
    return {
        "refused": marks.refused,
        "marks": [
            {"title": given.question.title, "points": given.points, "why": given.why}
            for given in marks.marks
        ],
    }


def _digest(path: Path, assignment: Assignment) -> str:
    """What a result belongs to. A link or an unreadable file has the digest of its name."""
    readable = path.is_file() and not path.is_symlink()
    contents = path.read_bytes() if readable else path.name.encode()
    asked = json.dumps([asdict(question) for question in assignment.questions], sort_keys=True)
    asked += json.dumps([assignment.stubs, sorted(assignment.given), assignment.solution])
    return hashlib.sha256(contents + asked.encode()).hexdigest()


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, "utf-8")
    os.replace(part, path)
