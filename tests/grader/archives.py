"""Zip archives, byte by byte as several programs write them.

None of these programs runs here: each form follows the format's description (APPNOTE.TXT) and what
archives of these programs hold. What differs among them is how a name is written, and where.
"""

from __future__ import annotations

import struct
import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

DOS, UNIX = 0, 3  # systems
UTF8, LATER = 0x800, 0x8  # flags: the name is UTF-8; sizes and checksum follow the contents
Files = list[tuple[str, bytes]]  # names with slashes, and contents


@dataclass
class Zip:
    """An archive that is being written. `system` and `version` say which program claims it."""

    system: int
    version: int = 20
    body: bytearray = field(default_factory=bytearray)
    directory: bytearray = field(default_factory=bytearray)
    count: int = 0

    def add(
        self,
        name: bytes,
        contents: bytes = b"",
        flags: int = 0,
        extra: bytes = b"",
        local_name: bytes | None = None,
        is_folder: bool = False,
    ) -> None:
        """Add a file. The name before the contents may differ from that in the directory."""
        compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = compressor.compress(contents) + compressor.flush()
        method, packed = (0, b"") if is_folder else (8, packed)
        sizes = struct.pack("<III", zlib.crc32(contents), len(packed), len(contents))
        common = struct.pack("<HHHHH", 20, flags, method, 0, 0x5A21)
        start = len(self.body)
        local = name if local_name is None else local_name
        given = bytes(12) if flags & LATER else sizes
        self.body += b"PK\3\4" + common + given + struct.pack("<HH", len(local), len(extra))
        self.body += local + extra + packed
        if flags & LATER:
            self.body += b"PK\7\x08" + sizes
        attributes = 0x10 if is_folder else 0x20
        self.directory += b"PK\1\2" + struct.pack("<BB", self.version, self.system) + common + sizes
        self.directory += struct.pack("<HHHHHII", len(name), len(extra), 0, 0, 0, attributes, start)
        self.directory += name + extra
        self.count += 1

    def bytes(self) -> bytes:
        end = struct.pack(
            "<HHHHIIH", 0, 0, self.count, self.count, len(self.directory), len(self.body), 0
        )
        return bytes(self.body + self.directory + b"PK\5\6" + end)


def flagged(files: Files) -> bytes:
    """As Python, Moodle and Canvas write: the flag says that names are UTF-8."""
    archive = Zip(UNIX)
    for name, contents in files:
        archive.add(name.encode(), contents, flags=0 if name.isascii() else UTF8)
    return archive.bytes()


def info_zip(files: Files) -> bytes:
    """As zip on Linux writes in a Latin-1 locale: a field repeats the name in UTF-8."""
    archive = Zip(UNIX, version=30)
    for name, contents in files:
        raw = name.encode("latin-1", "replace")
        field = b"\1" + zlib.crc32(raw).to_bytes(4, "little") + name.encode()
        times = struct.pack("<HHBI", 0x5455, 5, 1, 0)
        extra = times + struct.pack("<HH", 0x7075, len(field)) + field
        archive.add(raw, contents, extra=times if name.isascii() else extra)
    return archive.bytes()


def finder(files: Files) -> bytes:
    """As the Finder of macOS compresses: decomposed UTF-8 without the flag, and forks beside it."""
    archive = Zip(UNIX, version=21)
    extra = struct.pack("<HHII", 0x5855, 8, 0, 0)
    for name, contents in files:
        raw = unicodedata.normalize("NFD", name)
        folder, _, file = raw.rpartition("/")
        archive.add(raw.encode(), contents, flags=LATER, extra=extra)
        fork = "/".join(part for part in ("__MACOSX", folder, f"._{file}") if part)
        archive.add(fork.encode(), b"\0\5\x16\7" + bytes(60), flags=LATER, extra=extra)
    return archive.bytes()


def windows(page: str) -> Callable[[Files], bytes]:
    """As "Send to → Compressed folder" writes: the code page of the command line, and no flag."""

    def write(files: Files) -> bytes:
        archive = Zip(DOS)
        for folder in sorted({name.rpartition("/")[0] for name, _ in files} - {""}):
            archive.add(f"{folder}/".encode(page), is_folder=True)
        for name, contents in files:
            archive.add(name.encode(page), contents)
        return archive.bytes()

    return write


def powershell(files: Files) -> bytes:
    """As Compress-Archive of PowerShell 5 writes: backslashes, and the flag where it is needed."""
    archive = Zip(DOS)
    for name, contents in files:
        raw = name.replace("/", "\\").encode()
        archive.add(raw, contents, flags=0 if raw.isascii() else UTF8)
    return archive.bytes()


def seven_zip(page: str) -> Callable[[Files], bytes]:
    """As 7-Zip writes on Windows: the code page if it has all letters of a name, else UTF-8."""

    def write(files: Files) -> bytes:
        archive = Zip(DOS, version=63)
        for name, contents in files:
            try:
                archive.add(name.encode(page), contents)
            except UnicodeEncodeError:
                archive.add(name.encode(), contents, flags=UTF8)
        return archive.bytes()

    return write


def two_names(files: Files) -> bytes:
    """As some .NET programs write: backslashes in the directory, slashes before the contents."""
    archive = Zip(DOS)
    for name, contents in files:
        archive.add(name.replace("/", "\\").encode(), contents, UTF8, local_name=name.encode())
    return archive.bytes()


def within(files: Files) -> bytes:
    """A folder in an archive in an archive, as when a colleague passes on a download."""
    return flagged([("download/all.zip", finder([(f"课程 ü/{name}", c) for name, c in files]))])


def each_packed(files: Files) -> bytes:
    """Each student has packed a folder, on a system of their own."""
    forms = [flagged, finder, powershell, windows("cp850"), info_zip]
    packed = []
    for number, (name, contents) in enumerate(files):
        folder, _, file = name.rpartition("/")
        own = forms[number % len(forms)]([(f"Lösung/{file}", contents), ("Lösung/größe.csv", b"")])
        packed.append((f"{folder or file.rpartition('.')[0]}/solution.zip", own))
    return flagged(packed)


def moodle(files: Files) -> bytes:
    """As Moodle downloads all submissions."""
    return flagged(
        [
            (name.replace("/", f"_{4000 + number}_assignsubmission_file_/"), contents)
            for number, (name, contents) in enumerate(files)
        ]
    )


def canvas(files: Files) -> bytes:
    """As Canvas downloads them: one flat folder."""
    return flagged(
        [
            (name.replace("/", f"{'_LATE' * (number % 2)}_{70 + number}_{900 + number}_"), contents)
            for number, (name, contents) in enumerate(files)
        ]
    )


FORMS: dict[str, Callable[[Files], bytes]] = {
    function.__name__: function
    for function in (
        flagged, info_zip, finder, powershell, two_names, within, each_packed, moodle, canvas
    )
}  # fmt: skip
