"""The four files of Fashion-MNIST: their names, their contents' SHA-256, and reading them verified.

Fashion-MNIST: Xiao, Rasul and Vollgraf, 2017, arXiv:1708.07747. The format, IDX, is MNIST's.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from pathlib import Path

# SHA-256 of the unpacked contents, since the same contents can be packed in many ways.
FILES = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
# The bundled sample. tools/make_sample.py makes it and prints these lines.
SAMPLE_FILES = {
    "train-images-idx3-ubyte": "cf313073c7eb485392848071d5c433571d7166043e971e3345b095cc30518084",
    "train-labels-idx1-ubyte": "097b93fbcf9bd5bc648b1a457ddc55c9e4ab49afb33f9ecae8ce068399a75e3a",
    "t10k-images-idx3-ubyte": "7cee33c3c6414b1b86c25e665a6c4f41584269de3b7cc9768b1d351922845eef",
    "t10k-labels-idx1-ubyte": "3128d790775889812b73c4f13923559c8b9e281d112c6ea7862acf60a206a909",
}
LARGEST = 48 << 20  # bytes: a little more than the largest file, unpacked

Contents = dict[str, bytes]  # a file's name, without .gz, and its unpacked bytes


class DataError(ValueError):
    """A file of the data is missing, unreadable or wrong. The message names it."""


def read_folder(folder: Path, files: dict[str, str]) -> Contents:
    """Return the verified contents of the files in a folder, packed (name.gz) or not (name).

    `files` gives the SHA-256 expected of each. Raises DataError.
    """
    return {name: read(folder, name, digest) for name, digest in files.items()}


def read(folder: Path, name: str, digest: str) -> bytes:
    """Return the verified contents of one file, packed (name.gz) or not (name); raise DataError."""
    path = path_of(folder, name)
    if path is None:
        raise DataError(f"{folder} has no readable file {name}.gz, and no {name} either.")
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    return unpack(packed, digest, str(path))


def path_of(folder: Path, name: str) -> Path | None:
    """Return where the folder holds a file, packed or not, or None if it does not."""
    candidates = (folder / f"{name}.gz", folder / name)
    return next((path for path in candidates if os.path.isfile(path)), None)


def unpack(packed: bytes, digest: str, origin: str) -> bytes:
    """Return the contents of a .gz file, or of one that is not packed, if they are the right ones.

    Raises DataError that names `origin` unless the contents' SHA-256 is `digest`.
    """
    contents = packed
    if packed.startswith(b"\x1f\x8b"):  # every .gz file does, no IDX file does
        unpacker = zlib.decompressobj(wbits=31)  # 31 means the format of .gz
        try:
            contents = unpacker.decompress(packed, LARGEST)
        except zlib.error as error:
            raise DataError(f"{origin} is damaged: it cannot be unpacked.") from error
        if not unpacker.eof:
            raise DataError(f"{origin} is truncated: its end is missing.")
    found = hashlib.sha256(contents).hexdigest()
    if found != digest:
        other = next((name for name in FILES if FILES[name] == found), None)
        reason = f"has the contents of {other}" if other else "has the wrong contents"
        raise DataError(
            f"{origin} {reason}: their SHA-256 begins with {found[:8]}, expected is {digest[:8]}."
        )
    return contents
