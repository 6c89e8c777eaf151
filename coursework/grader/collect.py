"""Find each student's notebook in a folder, or in the archive of a learning platform."""

from __future__ import annotations

import contextlib
import lzma
import re
import unicodedata
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.limits import ArchiveLimits, FileLimits

# Names that are safe in paths, in nbgrader and in a spreadsheet.
STUDENT = re.compile(r"[^\W_][^\\/*?\[\]{}<>|\"]{0,99}")
# What platforms append to names. The number tells students of the same name apart.
MOODLE = re.compile(r"_(?P<number>\d+)_assignsubmission_.*$")
CANVAS = re.compile(r"(_LATE)?_(?P<number>\d+)_\d+_.*$")
# What zipfile raises for an entry that is damaged, encrypted, oddly compressed or badly named.
UNREADABLE = (
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)


class CollectError(Exception):
    """No submissions were found; the message tells the instructor what to do."""


@dataclass(frozen=True)
class Found:
    """What a student has handed in: a path, or a sentence on why there is none."""

    path: Path | None = None
    reason: str = ""


def collect(folder: Path, assignment: str) -> dict[str, Found]:
    """Return what each student has handed in, by name, in alphabetical order.

    `folder` holds a folder for each student, with the notebook somewhere inside, or a notebook for
    each student; all of them may be in one more folder. Additions of Moodle and Canvas to names are
    removed. Links are not followed. Raises CollectError where there is nothing.
    """
    if not folder.is_dir():
        raise CollectError(f"{folder} is neither a folder nor a zip archive with submissions.")
    candidates: dict[tuple[str, str], list[Path]] = {}
    for entry in _entries(folder, assignment):
        is_folder = entry.is_dir() and not entry.is_symlink()
        if is_folder or entry.suffix == ".ipynb":
            notebooks = _notebooks(entry, assignment) if is_folder else [entry]
            candidates.setdefault(_student(entry, assignment), []).extend(notebooks)
    if not candidates:
        raise CollectError(
            f"There are no submissions in {folder}. It should hold a folder or a notebook for each "
            "student."
        )
    namesakes = Counter(name for name, _ in candidates)
    found = {}
    for (name, number), paths in sorted(candidates.items()):
        student = f"{name} {number}" if namesakes[name] > 1 else name
        found |= _found(student, paths)
    return found


def is_name(student: str) -> bool:
    """Return whether a student's name is one that the grader accepts."""
    return bool(STUDENT.fullmatch(student)) and student.isprintable()


def unpack(archive: Path, folder: Path, limits: ArchiveLimits, file: FileLimits) -> None:
    """Unpack the notebooks of an archive into an empty folder.

    A notebook that is too large is cut just beyond the limit, so that it will be refused. Entries
    that cannot be read, or whose names lead out of the folder, are left out. Raises CollectError.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            if len(entries) > limits.entries:
                raise CollectError(
                    f"{archive} has {len(entries)} entries, more than {limits.entries}. If it "
                    "should, raise the limit in limits.toml."
                )
            for entry in entries:
                with contextlib.suppress(*UNREADABLE):
                    _unpack_entry(packed, entry, folder, file.megabytes * 2**20 + 1)
    except (OSError, zipfile.BadZipFile) as error:
        raise CollectError(f"{archive} cannot be read as a zip archive: {error}.") from error


def _unpack_entry(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, most: int) -> None:
    parts = PurePosixPath(entry.filename).parts
    if entry.is_dir() or not parts or ".." in parts or parts[0].startswith("/"):
        return
    target = folder.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix != ".ipynb":  # its folder stays: the student has handed in something
        return
    with packed.open(entry) as file, target.open("xb") as unpacked:
        unpacked.write(file.read(most))


def _entries(folder: Path, assignment: str) -> list[Path]:
    """The visible entries of a folder, or of the only folder in it."""
    entries = [
        entry
        for entry in sorted(folder.iterdir())
        if not entry.name.startswith(".") and entry.name != "__MACOSX"
    ]
    if len(entries) == 1 and entries[0].is_dir() and not entries[0].is_symlink():
        inner = _entries(entries[0], assignment)
        is_student = any(path.suffix == ".ipynb" or path.name == assignment for path in inner)
        if len(inner) > 1 and not is_student:
            return inner
    return entries


def _student(entry: Path, assignment: str) -> tuple[str, str]:
    """A student's name, and the number that the platform appended, or ""."""
    name = unicodedata.normalize("NFC", entry.stem if entry.suffix == ".ipynb" else entry.name)
    added = MOODLE.search(name) or CANVAS.search(name)
    if added:
        return name[: added.start()], added["number"]
    return re.sub(rf"[-_ ]{re.escape(assignment)}$", "", name), ""


def _notebooks(folder: Path, assignment: str) -> list[Path]:
    """The notebooks in a student's folder, or only the one with the assignment's name."""
    found = [
        path
        for path in sorted(folder.rglob("*.ipynb"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    named = [path for path in found if path.stem == assignment]
    return named if len(named) == 1 else found


def _found(student: str, paths: list[Path]) -> dict[str, Found]:
    if not is_name(student):
        reason = "The student's name has characters that the grader does not accept."
        return {ascii(student): Found(reason=reason)}
    if not paths:
        return {student: Found(reason="There is no notebook in the folder.")}
    if len(paths) > 1:
        reason = "There are {count} notebooks, and it is unclear which one to grade."
        reason = reason.format(count=len(paths))
        return {student: Found(reason=reason)}
    return {student: Found(paths[0])}
