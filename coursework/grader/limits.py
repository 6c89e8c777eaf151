"""The limits of limits.toml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tomllib

FILE = Path(__file__).with_name("limits.toml")


@dataclass(frozen=True)
class FileLimits:
    """What a notebook that is handed in may be."""

    megabytes: int
    cells: int
    cell_kilobytes: int
    source_kilobytes: int


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive of submissions may be."""

    entries: int


@dataclass(frozen=True)
class JailLimits:
    """What code in the jail may use; limits.toml says in which units."""

    seconds: int
    question_seconds: int
    megabytes: int
    processes: int
    file_megabytes: int
    output_kilobytes: int
    result_megabytes: int


@dataclass(frozen=True)
class Limits:
    """All of them."""

    file: FileLimits
    archive: ArchiveLimits
    jail: JailLimits


def read(path: Path = FILE) -> Limits:
    """Return the limits that a file names. Raises TypeError where one is missing or unknown."""
    tables = tomllib.loads(path.read_text("utf-8"))
    return Limits(
        FileLimits(**tables["file"]),
        ArchiveLimits(**tables["archive"]),
        JailLimits(**tables["jail"]),
    )
