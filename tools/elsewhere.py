"""Run the notebooks that work alone where readers run them: in Colab's packages, on each Python.

    python tools/elsewhere.py [NAME ...]

For each environment: a Python with its packages and without MXNet, an empty folder, an empty HOME,
numpy and a stand-in for google.colab imported before the first cell runs. With no NAME all
are tried, and the table in README.md is written anew. What this cannot show: Colab's own front
end, its network, and its GPUs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

import arrival
from pack_colab import pack
from run_course import ROOT, last_line, notebook_paths, save, set_budget
from utils.setup import storage

CACHE = ROOT / ".cache" / "elsewhere"
BARE = ["ipykernel", "nbclient", "nbformat", "pip", "protobuf", "scipy"]
UV = [Path(sys.executable).with_name("uv"), "--quiet"]
# Modules that stay as they are, and the packages that bring them.
PACKAGES = {name: name for name in ("numpy", "pandas", "matplotlib", "scipy")}
PACKAGES["google.protobuf"] = "protobuf"
CELL_TIMEOUT = 900  # seconds: an installation from a slow network
TABLE = re.compile(r"(?<=<!-- table, by make elsewhere -->\n).*?(?=<!-- end of table -->)", re.S)

# What Colab's kernel has imported before any cell, as far as an environment has it.
STARTED = """
import contextlib, importlib
for name in ("google.colab", "numpy", "pandas", "matplotlib.pyplot"):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
"""
# After the last cell: does what is built on numpy still work?
AFTERWARDS = """
import io, json, matplotlib, numpy, pandas, scipy.stats, google.protobuf
from google.protobuf import struct_pb2
from utils.setup import storage
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


@dataclass(frozen=True)
class Environment:
    """A Python and what is installed in it: the packages of a file, or the newest of BARE."""

    name: str
    python: str
    like: str
    file: str = ""

    def packages(self) -> list[str]:
        """What is installed in it."""
        if not self.file:
            return BARE
        lines = (ROOT / "tools" / "environments" / self.file).read_text("utf-8").splitlines()
        return [line for line in lines if not line.startswith("#")]


ENVIRONMENTS = [
    Environment("colab", "3.13", "Colab, August 2026", "colab-2026-08.txt"),
    Environment("colab-2026-01", "3.12", "Colab, past runtime 2026.01", "colab-2026-01.txt"),
    Environment("colab-2025-07", "3.11", "Colab, past runtime 2025.07", "colab-2025-07.txt"),
    Environment("python3.13", "3.13", "the newest packages for this Python"),
    Environment("python3.10", "3.10", "the newest packages for this Python"),
    Environment("python3.9", "3.9", "the newest packages for this Python"),
]


@dataclass
class Outcome:
    """What happened: the notebooks that ran, versions before and after, the error that ended it."""

    names: list[str]
    before: dict[str, str]
    after: dict[str, str]
    error: str = ""

    @property
    def changed(self) -> list[str]:
        """The modules that had a version, and have another one now."""
        return [name for name, version in self.before.items() if self.after[name] != version]


def find_python(version: str) -> str:
    """Return a Python of this version, "" where there is none: on PATH, or one of pyenv's.

    pyenv's folder on PATH has programs for all its versions that only work for the chosen ones.
    """
    for folder in map(Path, os.environ["PATH"].split(os.pathsep)):
        if folder.name == "shims":
            for python in sorted((folder.parent / "versions").glob(f"{version}.*/bin/python")):
                return str(python)
    found = subprocess.run([*UV, "python", "find", version], capture_output=True, text=True)
    return found.stdout.strip()


