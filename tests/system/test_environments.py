"""Packed notebooks run with Colab's packages on Python 3.13, without MXNet.

This stands in for Colab; its front end, network and GPUs are not here.
"""

import os
import signal
import subprocess
import time
from types import SimpleNamespace

import nbformat
import pytest
from outputs import complaints

from environments import mirror, stand_ins, trial
from notebooks import ROOT, code_cells, notebook_paths
from utils.setup import fetch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.xdist_group("environments"),
]

BLOCK, TRAINING = (path for path in notebook_paths() if path.name[:2] in ("02", "05"))
INSTALL = "from utils.setup import bootstrap; bootstrap.install(); "
NO_NETWORK = {
    "PIP_INDEX_URL": "http://127.0.0.1:9",  # nothing listens there
    "PIP_EXTRA_INDEX_URL": "",
    "PIP_FIND_LINKS": "",
    "PIP_RETRIES": "0",
}
COMPUTE = "import mxnet; print(mxnet.__version__, mxnet.np.ones(3).sum().item())"


def test_packed_notebooks_run_and_change_no_package(colab, real_data, tmp_path):
    """02 and 05, with the quick budget: figures are drawn, and nothing warns.

    02 has the images from the mirror alone: it carries no sample, and nothing else is in reach.
    `make environments` runs all of them.
    """
    paths = [BLOCK, TRAINING]
    with mirror.serving(fetch.find()[1]) as data:
        outcome = trial.run(colab, paths, tmp_path, data.address)
    assert data.asked == [f"{name}.gz" for name in fetch.FILES], "02 fetches, 05 finds"
    assert outcome.error == ""
    assert outcome.names == [path.stem for path in paths]
    assert outcome.before.keys() == outcome.after.keys() == stand_ins.PACKAGES.keys()
    assert outcome.changed == []
    assert outcome.after["numpy"] == "2.1.3"
    for path in paths:
        assert complaints(nbformat.read(tmp_path / path.name, as_version=4)) == []
    training = nbformat.read(tmp_path / TRAINING.name, as_version=4)
    (curves,) = (cell for cell in code_cells(training) if "plots.LiveCurves()" in cell.source)
    assert any("image/png" in output.get("data", {}) for output in curves.outputs)


@pytest.fixture(scope="module")
def runtime(colab, tmp_path_factory):
    """A function that runs code as a notebook's kernel would, in a HOME that is empty at first."""
    home = tmp_path_factory.mktemp("home")
    environment = {**stand_ins.variables(colab, home), "PYTHONPATH": str(ROOT)}

    def start(code, **more):
        return subprocess.Popen(
            [colab, "-c", code],
            env={**environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return SimpleNamespace(start=start, home=home)


@pytest.fixture(scope="module")
def survivor(runtime):
    """A HOME after three first cells: without a network, killed while installing, and a third."""
    cut_off = runtime.start(INSTALL, **NO_NETWORK).communicate()[0]
    killed = runtime.start(INSTALL)
    while not any("mxnet==" in line for line in killed.stdout):
        pass
    while not list(runtime.home.glob(".cache/residual-networks/packages/.part-*")):
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    printed = runtime.start(INSTALL + COMPUTE).communicate()[0]
    return SimpleNamespace(start=runtime.start, cut_off=cut_off, printed=printed)


def test_without_network_it_says_what_to_do(survivor):
    last = survivor.cut_off.strip().splitlines()[-1]
    assert "The packages could not be downloaded. Check the connection" in last


def test_after_a_kill_it_goes_on_with_what_is_missing(survivor):
    assert "Installing d2l" not in survivor.printed
    assert "Installing mxnet==1.9.1 (50 MB), 1 of 1." in survivor.printed
    assert survivor.printed.splitlines()[-1] == "1.9.1 3.0"


def test_the_second_start_installs_nothing_and_needs_no_network(survivor):
    printed = survivor.start(INSTALL + COMPUTE, **NO_NETWORK).communicate()[0]
    assert "Installing" not in printed
    assert printed.splitlines()[-1] == "1.9.1 3.0"


@pytest.fixture
def wrong_mxnet(tmp_path):
    """Variables that put MXNet 1.6.0 on the path, as pip installs it where no version is named."""
    (tmp_path / "mxnet").mkdir()
    (tmp_path / "mxnet" / "__init__.py").write_text("from mxnet.libinfo import __version__")
    (tmp_path / "mxnet" / "libinfo.py").write_text("__version__ = '1.6.0'")
    (tmp_path / "mxnet-1.6.0.dist-info").mkdir()
    (tmp_path / "mxnet-1.6.0.dist-info" / "METADATA").write_text("Name: mxnet\nVersion: 1.6.0\n")
    return {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}


def test_another_mxnet_that_is_installed_does_not_come_first(survivor, wrong_mxnet):
    printed = survivor.start(INSTALL + COMPUTE, **wrong_mxnet).communicate()[0]
    assert printed.splitlines()[-1] == "1.9.1 3.0"


def test_another_mxnet_that_is_imported_needs_a_restart(survivor, wrong_mxnet):
    printed = survivor.start(f"import mxnet; {INSTALL}", **wrong_mxnet).communicate()[0]
    last = printed.strip().splitlines()[-1]
    assert "MXNet 1.6.0 is already loaded" in last
    assert "Runtime → Restart session" in last


def test_an_import_that_failed_before_the_first_cell_does_no_harm(survivor):
    """The learner imported MXNet before the names that it needs were back in numpy."""
    early = "\n".join(
        [
            "import os, sys",
            "from pathlib import Path",
            "packages = Path.home() / '.cache' / 'residual-networks' / 'packages'",
            "sys.path.insert(0, str(packages / 'mxnet==1.9.1'))",
            "try: import mxnet",
            "except AttributeError as error: print(error)",
            INSTALL + COMPUTE,
        ]
    )
    printed = survivor.start(early).communicate()[0]
    assert "was removed in the NumPy 2.0 release" in printed
    assert printed.splitlines()[-1] == "1.9.1 3.0"
