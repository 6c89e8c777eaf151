"""The first cell of a notebook: how it finds the toolbox, wherever it has arrived.

The committed notebooks stand beside utils/ and only name it. One that is opened alone, as in Colab,
brings the toolbox along inside itself, or clones it from the course's address.
"""

from __future__ import annotations

import base64
import gzip
import io
import re
import zipfile
from pathlib import Path

from run_course import ROOT

HOME = """\
import sys

sys.path.insert(0, "..")  # utils/ stands beside notebooks/
import utils  # noqa: F401  (before mxnet: it sets this machine up)"""
AFTER_IMPORTS = HOME.removeprefix("import sys\n\n")

CARRY = """\
# @title Run this cell first: it brings the toolbox of the course (at home it does nothing)
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

if not os.path.exists("../utils/resnet.py"):  # the notebook has come alone, as in Colab
    course = "{address}"
    clone = f"git clone --quiet --depth=1 {course} residual-networks"
    if not os.path.exists("residual-networks/utils/resnet.py") and os.system(clone):
        sys.exit("Check the network, delete residual-networks if it is there, run this cell again.")
    sys.path.insert(0, os.path.abspath("residual-networks"))
    from utils.setup import bootstrap

    bootstrap.install()
"""


def at_home(address: str) -> str:
    """The first cell of a committed notebook; `address` is where it can be cloned from, or ""."""
    return CLONE.replace("{address}", address) + AFTER_IMPORTS if address else HOME


def alone() -> str:
    """The first cell of a notebook that carries the toolbox inside itself."""
    return CARRY.replace("{archive}", archive()) + AFTER_IMPORTS


def archive() -> str:
    """utils/ with the sample of the data, packed: the same text for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as packed:
        for path in toolbox():
            name, contents = path.relative_to(ROOT).as_posix(), path.read_bytes()
            if path.suffix == ".gz":  # LZMA packs the sample's images a seventh smaller
                name, contents = name.removesuffix(".gz"), gzip.decompress(contents)
            packed.writestr(zipfile.ZipInfo(name), contents, zipfile.ZIP_LZMA)
    return base64.b64encode(buffer.getvalue()).decode()


def toolbox() -> list[Path]:
    """The files of utils/, without those that Python has made."""
    return sorted(
        path
        for path in (ROOT / "utils").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


def address() -> str:
    """Where the course has been published, as the README says, or ""."""
    found = re.search(r"^git clone (\S+)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    return found[1] if found else ""
