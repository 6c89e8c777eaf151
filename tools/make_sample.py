"""Make utils/sample/ from Fashion-MNIST: the first images of each class, in their original order.

Nothing is random: a second run writes the same bytes. It needs the whole data set, in
FASHION_MNIST_DIR or anywhere else that utils.setup.fetch looks.
"""

from __future__ import annotations

import gzip
import hashlib
import sys

from utils.setup import fetch, remedies, storage


def main() -> None:
    source, contents = fetch.find()
    if source.folder == fetch.SAMPLE_FOLDER:
        sys.exit(
            "The sample is made from all of Fashion-MNIST, which was not found. Fetch it first."
        )
    for name, unpacked in fetch.sample_of(contents).items():
        packed = gzip.compress(unpacked, compresslevel=9, mtime=0)
        storage.write_whole(fetch.SAMPLE_FOLDER / f"{name}.gz", packed)
        print(f'    "{name}": "{hashlib.sha256(unpacked).hexdigest()}",')


if __name__ == "__main__":
    with remedies.explained():
        main()
