"""Checkpoints on Google Drive, with a stand-in for Colab's module."""

import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

from run_course import NOTEBOOKS, code_cells
from utils import colab


@pytest.fixture
def drive(tmp_path, monkeypatch):
    """A Drive that is mounted when somebody asks for it."""

    def mount(folder):
        Path(folder, "MyDrive").mkdir(parents=True, exist_ok=True)

    module = ModuleType("google.colab")
    module.drive = ModuleType("google.colab.drive")
    module.drive.mount = mount
    monkeypatch.setitem(sys.modules, "google.colab", module)
    monkeypatch.setattr(colab, "MOUNTED", tmp_path / "drive")
    return tmp_path / "drive" / "MyDrive"


def test_the_folder_is_on_the_drive_and_stays_there(drive):
    assert colab.drive_folder() == drive / "residual-networks"
    (drive / "residual-networks" / "full.zip").touch()
    assert (colab.drive_folder() / "full.zip").exists()


def test_outside_of_colab_it_says_which_line_to_leave_out():
    with pytest.raises(RuntimeError, match="leave out the line that asks for Drive"):
        colab.drive_folder()


def test_the_lines_of_notebook_05_keep_the_checkpoints_on_drive(drive):
    """The two lines, without their #."""
    notebook = nbformat.read(NOTEBOOKS / "05_train_fashion_mnist.ipynb", as_version=4)
    (cell,) = (cell for cell in code_cells(notebook) if "drive_folder" in cell.source)
    names = {"Path": Path}
    exec(cell.source.replace("# ", ""), names)
    assert names["folder"] == colab.drive_folder()
