"""Run packed notebooks in one environment, as a reader would meet them there.

The notebooks run with the quick budget, in an empty folder and with an empty HOME, and fetch the
data from a mirror on this machine. numpy and a stand-in for google.colab are imported before the
first cell. This cannot show Colab's front end, its network, or its GPUs.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

import colab
import first_cell
from environments import stand_ins
from notebooks import code_cells, last_line, save, set_budget

CELL_TIMEOUT = 900  # seconds: an installation over a slow network

# What Colab's kernel has imported before the first cell, as far as the environment has it.
STARTED = """
import contextlib, importlib
for name in ("google.colab", "numpy", "pandas", "matplotlib.pyplot"):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
"""
# After the first cell: the data comes from here.
MIRROR = """\
from utils.setup import fetch
fetch.MIRRORS[:] = ["{address}"]
"""
# After the last cell: do packages that are built on numpy still work?
AFTERWARDS = """
import io, json, matplotlib.figure, numpy, pandas, scipy.stats, google.protobuf
from google.protobuf import struct_pb2
table = pandas.DataFrame({"x": numpy.arange(6.0), "group": list("aabbcc")}).groupby("group").mean()
assert table["x"].tolist() == [0.5, 2.5, 4.5]
assert abs(scipy.stats.norm.cdf(0) - 0.5) < 1e-12
assert struct_pb2.Value(number_value=2).number_value == 2
figure = matplotlib.figure.Figure()
figure.subplots().plot(numpy.linspace(0, 1, 5))
figure.savefig(io.BytesIO(), format="png")
modules = [numpy, pandas, matplotlib, scipy, google.protobuf]
print(json.dumps({module.__name__: module.__version__ for module in modules}))
"""


@dataclass
class Outcome:
    """The notebooks that ran, the versions before and after, and the error that ended the trial."""

    names: list[str]
    before: dict[str, str]
    after: dict[str, str]
    error: str = ""

    @property
    def changed(self) -> list[str]:
        """The modules whose version is no longer what it was."""
        return [name for name, version in self.before.items() if self.after[name] != version]


def run(python: Path, paths: list[Path], keep: Path, address: str) -> Outcome:
    """Run packed notebooks one after another, up to the first error.

    `address` is that of a mirror of the data. Copies of the executed notebooks go to `keep`.
    """
    outcome = Outcome([], stand_ins.versions(python), {})
    source = first_cell.alone()
    keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as empty:
        home, folder = Path(empty, "home"), Path(empty, "content")
        startup = home / ".ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "colab.py").write_text(STARTED)
        folder.mkdir()
        for original in paths:
            notebook = colab.pack(original, source, "")
            set_budget(notebook, "quick")
            first = notebook.cells.index(code_cells(notebook)[0])
            notebook.cells.insert(first + 1, new_code_cell(MIRROR.format(address=address)))
            notebook.cells.append(new_code_cell(AFTERWARDS))
            path = folder / original.name
            save(notebook, path)
            outcome.error = execute(python, path, home)
            shutil.copy(path, keep)
            if outcome.error:
                return outcome
            outcome.names.append(path.stem)
            outcome.after = json.loads(nbformat.read(path, 4).cells[-1].outputs[0].text)
    if outcome.changed:
        outcome.error = f"changed {', '.join(outcome.changed)}"
    return outcome


def execute(python: Path, path: Path, home: Path) -> str:
    """Execute a notebook in place; return the last line of its error, or ""."""
    command = ["-m", "jupyter", "execute", "--inplace", f"--timeout={CELL_TIMEOUT}", path.name]
    done = subprocess.run(
        [python, *command],
        cwd=path.parent,
        env=stand_ins.variables(python, home),
        capture_output=True,
        text=True,
    )
    return f"{path.stem}: {last_line(done.stderr)}" if done.returncode else ""