def make(environment: Environment, python: str) -> Path:
    """Make the environment, or find it as an earlier call made it; return its Python.

    One with the newest packages is always made anew.
    """
    folder = CACHE / environment.name
    stamp, wanted = folder / "whole", "\n".join([python, *environment.packages()])
    if not (environment.file and stamp.exists() and stamp.read_text() == wanted):
        env = {**os.environ, "UV_SYSTEM_CERTS": "1"}
        subprocess.run([*UV, "venv", "--clear", "--python", python, folder], check=True, env=env)
        install = [*UV, "pip", "install", "--python", folder / "bin" / "python"]
        subprocess.run([*install, *environment.packages()], check=True, env=env)
        _stand_in_for_colab(folder)
        stamp.write_text(wanted)  # last
    return folder / "bin" / "python"


def _stand_in_for_colab(folder: Path) -> None:
    (site_packages,) = folder.glob("lib/python*/site-packages")
    colab = site_packages / "google" / "colab"
    colab.mkdir(parents=True)
    (colab / "__init__.py").touch()


def run(python: Path, paths: list[Path], keep: Path) -> Outcome:
    """Execute notebooks that carry the toolbox, quick, in an empty folder with an empty HOME.

    The executed notebooks are left in `keep`.
    """
    outcome = Outcome([], versions(python), {})
    first_cell = arrival.alone()
    keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as empty:
        home, folder = Path(empty, "home"), Path(empty, "content")
        startup = home / ".ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "colab.py").write_text(STARTED)
        folder.mkdir()
        for original in paths:
            notebook = pack(original, first_cell, "")
            set_budget(notebook, "quick")
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
    """Execute a notebook where it stands; return the last line of its error, or ""."""
    command = ["-m", "jupyter", "execute", "--inplace", f"--timeout={CELL_TIMEOUT}", path.name]
    done = subprocess.run(
        [python, *command],
        cwd=path.parent,
        env=shell(python, home),
        capture_output=True,
        text=True,
    )
    return f"{path.stem}: {last_line(done.stderr)}" if done.returncode else ""


def shell(python: Path, home: Path) -> dict[str, str]:
    """Only what a shell has at the start, and how this machine reaches the package index. No GPU:
    one that fits would have 2.4 GB downloaded.
    """
    network = re.compile("PIP_|SSL_|.*_proxy$", re.IGNORECASE)
    kept = {name: text for name, text in os.environ.items() if network.match(name)}
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    start = {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8", "CUDA_VISIBLE_DEVICES": ""}
    return {**kept, **start}


def versions(python: Path) -> dict[str, str]:
    """The versions of PACKAGES that are installed, by the name of their module."""
    code = (
        "import importlib.metadata as metadata, json;"
        "found = {d.metadata['Name'].lower(): d.version for d in metadata.distributions()};"
        "print(json.dumps(found))"
    )
    found = json.loads(subprocess.check_output([python, "-c", code], text=True))
    return {name: found[package] for name, package in PACKAGES.items() if package in found}


def row(environment: Environment, outcome: Outcome) -> str:
    """One line of the table in the README."""
    numpy = {**outcome.before, **outcome.after}.get("numpy", "")
    numbers = ", ".join(name[:2] for name in outcome.names)
    result = f"stopped: {outcome.error}" if outcome.error else f"{numbers} run"
    return f"| {environment.like} | {environment.python} | {numpy} | {result} |"


def main() -> int:
    names = sys.argv[1:]
    rows, failed = ["| packages like | Python | numpy | result |", "|:--|:--|:--|:--|"], False
    for environment in ENVIRONMENTS:
        if names and environment.name not in names:
            continue
        python = find_python(environment.python)
        if not python:
            sys.exit(f"There is no Python {environment.python} on this machine: install one.")
        keep = ROOT / "build" / "elsewhere" / environment.name
        outcome = run(make(environment, python), notebook_paths(), keep)
        failed = failed or bool(outcome.error)
        rows.append(row(environment, outcome))
        print(rows[-1], flush=True)
    if not names:
        readme = ROOT / "README.md"
        storage.write_whole(
            readme, TABLE.sub(lambda _: "\n".join(rows) + "\n", readme.read_text("utf-8"))
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
