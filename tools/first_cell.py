"""The first cell of a notebook, which finds the toolbox: beside it, inside it, or on GitHub.

A committed notebook has utils/ beside it. A packed one carries utils/ in its first cell. Once the
course is published, a notebook that was opened alone, as in Colab, clones the course.
"""

from __future__ import annotations

import base64
import gzip
import io
import zipfile
from pathlib import Path

from notebooks import ROOT

HOME = """\
import sys

sys.path.insert(0, "..")  # utils/ stands beside notebooks/
import utils  # noqa: F401  (before mxnet: it sets this machine up)"""
AFTER_IMPORTS = HOME.removeprefix("import sys\n\n")

CARRY = """\
# @title Run this cell first: it unpacks the course's toolbox, where it is not there already
TOOLBOX = "{archive}"

import base64
import io
import os
import sys
import zipfile

if not os.path.exists("../utils/resnet.py"):
    folder = os.path.abspath("residual-networks")
    zipfile.ZipFile(io.BytesIO(base64.b64decode(TOOLBOX))).extractall(folder)
    sys.path.insert(0, folder)
    from utils.setup import bootstrap

    bootstrap.install()
"""

CLONE = """\
import os
import sys

if not os.path.exists("../utils/resnet.py"):  # opened alone, as in Colab
    course = "{address}"
    clone = f"git clone --quiet --depth=1 {course} residual-networks"
    if not os.path.exists("residual-networks/utils/resnet.py") and os.system(clone):
        sys.exit("Check the network, delete residual-networks if it is there, run this cell again.")
    sys.path.insert(0, os.path.abspath("residual-networks"))
    from utils.setup import bootstrap

    bootstrap.install()
"""


def at_home(address: str) -> str:
    """Return the first cell of a committed notebook.

    `address` is where the course is published; "" means that it is not.
    """
    return CLONE.replace("{address}", address) + AFTER_IMPORTS if address else HOME


def alone() -> str:
    """Return the first cell of a packed notebook, which carries the toolbox inside itself."""
    return CARRY.replace("{archive}", archive()) + AFTER_IMPORTS


def archive() -> str:
    """Return utils/, with the sample of the data, as base64 text; equal files give equal text."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as packed:
        for path in toolbox():
            name, contents = path.relative_to(ROOT).as_posix(), path.read_bytes()
            if path.suffix == ".gz":  # LZMA makes the sample's images a seventh smaller
                name, contents = name.removesuffix(".gz"), gzip.decompress(contents)
            packed.writestr(zipfile.ZipInfo(name), contents, zipfile.ZIP_LZMA)
    return base64.b64encode(buffer.getvalue()).decode()


def toolbox() -> list[Path]:
    """Return the files of utils/, without Python's caches."""
    return sorted(
        path
        for path in (ROOT / "utils").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
