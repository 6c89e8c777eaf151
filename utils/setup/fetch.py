"""Where Fashion-MNIST is: found on this machine or fetched, and verified either way.

It is looked for in FASHION_MNIST_DIR, in the course's own cache, in MXNet's cache and in Debian's
package. Where none has it, it is fetched into the course's cache. Where nothing can be fetched, a
sample of it that is part of the course takes its place, with one plain warning.

`python -m utils.setup.fetch` does this with progress bars and ends with one line: where
the data is.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from utils.setup import download, storage
from utils.setup.files import FILES, SAMPLE_FILES, Contents, DataError, path_of, read, read_folder

SAMPLE_FOLDER = Path(__file__).parents[1] / "sample"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


class Source(NamedTuple):
    """Where the data comes from: `what` it is, its `folder`, and how it was `verified`."""

    what: str
    folder: Path
    verified: str = "verified by the SHA-256 of its contents"

    def __str__(self) -> str:
        return f"{self.what}, in {self.folder}, {self.verified}"


def find() -> tuple[Source, Contents]:
    """Return all of Fashion-MNIST from the first place that has it, or else the bundled sample.

    Raises DataError if FASHION_MNIST_DIR is set to a folder without the four right files.
    """
    if chosen := os.environ.get("FASHION_MNIST_DIR"):
        return _chosen(Path(chosen).expanduser())
    for what, folder in _places().items():
        if any(path_of(folder, name) for name in FILES):
            try:
                return Source(f"Fashion-MNIST from {what}", folder), read_folder(folder, FILES)
            except DataError as error:
                print(f"{error} So {what} will not do, and the data is looked for elsewhere.")
    store = _Cache(cache_folder())
    contents = _fetch(store)
    if len(contents) == len(FILES):
        what = "Fashion-MNIST, fetched" + ("" if store.works else " into memory only")
        return Source(what, store.folder), contents
    print(
        "Fashion-MNIST could not be fetched. The course goes on with a sample of it, 7,000 of its "
        "70,000 images, and reaches lower accuracies. To get all of it, connect to the internet "
        "and run this again, or set FASHION_MNIST_DIR to a folder that has its four files."
    )
    return sample()


def sample() -> tuple[Source, Contents]:
    """Return the bundled sample: 6,000 training and 1,000 test images of Fashion-MNIST."""
    source = Source("A sample of Fashion-MNIST, part of the course", SAMPLE_FOLDER)
    try:
        return source, read_folder(SAMPLE_FOLDER, SAMPLE_FILES)
    except DataError as error:
        raise DataError(f"{error} Get that folder again from the course's repository.") from error


def cache_folder() -> Path:
    """Return the folder of the course's own cache that holds the data. It need not exist."""
    return storage.folder("fashion-mnist")


def _chosen(folder: Path) -> tuple[Source, Contents]:
    try:
        return Source("Fashion-MNIST from FASHION_MNIST_DIR", folder), read_folder(folder, FILES)
    except DataError as error:
        raise DataError(
            f"{error} FASHION_MNIST_DIR says that the data is in this folder: put the four "
            "original files there, or unset FASHION_MNIST_DIR to have them looked for elsewhere."
        ) from error


def _places() -> dict[str, Path]:
    mxnet = Path(os.environ.get("MXNET_HOME") or Path.home() / ".mxnet")
    return {
        "the course's cache": cache_folder(),
        "MXNet's cache": mxnet / "datasets" / "fashion-mnist",
        "Debian's package": DEBIAN_FOLDER,
    }


def _fetch(store: _Cache) -> Contents:
    """Return what the cache holds, completed from the mirrors and Debian's archive if possible."""
    contents = {}
    for name, digest in FILES.items():
        with contextlib.suppress(DataError):  # missing or wrong, and fetched below
            contents[name] = read(store.folder, name, digest)

    def missing() -> list[str]:
        return [name for name in FILES if name not in contents]

    def keep(fetched: Iterable[download.Fetched]) -> None:
        for name, packed, unpacked in fetched:
            contents[name] = unpacked
            store.store(name, packed)

    keep(download.from_mirrors(missing()))
    if missing():
        keep(download.from_debian(missing(), store.folder if store.works else None))
    return contents


class _Cache:
    """The course's cache. `works` becomes False once it cannot be written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.works = True
        self._try(self._prepare)

    def store(self, name: str, packed: bytes) -> None:
        """Keep a file. It appears under its name only when it is whole."""
        if self.works:
            self._try(lambda: self._write(name, packed))

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            self.works = False
            print(
                f"The data cannot be kept in {self.folder}: {error.strerror}. Make the folder "
                "writable and make room on its disk, or set XDG_CACHE_HOME to another folder. "
                "Until then the data is fetched each time."
            )

    def _prepare(self) -> None:
        """Make the folder, see that it can be written, and clear what a killed fetch left there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(prefix=storage.PART, dir=self.folder).close()
        storage.clear(self.folder)

    def _write(self, name: str, packed: bytes) -> None:
        handle, part = tempfile.mkstemp(prefix=storage.PART, dir=self.folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(packed)
            os.chmod(part, 0o644)  # mkstemp keeps it from everyone else
            os.replace(part, self.folder / f"{name}.gz")
        except BaseException:
            os.unlink(part)
            raise


def main() -> None:
    """Find or fetch the data and print where it is."""
    try:
        source, _ = find()
    except DataError as error:
        sys.exit(str(error))
    print(f"{source}.")


if __name__ == "__main__":
    main()
