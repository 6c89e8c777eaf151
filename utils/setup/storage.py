"""The course's cache, and files and folders that appear under their names only when whole.

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
    """Return a folder of the cache, inside $XDG_CACHE_HOME or ~/.cache. It need not exist."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache")
    return caches / "residual-networks" / name


def home() -> Path:
    """Return the home folder. Raises OSError where this user has none."""
    try:
        return Path.home()
    except RuntimeError as error:
        raise OSError("This user has no home folder. Set HOME to a folder of yours.") from error


def clear(path: Path) -> None:
    """Remove the temporary files that processes killed long ago have left in a folder."""
    for part in path.glob(f"{PART}*"):
        with contextlib.suppress(OSError):  # another process may be clearing it too
            if time.time() - part.stat().st_mtime > STALE:
                shutil.rmtree(part) if part.is_dir() else part.unlink()


@contextlib.contextmanager
def appearing_whole(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder. At the end, unless an error ends it, its files move to `folder`.

    Each name in `folder` stands for the old file or all of the new one at any moment, whenever the
    process or the machine stops. A folder appears in the same way. If its name is taken, by another
    process that made it at the same time, the one that is there stays.
    Raises OSError (full disk, no permission).
    """
    folder.mkdir(parents=True, exist_ok=True)
    clear(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=PART) as part:
        yield Path(part)
        for written in Path(part).rglob("*"):
            if written.is_file():
                with written.open("rb") as file:
                    os.fsync(file.fileno())
        for whole in Path(part).iterdir():
            target = folder / whole.name
            try:
                os.replace(whole, target)
            except OSError:
                if not (whole.is_dir() and target.is_dir()):
                    raise
    _sync_names(folder)


def _sync_names(folder: Path) -> None:
    """Bring the moved names to the disk. Network drives cannot always do it, and need not."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that its name only ever holds the old content or all of the new one."""
    with appearing_whole(path.parent) as part:
        encoded = content.encode("utf-8") if isinstance(content, str) else content
        (part / path.name).write_bytes(encoded)
