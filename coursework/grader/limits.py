"""The limits on submissions, read from limits.toml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tomllib

FILE = Path(__file__).with_name("limits.toml")


@dataclass(frozen=True)
class FileLimits:
    """Limits on a notebook that is handed in."""

    megabytes: int
    cells: int
    cell_kilobytes: int
    source_kilobytes: int


@dataclass(frozen=True)
class ArchiveLimits:
    """Limits on an archive: of all submissions, and of one that a student has handed in."""

    entries: int
    megabytes: int


@dataclass(frozen=True)
class JailLimits:
    """Limits on code in the jail; limits.toml explains each."""

    seconds: int
    item_seconds: int
    megabytes: int
    processes: int
    file_megabytes: int
    output_kilobytes: int
    result_megabytes: int


@dataclass(frozen=True)
class Limits:
    """All limits."""

    file: FileLimits
    archive: ArchiveLimits
    jail: JailLimits


def read(path: Path = FILE) -> Limits:
    """Return the limits in a file. Raises TypeError where one is missing or unknown."""
    tables = tomllib.loads(path.read_text("utf-8"))
    return Limits(
        FileLimits(**tables["file"]),
        ArchiveLimits(**tables["archive"]),
        JailLimits(**tables["jail"]),
    )
