"""What the tests share. utils comes first: it sets the machine up before mxnet is imported."""

import pytest

import utils  # noqa: F401


@pytest.fixture
def numpy_mode():
    """MXNet with numpy's arrays and shapes, as in every notebook; switched off again after."""
    from mxnet import npx

    npx.set_np()
    yield
    npx.reset_np()


@pytest.fixture(scope="session")
def real_data():
    """All 70,000 images: found on this machine, or fetched once."""
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
    """A small part of the sample: 275 images to train, all to validate."""
    from small_runs import few_images

    return few_images(sample)


@pytest.fixture(scope="session")
def colab():
    """The Python of an environment with the packages of Colab."""
    from environments import stand_ins

    environment = stand_ins.ENVIRONMENTS[0]
    python = stand_ins.find_python(environment.python)
    if not python:
        pytest.skip(f"no Python {environment.python} on this machine to stand in for Colab's")
    return stand_ins.build(environment, python)
