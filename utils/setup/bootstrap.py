"""Install what is missing: the first cell of a notebook that travels alone calls this.

Nothing that is already installed changes, and Python need not be restarted.
`python -m utils.setup.bootstrap` does the same, for `make gpu`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from utils.setup import gpu, machine, packages, remedies
from utils.setup.packages import InstallError, Package

# What the course imports besides MXNet and d2l. Each has the same name for pip.
IMPORTED = ["IPython", "ipywidgets", "jinja2", "matplotlib", "matplotlib_inline", "numpy", "onnx"]
IMPORTED += ["onnxruntime", "pandas", "requests", "tqdm"]
if sys.version_info >= (3, 12):
    IMPORTED.append("setuptools")  # it brings distutils, which MXNet imports
TRIED = "This course was tested with Python 3.9 to 3.13 and numpy 1.23 to 2.5."
COLAB_GPU = "For a GPU in Colab, choose Runtime → Change runtime type → T4 GPU."
COLAB_VERSION = "In Colab, choose Runtime → Change runtime type → Runtime version → an earlier one."
RESTART = "Restart the kernel (in Colab: Runtime → Restart session) and run this cell first."
TRY = """
import sys
sys.path.insert(0, sys.argv[1])
try:
    import utils, mxnet, d2l.mxnet
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def install() -> None:
    """Install what is missing, with a line for each package, and check that MXNet can be imported.

    Raises InstallError, whose sentence says what to do. After that, this can be called again.
    """
    try:
        problem = machine.platform_problem(*machine.this_platform())
        if problem := problem or loaded_problem(sys.modules.get("mxnet.libinfo")):
            raise InstallError(problem)
        complete([name for name in IMPORTED if importlib.util.find_spec(name) is None])
        build, why = gpu.fitting_build()
        in_colab = "google.colab" in sys.modules
        print(f"{why} {COLAB_GPU}" if in_colab and build == gpu.CPU_BUILD else why)
        bring(build)
    except OSError as error:
        raise InstallError(f"{error}\n{remedies.remedy(str(error))}".strip()) from error
    machine.prepare()


def loaded_problem(libinfo: ModuleType | None) -> str:
    """Return what to do if an MXNet other than 1.9.1 has been imported already, or "".

    `libinfo` is the first of its modules. It is there even if the rest could not be imported.
    """
    version = getattr(libinfo, "__version__", "1.9.1")
    if version == "1.9.1":
        return ""
    return (
        "MXNet {version} is already loaded, but this course is written for 1.9.1. {restart}"
    ).format(version=version, restart=RESTART)


def complete(missing: list[str]) -> None:
    """Install these packages, and change none that is already there."""
    if not missing:
        return
    names = ", ".join(missing)
    print("Installing {names}.".format(names=names), flush=True)
    installed = {
        package.metadata["Name"]: package.version
        for package in reversed(list(importlib.metadata.distributions()))  # the first one counts
    }
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{name}=={version}\n" for name, version in installed.items() if name)
        file.flush()
        failure = "These packages are missing and could not be installed: {names}."
        packages.pip_install(["--constraint", file.name, *missing], failure.format(names=names))
    importlib.invalidate_caches()
    if "setuptools" in missing:
        importlib.import_module("setuptools")  # or only the next Python would find distutils


def bring(build: str) -> None:
    """Install what a build of MXNet needs. If the one for GPUs does not work, take the other."""
    missing = [package for package in packages.wanted(build) if not package.is_here()]
    for number, package in enumerate(missing, 1):
        line = "Installing {requirement} ({megabytes} MB), {number} of {count}.".format(
            requirement=package.requirement,
            megabytes=package.megabytes,
            number=number,
            count=len(missing),
        )
        print(line, flush=True)
        package.install()
    mxnet = packages.MXNET[build]
    try:
        try_import(mxnet)
    except InstallError as error:
        if build == gpu.CPU_BUILD:
            raise
        shutil.rmtree(mxnet.folder)
        print("{fault}\nSo MXNet computes on the processor.".format(fault=error))
        bring(gpu.CPU_BUILD)


def try_import(package: Package) -> None:
    """Check in another Python that MXNet and d2l can be imported. Raises InstallError if not.

    If MXNet does not fit the machine it can end Python. What has worked once is not tried again.
    """
    numpy = importlib.metadata.version("numpy")
    here = "Python {python} and numpy {numpy}".format(python=platform.python_version(), numpy=numpy)
    place = package.folder if package.folder.exists() else package.folder.parent
    stamp = place / f"{package.requirement} works with {here}"
    if stamp.exists():
        return
    command = [sys.executable, "-c", TRY, Path(__file__).parents[2]]
    failure = "{requirement} cannot be imported with {here}. {tried} {way_out}"
    packages.run_or_explain(
        command,
        failure.format(
            requirement=package.requirement, here=here, tried=TRIED, way_out=COLAB_VERSION
        ),
    )
    place.mkdir(parents=True, exist_ok=True)
    stamp.touch()


if __name__ == "__main__":
    try:
        install()
    except InstallError as error:
        sys.exit(str(error))
