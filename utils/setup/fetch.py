"""Fashion-MNIST: found on this machine or fetched, and verified either way.

It is looked for in FASHION_MNIST_DIR, in the course's cache, in MXNet's cache and in Debian's
package. If none has it, it is fetched into the course's cache, from the mirrors or through apt. If
nothing can be fetched, the sample that comes with the course takes its place, with one warning. A
notebook packed to work alone carries no sample: it takes the same images out of all of them.

`python -m utils.setup.fetch` does this with progress bars and prints where the data is.

Fashion-MNIST: Xiao, Rasul and Vollgraf, 2017, arXiv:1708.07747. The files are in MNIST's format,
IDX.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy

from utils.setup import _download, remedies, storage
from utils.setup._download import DownloadError, UnreachableError

# SHA-256 of the unpacked contents, since the same contents can be packed in many ways.
FILES = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
# The sample: the first images of each class. tools/make_sample.py prints these lines.
PER_CLASS = {"train": 600, "t10k": 100}
SAMPLE_FILES = {
    "train-images-idx3-ubyte": "cf313073c7eb485392848071d5c433571d7166043e971e3345b095cc30518084",
    "train-labels-idx1-ubyte": "097b93fbcf9bd5bc648b1a457ddc55c9e4ab49afb33f9ecae8ce068399a75e3a",
    "t10k-images-idx3-ubyte": "7cee33c3c6414b1b86c25e665a6c4f41584269de3b7cc9768b1d351922845eef",
    "t10k-labels-idx1-ubyte": "3128d790775889812b73c4f13923559c8b9e281d112c6ea7862acf60a206a909",
}
LARGEST = 48 << 20  # bytes: a little more than the largest file, unpacked
SAMPLE_FOLDER = Path(__file__).parents[1] / "sample"
PAGE = "https://github.com/zalandoresearch/fashion-mnist"  # where readers find the files
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
# The mirrors could not be reached when this was written. A wrong one does no harm: what a mirror
# sends is verified.
MIRRORS = [
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/gluon/dataset/fashion-mnist/",
]

Contents = dict[str, bytes]  # a file's name, without .gz, and its unpacked bytes
Fetched = tuple[str, bytes, bytes]  # a file's name, without .gz, its packed and its unpacked bytes


class DataError(ValueError):
    """A file of the data is missing, unreadable or wrong. The message names it."""


class Source(NamedTuple):
    """Where the data comes from: `what` it is, its `folder`, and how it was `verified`."""

    what: str
    folder: Path
    verified: str = "verified by the SHA-256 of its contents"

    def __str__(self) -> str:
        return f"{self.what}, in {self.folder}, {self.verified}"


def find() -> tuple[Source, Contents]:
    """Return all of Fashion-MNIST from the first place that has it, or else the bundled sample.

    Raises DataError if FASHION_MNIST_DIR is set to a folder without the four right files, and where
    there is no sample either.
    """
    if whole := _whole():
        return whole
    if not SAMPLE_FOLDER.is_dir():
        raise DataError(_out_of_reach())
    print(
        "Fashion-MNIST could not be fetched. The course goes on with a sample of it, 7,000 of its "
        "70,000 images, and reaches lower accuracies. To get all of it, connect to the internet "
        "and run this again, or set FASHION_MNIST_DIR to a folder that has its four files."
    )
    return sample()


def sample() -> tuple[Source, Contents]:
    """Return 6,000 training and 1,000 test images of Fashion-MNIST: the bundled sample.

    Where it was not bundled, the same images are taken out of all of them.
    Raises DataError where these are not within reach.
    """
    if not SAMPLE_FOLDER.is_dir():
        source, contents = find()
        what = "A sample of {whole}".format(whole=source.what)
        return source._replace(what=what), sample_of(contents)
    source = Source("A sample of Fashion-MNIST, part of the course", SAMPLE_FOLDER)
    try:
        return source, read_folder(SAMPLE_FOLDER, SAMPLE_FILES)
    except DataError as error:
        raise DataError(
            "{fault} Get that folder again from the course's repository.".format(fault=error)
        ) from error


def sample_of(contents: Contents) -> Contents:
    """Return the four files of the sample, given those of all of Fashion-MNIST.

    They hold the first images of each class, in their original order.
    """
    made = {}
    for part, per_class in PER_CLASS.items():
        images_name, labels_name = f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"
        images = numpy.frombuffer(contents[images_name], numpy.uint8, offset=16).reshape(-1, 28, 28)
        labels = numpy.frombuffer(contents[labels_name], numpy.uint8, offset=8)
        firsts = [numpy.flatnonzero(labels == label)[:per_class] for label in range(10)]
        kept = numpy.sort(numpy.concatenate(firsts))
        # The IDX format: a magic number, the length of each axis, the bytes.
        header = struct.pack(">IIII", 0x803, len(kept), 28, 28)
        made[images_name] = header + images[kept].tobytes()
        made[labels_name] = struct.pack(">II", 0x801, len(kept)) + labels[kept].tobytes()
    return made


def _whole() -> tuple[Source, Contents] | None:
    """Return all of Fashion-MNIST, or None where it is not within reach."""
    if chosen := os.environ.get("FASHION_MNIST_DIR"):
        return _chosen(Path(chosen).expanduser())
    for place, folder in _places().items():
        if any(_path_of(folder, name) for name in FILES):
            try:
                contents = read_folder(folder, FILES)
            except DataError as error:
                print(
                    "{fault} So the files in {place} are not used, and the search goes on.".format(
                        fault=error, place=place
                    )
                )
            else:
                return Source("Fashion-MNIST from {place}".format(place=place), folder), contents
    cache = _Cache(cache_folder())
    contents = _fetch(cache)
    if len(contents) == len(FILES):
        what = (
            "Fashion-MNIST, fetched" if cache.works else "Fashion-MNIST, fetched into memory only"
        )
        return Source(what, cache.folder), contents
    return None


def _out_of_reach() -> str:
    """Say what to do where Fashion-MNIST cannot be fetched and no sample is here."""
    return (
        "Fashion-MNIST could not be fetched, and no sample of it came with this notebook: "
        "connect to the internet and run this cell again; or put the files {files} (from {page}) "
        "into {here} and run `%env FASHION_MNIST_DIR={here}` before this cell; or take the form of "
        "this notebook that carries a sample, which `make colab OFFLINE=1` packs."
    ).format(files=", ".join(f"{name}.gz" for name in FILES), page=PAGE, here=Path.cwd())


def cache_folder() -> Path:
    """Return the folder of the course's cache that holds the data. It need not exist."""
    return storage.folder("fashion-mnist")


