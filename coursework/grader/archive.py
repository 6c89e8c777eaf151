"""What has been handed in, as a list of names and files: from a folder, and from zip archives.

No name in an archive becomes the name of a file: what is unpacked gets a number. So names may be as
long and as strange as they like, and lead nowhere.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import lzma
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from grader.limits import Limits
from grader.names import platform

# What zipfile raises for an entry that is damaged, encrypted or oddly compressed.
UNREADABLE = (
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
ZIP, JSON = b"PK\x03\x04", re.compile(rb"(\xef\xbb\xbf)?\s*\{")  # how their files begin
HEAD = 1024  # bytes; in a JSON file of only spaces nobody looks further
UTF8_FLAG, UTF8_FIELD = 0x800, 0x7075  # in an entry: its name is UTF-8; its name again, in UTF-8
WINDOWS = {0, 10, 11, 14}  # systems where a backslash separates folders
LOCAL_HEAD = struct.Struct("<6xH18xH2x")  # of an entry: flags, and the length of its name
DEEPEST = 3  # archives in archives
# Left behind by systems, by Jupyter and by git.
LEFT = {"__MACOSX", ".DS_Store", ".ipynb_checkpoints", ".git"}
NOTEBOOK = re.compile(r"\.ipynb(\.(json|txt|download))?$", re.IGNORECASE)


class CollectError(Exception):
    """No submissions were found; the message tells the instructor what to do."""


@dataclass(frozen=True)
class Entry:
    """A file or a folder that has been handed in.

    `name` is its path: bytes where their encoding is unknown. If it is an archive, `inside` leads
    on to a file in it. `path` is where the contents are; `problem` says why they cannot be read.
    """

    name: str | bytes
    path: Path | None = None
    problem: str = ""
    is_folder: bool = False
    of_windows: bool = False
    holds_notebook: bool = False  # whatever its name
    inside: tuple[str, ...] = ()

    def parts(self, page: str = "utf-8") -> tuple[str, ...]:
        """Return folders and file name, read in a code page."""
        text = self.name
        if isinstance(text, bytes):
            text = text.decode(page, "surrogateescape")
        parts = re.split(r"[/\\]" if self.of_windows else "/", text)
        return (*(part for part in parts if part not in ("", ".")), *self.inside)


def read(submissions: Path, scratch: Path, limits: Limits) -> list[Entry]:
    """Return everything in a folder or an archive, and in the archives that students handed in.

    Archives are unpacked into `scratch`, an empty folder. Links are not followed. Raises
    CollectError.
    """
    unpacker = _Unpacker(limits, (scratch / str(number) for number in itertools.count()))
    if submissions.is_dir():
        entries = _in_folder(submissions)
    elif submissions.is_file():
        entries = unpacker.unpack(submissions, str(submissions))
    else:
        raise CollectError(f"{submissions} is neither a folder nor a zip archive with submissions.")
    for _ in range(DEEPEST):
        if whole := _only_archive(entries):
            entries = unpacker.unpack(whole, str(submissions))
    found = [each for entry in entries for each in unpacker.opened(entry, DEEPEST)]
    most = limits.file.megabytes
    return [replace(each, holds_notebook=_holds_notebook(each.path, most)) for each in found]


def is_left(parts: tuple[str, ...]) -> bool:
    """Whether a file has been left behind by a system, and not been handed in by anybody."""
    return any(part in LEFT or part.startswith("._") for part in parts)


def is_notebook(name: str) -> bool:
    """Whether a file with this name is meant to be a notebook."""
    return bool(NOTEBOOK.search(name))


def contents(path: Path, megabytes: float) -> bytes:
    """The first megabytes of a regular file; none of anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return file.read(int(megabytes * 2**20) + 1) if is_file else b""


@dataclass
class _Unpacker:
    """Unpacks what grading may need: notebooks, and archives that may hold some."""

    limits: Limits
    targets: Iterator[Path]

    def unpack(self, archive: Path, called: str, most: float = float("inf")) -> list[Entry]:
        """Return what is in an archive, with at most so many bytes. Raises CollectError."""
        allowed = self.limits.archive
        found: list[Entry] = []
        try:
            with archive.open("rb") as file, zipfile.ZipFile(file) as packed:
                entries = packed.infolist()
                if len(entries) > allowed.entries:
                    raise CollectError(
                        f"{called} has {len(entries)} entries, more than {allowed.entries}. If it "
                        "should, raise the limit in limits.toml."
                    )
                files = [entry for entry in entries if not entry.is_dir()]
                most_inner = allowed.megabytes * 2**20 if len(files) > 1 else None
                for entry in entries:
                    found.append(self._unpack_entry(packed, file, entry, most_inner))
                    most -= found[-1].path.stat().st_size if found[-1].path else 0
                    if most < 0:
                        raise CollectError(f"{called} holds more than {allowed.megabytes} MB.")
        except UNREADABLE as error:
            raise CollectError(
                f"{called} cannot be read as a zip archive: {str(error).rstrip('.')}. Unpack it "
                "with the program that made it, and grade the folder."
            ) from error
        return found

    def opened(self, entry: Entry, depth: int) -> list[Entry]:
        """Return an entry or, if it is an archive, that and what is in it."""
        if entry.path is None or depth == 0 or not _head(entry.path).startswith(ZIP):
            return [entry]
        shown = replace(entry, path=None)
        try:
            most = self.limits.archive.megabytes * 2**20
            inner = self.unpack(entry.path, ascii(entry.parts()[-1]), most)
        except CollectError as error:
            return [replace(shown, problem=str(error))]
        found = [shown]
        for each in inner:
            inside = tuple(part for part in each.parts() if part != "..")
            if inside:
                own = replace(entry, path=each.path, problem=each.problem, is_folder=each.is_folder)
                found += self.opened(replace(own, inside=(*entry.inside, *inside)), depth - 1)
        return found

    def _unpack_entry(
        self,
        packed: zipfile.ZipFile,
        file: IO[bytes],
        entry: zipfile.ZipInfo,
        most_of_archive: int | None,
    ) -> Entry:
        """An entry. A notebook that is too large is cut beyond the limit, and will be refused."""
        named = _named(entry)
        if named.is_folder:
            return named
        most: int | None = self.limits.file.megabytes * 2**20 + 1
        try:
            entry.orig_filename = _local_name(file, entry)
            with packed.open(entry) as contents:
                head = contents.read(HEAD)
                if head.startswith(ZIP):
                    most = most_of_archive
                elif not (JSON.match(head) or is_notebook(entry.filename)):
                    return named
                rest = contents.read(most - len(head) if most else -1)
            target = next(self.targets)
            target.write_bytes(head + rest)
        except UNREADABLE as error:
            problem = "The file cannot be read from its archive: {reason}."
            return replace(named, problem=problem.format(reason=str(error).rstrip(".")))
        return replace(named, path=target)


