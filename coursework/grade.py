"""Grade the submissions of an assignment: fill gradebook, feedback pages and table.

make grade ASSIGNMENT=ps1 FROM=submissions.zip
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import sysconfig
import tempfile
from pathlib import Path

from tqdm import tqdm

from grader import assignment, batch, collect, limits, ready_made
from grader.gradebook import Gradebook
from grader.jail import Jail, JailError, closed, missing
from utils.runs import keeper
from utils.setup import remedies

COURSE = Path(__file__).resolve().parent
ROOT = COURSE.parent


def mark(
    course: Path,
    name: str,
    submissions: Path,
    allowed: limits.Limits,
    protected: bool = True,
    page: str = "",
) -> dict[str, batch.Result]:
    """Mark all submissions; return the results by student, and write them to marks/ in `course`.

    `page` is the code page of names in an archive that does not say which encoding they have.
    Raises AssignmentError, CollectError, JailError, and ValueError where the solution leaves an
    item unanswered.
    """
    loaded = assignment.load(course, name)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "unpacked").mkdir()
        found = collect.collect(submissions, name, folder / "unpacked", allowed, page)
        jail, whole = make_jails(folder, allowed.jail, protected)
        marker = batch.prepare(loaded, jail, whole, allowed)
        return batch.mark_all(found, marker, course / "marks" / name, version(course, name))


def enter(course: Path, name: str, results: dict[str, batch.Result]) -> list[str]:
    """Enter results into gradebook, feedback pages and table; return what went wrong."""
    gradebook = Gradebook(course, name)
    problems, rows = [], []
    for student, result in tqdm(results.items(), desc="nbgrader", unit="submission"):
        problem = result.get("failed", "")
        if not problem:
            problem = gradebook.enter(student, result) or gradebook.feedback(student)
        if problem:
            problems.append(f"{student}: {problem}")
        rows.append((student, batch.points(result), problem or result.get("refused", "")))
    gradebook.write_table(rows)
    gradebook.write_imports(results)
    return problems


def make_jails(
    folder: Path, allowed: limits.JailLimits, protected: bool = True
) -> tuple[Jail, Jail]:
    """Return the jail for items, without ready-made networks, and one with the whole toolbox.

    Files that the jails show are written to `folder`, which must outlive them. Raises JailError
    where the jails' users could not read what is shown.
    """
    stripped = folder / "stripped"
    stripped.mkdir()
    packages = Path(sysconfig.get_path("purelib"))
    whole = {
        "/packages": packages,
        "/course/utils": ROOT / "utils",
        "/course/jailed": COURSE / "jailed",
    }
    if protected and (sentence := closed(list(whole.values()))):
        raise JailError(sentence)
    shown = whole | ready_made.binds(ROOT, packages, stripped)
    return (
        Jail(allowed, shown, protected=protected, open_path=(ROOT, COURSE)),
        Jail(allowed, whole, protected=protected, open_path=(ROOT, COURSE)),
    )


def version(course: Path, name: str) -> str:
    """Return a digest of everything that marks depend on, apart from the submissions."""
    parts = [*(COURSE / "grader").glob("*.*"), *(COURSE / "jailed").rglob("*.py")]
    parts += (ROOT / "utils").rglob("*.py")
    parts += [COURSE / "items" / f"{part}.py" for part in ("__init__", name)]
    parts.append(course / "source" / name / f"{name}.ipynb")
    digest = hashlib.sha256()
    for path in sorted(parts):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _code_page(name: str) -> str:
    """A code page that this Python knows. Raises argparse.ArgumentTypeError."""
    try:
        b"a".decode(name)
    except (LookupError, UnicodeDecodeError) as error:
        sentence = f"{name!r} is not a code page that Python knows; cp850, gbk and utf-8 are some."
        raise argparse.ArgumentTypeError(sentence) from error
    return name


def main() -> int:
    parser = argparse.ArgumentParser(description="Grade the submissions of an assignment.")
    parser.add_argument("assignment", choices=assignment.names(COURSE))
    parser.add_argument("submissions", help="a folder, or the zip of a learning platform")
    parser.add_argument(
        "--run-submissions-unprotected",
        action="store_true",
        help="without a jail: students' code runs as you, with all your rights",
    )
    parser.add_argument(
        "--code-page",
        type=_code_page,
        help="of names in an archive that does not tell, for example gbk or cp850",
    )
    arguments = parser.parse_args()
    if not arguments.submissions:
        parser.error("name the submissions: `make grade ASSIGNMENT=ps1 FROM=folder-or-zip`")
    protected = not arguments.run_submissions_unprotected
    if protected and (sentence := missing()):
        sys.exit(sentence)
    if not protected:
        print("WITHOUT A JAIL: students' code now runs as you.", file=sys.stderr)
    name = arguments.assignment
    try:
        submissions = Path(arguments.submissions).expanduser()
        page = arguments.code_page or ""
        Gradebook(COURSE, name).check()
        results = mark(COURSE, name, submissions, limits.read(), protected, page)
        problems = enter(COURSE, name, results)
    except OSError as error:  # a full disk, or a file where a folder should be
        remedy = remedies.remedy(str(error)) or "Mend this, and run the command again: it resumes."
        sys.exit(f"Grading has stopped. {error}\n{remedy}")
    except (
        assignment.AssignmentError,
        collect.CollectError,
        JailError,
        RuntimeError,  # "~", where nobody has a home
        ValueError,
    ) as error:
        sys.exit(str(error))
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(results)} submissions graded. The table is coursework/grades/{name}.csv.")
    return int(bool(problems))


if __name__ == "__main__":
    with remedies.explained():
        keeper.end_with_starter()
        sys.exit(main())
