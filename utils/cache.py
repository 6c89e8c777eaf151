"""The course's cache: where it is, and how a killed process's leftovers in it are cleared."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

PART = ".part-"  # how the names of temporary files and folders in the cache begin
STALE = 3600  # seconds after which they belong to nobody


def folder(name: str) -> Path:
    """Return a folder of the cache, below $XDG_CACHE_HOME or ~/.cache. It need not exist."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "residual-networks" / name


def clear(path: Path) -> None:
    """Remove what processes that were killed long ago have left in a folder of the cache."""
    for part in path.glob(f"{PART}*"):
        with contextlib.suppress(OSError):  # another process may be clearing it too
            if time.time() - part.stat().st_mtime > STALE:
                shutil.rmtree(part) if part.is_dir() else part.unlink()
