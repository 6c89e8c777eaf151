"""What all figures share: a notebook shows them in high resolution, with or without pyplot."""

import base64
import inspect
import re
import struct
import xml.etree.ElementTree
from pathlib import Path

import nbformat
import pandas
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from utils import plots
from utils.plots._style import Figure, bars

in_a_kernel = pytest.mark.xdist_group("figures")  # one kernel for all tests
ROOT = Path(__file__).parents[2]
DRAW = """
from utils.plots._style import Figure
drawn = Figure(9, 5.4)
drawn.subplots().set(title="A line")
drawn.alt = "Nothing but a title."
"""
CELLS = {
    "last value": f"{DRAW}drawn",
    "display": "display(drawn)",
    "update": "handle = display('to be replaced', display_id=True)",
    "the update": "handle.update(drawn)",
    "imported": "import sys\nprint('matplotlib.pyplot' in sys.modules)",
    "last value beside pyplot": "%matplotlib inline\ndrawn",
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
    assert width == pytest.approx(2 * 9 * 100, rel=0.1), "9 inches of 100 dots, and margins"
    assert output.metadata["image/png"] == {"width": width // 2, "height": height // 2}
    assert "image/svg+xml" not in output.data


@in_a_kernel
@pytest.mark.slow
def test_pyplot_is_not_imported_and_its_own_figures_stay_as_they_are(outputs):
    assert outputs["imported"][0].text == "False\n", "utils.plots does not need pyplot"
    width, _ = pixels(outputs["pyplot's own"][0])
    assert width < 1000


@in_a_kernel
@pytest.mark.slow
@pytest.mark.parametrize("name", ["last value", "display", "update", "last value beside pyplot"])
def test_a_notebook_says_what_a_figure_shows(outputs, name):
    """In HTML, which viewers prefer to the PNG; in a terminal the text stands for the picture."""
    (output,) = outputs[name]
    image = xml.etree.ElementTree.fromstring(output.data["text/html"].replace(">", "/>"))
    assert image.get("alt") == output.data["text/plain"] == "Nothing but a title."
    assert image.get("src") == f"data:image/png;base64,{output.data['image/png']}"


def test_an_alternative_text_may_hold_any_character():
    figure = Figure(2, 1)
    figure.alt = 'a < b, "c" & d'
    bundle, _ = figure._repr_mimebundle_()
    assert 'alt="a &lt; b, &quot;c&quot; &amp; d"' in bundle["text/html"]


def test_a_figure_without_an_alternative_text_is_refused():
    with pytest.raises(ValueError, match="Set its `alt` to what the picture shows"):
        Figure(2, 1)._repr_mimebundle_()


def draws(name):
    return getattr(getattr(plots, name), "__annotations__", {}).get("return") == "Figure"


@pytest.mark.parametrize("name", [name for name in plots.__all__ if draws(name)])
def test_every_function_that_draws_sets_the_alternative_text(name):
    """What it says, its own test looks at."""
    assert re.search(r"^    \w+\.alt = ", inspect.getsource(getattr(plots, name)), re.MULTILINE)


def test_the_first_bar_is_on_top_even_where_axes_are_shared():
    figure = Figure(4, 3)
    above, below = figure.subplots(2, 1, sharey=True)
    for axes in (above, below):
        drawn = bars(axes, pandas.Series({"first": 2.0, "second": 1.0}), "blue")
        assert [bar.get_width() for bar in drawn] == [2, 1]
    for axes in (above, below):
        first, second = axes.transData.transform([(0, 0), (0, 1)])[:, 1]
        assert first > second