def _named(entry: zipfile.ZipInfo) -> Entry:
    """An entry's name, as text where the archive says which encoding it has."""
    windows = entry.create_system in WINDOWS
    name: str | bytes = entry.orig_filename
    if not entry.flag_bits & UTF8_FLAG:
        raw = entry.orig_filename.encode("cp437")  # as which zipfile has read it
        name = _unicode_field(entry.extra, raw) or (raw.decode() if raw.isascii() else raw)
    # In bytes, a backslash may be half of a letter.
    is_folder = entry.orig_filename.endswith("/") or (
        windows and isinstance(name, str) and name.endswith("\\")
    )
    return Entry(name, is_folder=is_folder, of_windows=windows)


def _unicode_field(extra: bytes, raw: bytes) -> str:
    """The name in Info-ZIP's extra field, "" if there is none that belongs to the name."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        content, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == UTF8_FIELD and content[1:5] == zlib.crc32(raw).to_bytes(4, "little"):
            with contextlib.suppress(UnicodeDecodeError):
                return content[5:].decode()
    return ""


def _local_name(file: IO[bytes], entry: zipfile.ZipInfo) -> str:
    """The name before an entry's contents, as zipfile reads it.

    zipfile refuses an entry whose name differs between there and the archive's directory. Some
    programs write backslashes in one place and slashes in the other.
    """
    file.seek(entry.header_offset)
    flags, length = LOCAL_HEAD.unpack(file.read(LOCAL_HEAD.size))
    return file.read(length).decode("utf-8" if flags & UTF8_FLAG else "cp437")


def _only_archive(entries: list[Entry]) -> Path | None:
    """The archive of a whole batch, where nothing else has been given; None if there is none."""
    files = [entry for entry in entries if entry.path and not is_left(entry.parts())]
    if (
        len(files) != 1
        or platform(files[0].parts()[-1])
        or not files[0].path
        or not _head(files[0].path).startswith(ZIP)
    ):
        return None
    try:
        with zipfile.ZipFile(files[0].path) as packed:
            names = [_named(entry).parts() for entry in packed.infolist()]
    except UNREADABLE:
        return None
    names = [parts for parts in names if parts and not is_left(parts)]
    while len({parts[0] for parts in names}) == 1:
        names = [parts[1:] for parts in names if len(parts) > 1]
    handed_in = [parts for parts in names if parts[-1].lower().endswith((".ipynb", ".zip"))]
    if any(len(parts) == 1 and not platform(parts[0]) for parts in handed_in):
        return None  # it is a student's
    return files[0].path if len({parts[0] for parts in handed_in}) > 1 else None


def _in_folder(folder: Path) -> list[Entry]:
    root = os.fsencode(folder)
    problems: list[OSError] = []
    found = []
    for path, folders, files in os.walk(root, onerror=problems.append):
        for name in folders + files:
            whole = os.path.join(path, name)
            is_folder = name in folders and not os.path.islink(whole)
            where = None if is_folder else Path(os.fsdecode(whole))
            found.append(Entry(_text(os.path.relpath(whole, root)), where, is_folder=is_folder))
    for problem in problems:
        if problem.filename == root:
            raise CollectError(f"{folder} cannot be read: {problem.strerror}.")
        name = os.path.relpath(os.fsencode(problem.filename), root)
        found.append(Entry(_text(name), problem=f"The folder cannot be read: {problem.strerror}."))
    return sorted(found, key=lambda entry: ascii(entry.name))


def _text(name: bytes) -> str | bytes:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name


def _head(path: Path) -> bytes:
    return contents(path, HEAD / 2**20)


def _holds_notebook(path: Path | None, megabytes: int) -> bool:
    if path is None or not JSON.match(_head(path)):
        return False
    try:
        notebook = json.loads(contents(path, megabytes).decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return False
    return isinstance(notebook, dict) and {"cells", "nbformat"} <= notebook.keys()
