"""The course's cache, and files that appear under their names only when they are whole.

Uses the standard library alone, since it runs before anything is installed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PART = ".part-"  # how the names of temporary files and folders begin
STALE = 3600  # seconds after which they belong to no running process


def folder(name: str) -> Path:
    """Return a folder of the cache, below $XDG_CACHE_HOME or ~/.cache. It need not exist."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "residual-networks" / name


def clear(path: Path) -> None:
    """Remove the temporary files that processes killed long ago have left in a folder."""
    for part in path.glob(f"{PART}*"):
        with contextlib.suppress(OSError):  # another process may be clearing it too
            if time.time() - part.stat().st_mtime > STALE:
                shutil.rmtree(part) if part.is_dir() else part.unlink()


@contextlib.contextmanager
def appearing_whole(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder; at the end its files move to `folder`, after an error they do not.

    Each name in `folder` holds the old file or all of the new one at any moment, whenever the
    process or the machine stops. Raises OSError (full disk, no permission).
    """
    folder.mkdir(parents=True, exist_ok=True)
    clear(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=PART) as part:
        yield Path(part)
        for file in Path(part).iterdir():
            with file.open("rb") as written:
                os.fsync(written.fileno())
            os.replace(file, folder / file.name)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that its name only ever holds the old content or all of the new one."""
    with appearing_whole(path.parent) as part:
        encoded = content.encode("utf-8") if isinstance(content, str) else content
        (part / path.name).write_bytes(encoded)