def read_folder(folder: Path, files: dict[str, str]) -> Contents:
    """Return the verified contents of the files in a folder, packed (name.gz) or not (name).

    `files` gives the SHA-256 that each must have. Raises DataError.
    """
    return {name: _read(folder, name, digest) for name, digest in files.items()}


def unpack(packed: bytes, digest: str, origin: str) -> bytes:
    """Return the contents of a file, unpacked if it is a .gz file, once they are verified.

    Raises DataError, which names `origin`, unless the contents' SHA-256 is `digest`.
    """
    contents = packed
    if packed.startswith(b"\x1f\x8b"):  # every .gz file does, no IDX file does
        unpacker = zlib.decompressobj(wbits=31)  # 31 stands for the format of .gz
        try:
            contents = unpacker.decompress(packed, LARGEST)
        except zlib.error as error:
            raise DataError(
                "{origin} is damaged: it cannot be unpacked.".format(origin=origin)
            ) from error
        if not unpacker.eof:
            raise DataError("{origin} is truncated: its end is missing.".format(origin=origin))
    found = hashlib.sha256(contents).hexdigest()
    if found == digest:
        return contents
    for other, other_digest in FILES.items():
        if found == other_digest:
            raise DataError(
                "{origin} has the contents of {other}.".format(origin=origin, other=other)
            )
    raise DataError(
        "{origin} has the wrong contents: their SHA-256 begins with {found}, but it should begin "
        "with {expected}.".format(origin=origin, found=found[:8], expected=digest[:8])
    )


def _read(folder: Path, name: str, digest: str) -> bytes:
    path = _path_of(folder, name)
    if path is None:
        raise DataError(
            "{folder} has no readable file {name}.gz, and no {name} either.".format(
                folder=folder, name=name
            )
        )
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise DataError(
            "{path} cannot be read: {reason}.".format(path=path, reason=error.strerror)
        ) from error
    return unpack(packed, digest, str(path))


