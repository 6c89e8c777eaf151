"""Checkpoints on Google Drive: the notebook's own lines, with a stand-in for Colab's module."""

import sys
from pathlib import Path
from types import ModuleType

import nbformat

from notebooks import NOTEBOOKS, code_cells


def test_the_lines_of_notebook_05_keep_the_checkpoints_on_drive(monkeypatch):
    """The three lines, without their #."""
    mounted = []
    module = ModuleType("google.colab")
    module.drive = ModuleType("google.colab.drive")
    module.drive.mount = mounted.append
    monkeypatch.setitem(sys.modules, "google.colab", module)
    notebook = nbformat.read(NOTEBOOKS / "05_train_fashion_mnist.ipynb", as_version=4)
    (cell,) = (cell for cell in code_cells(notebook) if "google.colab" in cell.source)
    names = {"Path": Path}
    exec(cell.source.replace("# ", ""), names)
    assert mounted == ["/content/drive"]
    assert names["folder"] == Path("/content/drive/MyDrive/residual-networks")
