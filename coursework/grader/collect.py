"""Finding each student's notebook in a folder, or in the archive of a learning platform."""

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

# Names that paths, nbgrader and a table in a spreadsheet can hold.
STUDENT = re.compile(r"[^\W_][^\\/*?\[\]{}<>|\"]{0,99}")
# What platforms add to names; the number tells namesakes apart.
MOODLE = re.compile(r"_(?P<number>\d+)_assignsubmission_.*$")
CANVAS = re.compile(r"(_LATE)?_(?P<number>\d+)_\d+_.*$")
# What zipfile raises at an entry: damaged, encrypted, packed in an unknown way, with a bad name.
UNREADABLE = (
    *(OSError, EOFError, RuntimeError, NotImplementedError, ValueError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


class CollectError(Exception):
    """There are no submissions to be found; the message says what to do."""


@dataclass(frozen=True)
class Found:
    """What a student has handed in: a path, or the reason why there is none."""

    path: Path | None = None
    reason: str = ""


def collect(folder: Path, assignment: str) -> dict[str, Found]:
    """Return what each student has handed in, by the student's name, in the order of the names.

    A folder for each student, with the notebook somewhere in it, or a notebook for each student;
    both may lie in one more folder. What Moodle and Canvas add to names is taken off. No link is
    followed. Raises CollectError where there is nothing.
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
            f"In {folder} there are no submissions. Expected is a folder for each student, or a "
            "notebook for each student."
        )
    namesakes = Counter(name for name, _ in candidates)
    found = {}
    for (name, number), paths in sorted(candidates.items()):
        student = f"{name} {number}" if namesakes[name] > 1 else name
        found |= _found(student, paths)
    return found


def is_name(student: str) -> bool:
    """Whether somebody can be called so, here."""
    return bool(STUDENT.fullmatch(student)) and student.isprintable()


def unpack(archive: Path, folder: Path, limits: ArchiveLimits, file: FileLimits) -> None:
    """Unpack the notebooks of an archive into an empty folder.

    Of a notebook that is too large only so much is written that it will be refused. An entry that
    cannot be read, or whose name leads out of the folder, is left out. Raises CollectError.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            if len(entries) > limits.entries:
                raise CollectError(
                    f"{archive} has {len(entries)} entries, more than {limits.entries}. If that is "
                    "right, raise the limit in limits.toml."
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
    if target.suffix != ".ipynb":  # its student has handed in something, and it is no notebook
        return
    with packed.open(entry) as file, target.open("xb") as unpacked:
        unpacked.write(file.read(most))


def _entries(folder: Path, assignment: str) -> list[Path]:
    """The entries of a folder without hidden ones; of one that holds only a folder, its entries."""
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
    """A student's name, and the number that the platform gave them, or ""."""
    name = unicodedata.normalize("NFC", entry.stem if entry.suffix == ".ipynb" else entry.name)
    added = MOODLE.search(name) or CANVAS.search(name)
    if added:
        return name[: added.start()], added["number"]
    return re.sub(rf"[-_ ]{re.escape(assignment)}$", "", name), ""


def _notebooks(folder: Path, assignment: str) -> list[Path]:
    """The notebooks below a student's folder; where one has the assignment's name, it alone."""
    found = [
        path
        for path in sorted(folder.rglob("*.ipynb"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    named = [path for path in found if path.stem == assignment]
    return named if len(named) == 1 else found


def _found(student: str, paths: list[Path]) -> dict[str, Found]:
    if not is_name(student):
        reason = "The name of the student has characters that names do not have here."
        return {ascii(student): Found(reason=reason)}
    if not paths:
        return {student: Found(reason="There is no notebook in the folder.")}
    if len(paths) > 1:
        reason = f"There are {len(paths)} notebooks, and none is the one to grade."
        return {student: Found(reason=reason)}
    return {student: Found(paths[0])}
