"""The first cell of a notebook, which finds the toolbox: beside it, inside it, or on GitHub.

A committed notebook has utils/ beside it. A packed one carries utils/ in its first cell and fetches
the data; its offline form carries a sample of the data too. Once the course is published, a
notebook that was opened alone, as in Colab, clones the course.
"""

from __future__ import annotations

import base64
import gzip
import io
import lzma
import zipfile
from pathlib import Path

from notebooks import ROOT

HOME = """\
import sys

sys.path.insert(0, "..")  # utils/ stands beside notebooks/
import utils  # noqa: F401  (before mxnet: it sets this machine up)"""
AFTER_IMPORTS = HOME.removeprefix("import sys\n\n")
LANGUAGE = '\n\nutils.language("{language}")'  # the one line of code that an edition adds

LINE = 1000  # characters: editors are slow with longer lines
CARRY = '''\
# @title Run this cell first: it unpacks {what}, where it is not there already
TOOLBOX = """
{archive}
"""

import base64
import io
import lzma
import os
import sys
import zipfile

if not os.path.exists("../utils/resnet.py"):
    folder = os.path.abspath("residual-networks")
    archive = lzma.decompress(base64.b64decode(TOOLBOX))
    zipfile.ZipFile(io.BytesIO(archive)).extractall(folder)
    sys.path.insert(0, folder)
    from utils.setup import bootstrap

    bootstrap.install()
'''

CLONE = """\
import os
import sys

opened_alone = not os.path.exists("../utils/resnet.py")
if opened_alone:
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


def alone(offline: bool = False) -> str:
    """Return the first cell of a packed notebook, which carries the toolbox inside itself.

    The notebook fetches the data when it needs them. `offline` adds the sample, which takes their
    place: with it the cell has 3.7 MB, more than some editors open.
    """
    what = "the course's toolbox and a sample of its data" if offline else "the course's toolbox"
    cell = CARRY.replace("{what}", what).replace("{archive}", archive(offline))
    return cell + AFTER_IMPORTS


def archive(offline: bool = False) -> str:
    """Return what a packed notebook carries, as lines of base64; equal files give equal text."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for path in toolbox(offline):
            name, contents = path.relative_to(ROOT).as_posix(), path.read_bytes()
            if path.suffix == ".gz":  # LZMA makes the sample's images a seventh smaller
                name, contents = name.removesuffix(".gz"), gzip.decompress(contents)
            packed.writestr(zipfile.ZipInfo(name), contents)
    # Compressed as a whole, which takes a third less than one file at a time.
    text = base64.b64encode(lzma.compress(buffer.getvalue())).decode()
    return "\n".join(text[start : start + LINE] for start in range(0, len(text), LINE))


def toolbox(offline: bool = False) -> list[Path]:
    """Return the files of utils/, without Python's caches; the sample only if `offline`."""
    folder = ROOT / "utils"
    left_out = {"__pycache__"} if offline else {"__pycache__", "sample"}
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and left_out.isdisjoint(path.relative_to(folder).parts)
    )