def _path_of(folder: Path, name: str) -> Path | None:
    """Return where the folder holds a file, packed or not, or None if it does not."""
    candidates = (folder / f"{name}.gz", folder / name)
    return next((path for path in candidates if os.path.isfile(path)), None)


def _chosen(folder: Path) -> tuple[Source, Contents]:
    try:
        return Source("Fashion-MNIST from FASHION_MNIST_DIR", folder), read_folder(folder, FILES)
    except DataError as error:
        raise DataError(
            "{fault} FASHION_MNIST_DIR says that the data is in this folder: put the four original "
            "files there, or unset FASHION_MNIST_DIR to have them looked for elsewhere.".format(
                fault=error
            )
        ) from error


def _places() -> dict[str, Path]:
    mxnet = Path(os.environ.get("MXNET_HOME") or storage.home() / ".mxnet")
    return {
        "the course's cache": cache_folder(),
        "MXNet's cache": mxnet / "datasets" / "fashion-mnist",
        "Debian's package": DEBIAN_FOLDER,
    }


def _fetch(cache: _Cache) -> Contents:
    """Return what the cache holds, completed from the mirrors and Debian's archive if possible."""
    contents: Contents = {}
    for name, digest in FILES.items():
        with contextlib.suppress(DataError):  # missing or wrong, and fetched below
            contents[name] = _read(cache.folder, name, digest)

    def missing() -> list[str]:
        return [name for name in FILES if name not in contents]

    def keep(fetched: Iterable[Fetched]) -> None:
        for name, packed, unpacked in fetched:
            contents[name] = unpacked
            cache.store(name, packed)

    keep(_from_mirrors(missing()))
    if missing() and _download.has_apt():
        keep(_from_debian(missing(), cache.folder if cache.works else None))
    return contents


def _from_mirrors(names: list[str]) -> Iterator[Fetched]:
    """Yield each file that one of the mirrors delivers and that proves right, as it arrives."""
    mirrors = list(MIRRORS)
    advice = set()  # what is wrong on this machine is wrong for all mirrors
    for name in names:
        for mirror in list(mirrors):
            try:
                packed = _download.over_http(mirror, f"{name}.gz", LARGEST)
                contents = unpack(packed, FILES[name], f"{mirror}{name}.gz")
            except (DownloadError, DataError) as error:
                print(error)
                if isinstance(error, UnreachableError):
                    mirrors.remove(mirror)
                if isinstance(error, DownloadError):
                    advice.add(error.remedy)
            else:
                yield name, packed, contents
                break
    for sentence in sorted(advice - {""}):
        print(sentence)


def _from_debian(names: list[str], scratch: Path | None) -> list[Fetched]:
    """Return all of these files from Debian's package, or none of them."""
    print(
        "Asking apt for the package {package}: 40 MB, with the lists that apt needs.".format(
            package=_download.PACKAGE
        )
    )
    try:
        package = _download.from_debian(scratch)
        fetched = []
        for name in names:
            packed = package.get(f"{name}.gz", b"")
            fetched.append((name, packed, unpack(packed, FILES[name], f"{name}.gz of the package")))
        return fetched
    except (DownloadError, DataError) as error:
        print("apt could not deliver the data: {reason}".format(reason=error))
        return []


class _Cache:
    """The course's cache. `works` becomes False, with one warning, once it cannot be written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.works = True
        with self._watched(), storage.appearing_whole(folder):
            pass  # nothing appears yet: this shows whether the folder can be written

    def store(self, name: str, packed: bytes) -> None:
        """Keep a file, if the cache can be written."""
        if self.works:
            with self._watched():
                storage.write_whole(self.folder / f"{name}.gz", packed)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.works = False
            print(
                "The data cannot be kept in {folder}: {reason}. Make the folder writable and make "
                "room on its disk, or set XDG_CACHE_HOME to another folder. Until then the data is "
                "fetched each time.".format(folder=self.folder, reason=error.strerror)
            )


def main() -> None:
    """Find or fetch the data and print where it is."""
    try:
        source, _ = find()
    except DataError as error:
        sys.exit(str(error))
    print(f"{source}.")


if __name__ == "__main__":
    with remedies.explained():
        main()
