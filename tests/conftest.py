"""What the tests share. utils is imported first: it sets up the machine before mxnet starts."""

import sys

import hypothesis
import pytest
import untested

import utils  # noqa: F401

# Properties are tested with the same inputs each time, however long one of them takes.
hypothesis.settings.register_profile(
    "course", derandomize=True, database=None, deadline=None, max_examples=50
)
hypothesis.settings.load_profile("course")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    """Say below everything else what this machine could not test."""
    result = yield
    if not hasattr(session.config, "workerinput"):  # not in each process that runs tests
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        skipped = terminal.stats.get("skipped", []) if terminal else []
        reasons = [report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)]
        if line := untested.last_line(reasons):
            terminal.write_line(line, yellow=True, bold=True)
    return result


def _numpy_arrays():
    """Switch MXNet to numpy's arrays and shapes, as every notebook does, and back afterwards."""
    from mxnet import npx
    from mxnet.util import is_np_array

    before = is_np_array()
    npx.set_np()
    yield
    npx.set_np(shape=before, array=before)


@pytest.fixture(autouse=True)
def _numpy_mode_as_before():
    """Leave MXNet's mode as it was. `experiments.run` switches it, as in a process of its own."""
    util = sys.modules.get("mxnet.util")
    before = util is not None and util.is_np_array()
    yield
    if "mxnet" in sys.modules:
        from mxnet import npx

        npx.set_np(shape=before, array=before)


numpy_mode = pytest.fixture(_numpy_arrays, name="numpy_mode")
numpy_module = pytest.fixture(_numpy_arrays, name="numpy_module", scope="module")


@pytest.fixture(scope="session")
def real_data():
    """All 70,000 images, found on this machine or fetched once."""
    from utils import data
    from utils.setup import fetch

    loaded = data.load("full")
    if loaded.source.folder == fetch.SAMPLE_FOLDER:
        pytest.skip("the real data is neither on this machine nor within reach of its network")
    return loaded


@pytest.fixture(scope="session")
def sample():
    """The bundled sample: a few thousand real images."""
    from utils import data

    return data.load("quick")


@pytest.fixture
def few(sample):
    """A small part of the sample: 275 images for training, all of those for validation."""
    from small_runs import few_images

    return few_images(sample)


@pytest.fixture(scope="session")
def colab():
    """The Python of an environment with Colab's packages."""
    from environments import stand_ins

    environment = stand_ins.ENVIRONMENTS[0]
    python = stand_ins.find_python(environment.python)
    if not python:
        pytest.skip(f"no Python {environment.python} on this machine to stand in for Colab's")
    return stand_ins.build(environment, python)
