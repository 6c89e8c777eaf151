"""What all figures share: a notebook shows them in high resolution, with or without pyplot."""

import base64
import struct
from pathlib import Path

import nbformat
import pandas
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from utils.plots._style import Figure, bars

in_a_kernel = pytest.mark.xdist_group("figures")  # one kernel for all tests
ROOT = Path(__file__).parents[2]
CELLS = {
    "last value": "from utils import plots\nplots.two_blocks()",
    "display": "display(plots.two_blocks())",
    "update": "handle = display('to be replaced', display_id=True)",
    "the update": "handle.update(plots.two_blocks())",
    "imported": "import sys\nprint('matplotlib.pyplot' in sys.modules)",
    "last value beside pyplot": "%matplotlib inline\nplots.two_blocks()",
    "pyplot's own": "from matplotlib import pyplot\npyplot.figure(figsize=(9, 5.4)).subplots();",
}


@pytest.fixture(scope="module")
def outputs():
    """The outputs of CELLS, executed in one kernel."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in CELLS.values()])
    client = NotebookClient(notebook, resources={"metadata": {"path": ROOT}})
    client.execute()
    nbformat.validate(notebook)
    return {name: cell.outputs for name, cell in zip(CELLS, notebook.cells)}


def pixels(output):
    """Width and height that the head of a PNG declares."""
    return struct.unpack(">II", base64.b64decode(output.data["image/png"])[16:24])


@in_a_kernel
@pytest.mark.slow
@pytest.mark.parametrize("name", ["last value", "display", "update", "last value beside pyplot"])
def test_a_notebook_shows_a_figure_at_twice_its_resolution(outputs, name):
    (output,) = outputs[name]
    width, height = pixels(output)
    assert width == pytest.approx(2 * 9 * 100, rel=0.1), "9 inches of 100 dots, without the margins"
    assert output.metadata["image/png"] == {"width": width // 2, "height": height // 2}
    assert output.data["text/plain"] == "<Figure size 900x540 with 2 Axes>"
    assert "image/svg+xml" not in output.data


@in_a_kernel
@pytest.mark.slow
def test_pyplot_is_not_imported_and_its_own_figures_stay_as_they_are(outputs):
    assert outputs["imported"][0].text == "False\n", "utils.plots does not need pyplot"
    width, _ = pixels(outputs["pyplot's own"][0])
    assert width < 1000


def test_the_first_bar_is_on_top_even_where_axes_are_shared():
    figure = Figure(4, 3)
    above, below = figure.subplots(2, 1, sharey=True)
    for axes in (above, below):
        drawn = bars(axes, pandas.Series({"first": 2.0, "second": 1.0}), "blue")
        assert [bar.get_width() for bar in drawn] == [2, 1]
    for axes in (above, below):
        first, second = axes.transData.transform([(0, 0), (0, 1)])[:, 1]
        assert first > second
