"""The environments that stand in for those of readers, and how to build one.

Each has a Python and packages, but neither MXNet nor d2l. An environment with published versions is
kept in .cache/environments/; one with the newest packages is always built anew.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from notebooks import ROOT

CACHE = ROOT / ".cache" / "environments"
FOLDER = Path(__file__).parent
BARE = ["ipykernel", "nbclient", "nbformat", "pip", "protobuf", "scipy"]
UV = [Path(sys.executable).with_name("uv"), "--quiet"]
# Modules whose versions must not change, and the packages that provide them.
PACKAGES = {name: name for name in ("numpy", "pandas", "matplotlib", "scipy")}
PACKAGES["google.protobuf"] = "protobuf"


@dataclass(frozen=True)
class Environment:
    """A Python and its packages: those listed in a file, or the newest versions of BARE."""

    name: str
    python: str
    like: str
    file: str = ""

    def packages(self) -> list[str]:
        """Return the requirements to install."""
        if not self.file:
            return BARE
        lines = (FOLDER / self.file).read_text("utf-8").splitlines()
        return [line for line in lines if not line.startswith("#")]


ENVIRONMENTS = [
    Environment("colab", "3.13", "Colab, August 2026", "colab-2026-08.txt"),
    Environment("colab-2026-01", "3.12", "Colab, past runtime 2026.01", "colab-2026-01.txt"),
    Environment("colab-2025-07", "3.11", "Colab, past runtime 2025.07", "colab-2025-07.txt"),
    Environment("python3.13", "3.13", "the newest packages for this Python"),
    Environment("python3.10", "3.10", "the newest packages for this Python"),
    Environment("python3.9", "3.9", "the newest packages for this Python"),
]


def find_python(version: str) -> str:
    """Return the path of a Python of this version, or "": one on PATH, or one of pyenv's.

    pyenv's folder on PATH has a program for each of its versions, and most of them only print an
    error. So the versions themselves are looked up.
    """
    for folder in map(Path, os.environ["PATH"].split(os.pathsep)):
        if folder.name == "shims":
            for python in sorted((folder.parent / "versions").glob(f"{version}.*/bin/python")):
                return str(python)
    found = subprocess.run([*UV, "python", "find", version], capture_output=True, text=True)
    return found.stdout.strip()


def build(environment: Environment, python: str) -> Path:
    """Build the environment, unless an earlier call did; return the path of its Python."""
    folder = CACHE / environment.name
    stamp, wanted = folder / "whole", "\n".join([python, *environment.packages()])
    if not (environment.file and stamp.exists() and stamp.read_text() == wanted):
        env = {**os.environ, "UV_SYSTEM_CERTS": "1"}
        subprocess.run([*UV, "venv", "--clear", "--python", python, folder], check=True, env=env)
        install = [*UV, "pip", "install", "--python", folder / "bin" / "python"]
        subprocess.run([*install, *environment.packages()], check=True, env=env)
        _add_google_colab(folder)
        stamp.write_text(wanted)  # last, so that half an environment never looks whole
    return folder / "bin" / "python"


def _add_google_colab(folder: Path) -> None:
    """Add an empty module google.colab, by which the course recognizes Colab."""
    (site_packages,) = folder.glob("lib/python*/site-packages")
    colab = site_packages / "google" / "colab"
    colab.mkdir(parents=True)
    (colab / "__init__.py").touch()


def variables(python: Path, home: Path) -> dict[str, str]:
    """Return the variables of a fresh shell, and those by which this machine reaches its network.

    No proxy is asked for what is on this machine. GPUs are hidden: for one that fits, 2.4 GB would
    be downloaded.
    """
    network = re.compile("PIP_|SSL_|.*_proxy$", re.IGNORECASE)
    kept = {name: text for name, text in os.environ.items() if network.match(name)}
    direct = [os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), "127.0.0.1"]
    kept["no_proxy"] = ",".join(filter(None, direct))
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    start = {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8", "CUDA_VISIBLE_DEVICES": ""}
    return {**kept, **start}


def versions(python: Path) -> dict[str, str]:
    """Return the installed versions of PACKAGES, by module."""
    code = (
        "import importlib.metadata as metadata, json;"
        "found = {d.metadata['Name'].lower(): d.version for d in metadata.distributions()};"
        "print(json.dumps(found))"
    )
    found = json.loads(subprocess.check_output([python, "-c", code], text=True))
    return {name: found[package] for name, package in PACKAGES.items() if package in found}
