"""Make utils/sample/ from Fashion-MNIST: the first images of each class, in their original order.

Nothing is random: a second run writes the same bytes. It needs the whole data set, in
FASHION_MNIST_DIR or anywhere else that utils.setup.fetch looks.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import sys

import numpy

from utils.setup import fetch, remedies, storage

PER_CLASS = {"train": 600, "t10k": 100}


def make_sample(contents: fetch.Contents) -> fetch.Contents:
    """Return the four unpacked files of the sample, given those of the whole data set."""
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


def main() -> None:
    source, contents = fetch.find()
    if source.folder == fetch.SAMPLE_FOLDER:
        sys.exit(
            "The sample is made from all of Fashion-MNIST, which was not found. Fetch it first."
        )
    for name, unpacked in make_sample(contents).items():
        packed = gzip.compress(unpacked, compresslevel=9, mtime=0)
        storage.write_whole(fetch.SAMPLE_FOLDER / f"{name}.gz", packed)
        print(f'    "{name}": "{hashlib.sha256(unpacked).hexdigest()}",')


if __name__ == "__main__":
    with remedies.explained():
        main()
