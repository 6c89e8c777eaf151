"""Figures of experiments: their titles state the result, and they show every run."""

import numpy
import pandas
import pytest

from utils import experiments, plots
from utils.plots.experiments import STYLES

RUNS = experiments.stored("depth")["runs"]
LEFT = pandas.Series({"none": 0.9, "stage1.block1": 0.8, "stage2.block1": 0.3})


def test_depths_shows_a_mark_for_each_run_and_says_what_the_means_do():
    table = experiments.final(RUNS)
    figure = plots.depths(table)
    loss, accuracy = figure.axes
    marks, mean = loss.lines[:2]
    plain = table[table.family == "plain"]
    assert sorted(marks.get_ydata()) == sorted(plain.train_loss)
    assert list(mean.get_ydata()) == list(plain.groupby("depth").train_loss.mean())
    first, last = mean.get_ydata()[[0, -1]]
    assert (
        f"from 8 to 56 layers: plain {first:.2f} → {last:.2f}, residual"
        in figure.texts[0].get_text()
    )
    assert accuracy.get_ylabel() == "accuracy, share of images"
    assert loss.get_xlabel() == "layers with weights"


def test_learning_shows_the_range_over_the_seeds_around_each_mean():
    figure = plots.learning(RUNS)
    for axes, family in zip(figure.axes, ("plain", "residual")):
        assert axes.get_title() == family
        assert [line.get_label() for line in axes.lines] == [
            f"{depth} layers" for depth in (8, 20, 32, 56)
        ]
        chosen = [r["train_loss"] for r in RUNS if (r["family"], r["depth"]) == (family, 56)]
        heights = axes.collections[-1].get_paths()[0].vertices[:, 1]
        assert heights.min() == pytest.approx(numpy.min(chosen))
        assert heights.max() == pytest.approx(numpy.max(chosen))


def norms(*values):
    return {family: pandas.Series(values) for family in STYLES}


def test_families_differ_in_more_than_their_color():
    (axes,) = plots.by_layer({"Gradients": ("norm", norms(1, 2))}, "What is seen").axes
    styles = {(line.get_linestyle(), line.get_marker()) for line in axes.lines}
    assert len(styles) == 2


def test_panels_share_their_axis_only_if_they_have_one_unit():
    same = {"start": ("norm", norms(1, 2)), "end": ("norm", norms(3, 40))}
    start, end = plots.by_layer(same, "").axes
    assert start.get_ylim() == end.get_ylim()
    other = {"outputs": ("size", norms(1, 2)), "gradients": ("norm", norms(3, 40))}
    outputs, gradients = plots.by_layer(other, "").axes
    assert (outputs.get_yscale(), gradients.get_yscale()) == ("linear", "log")
    assert (outputs.get_ylabel(), gradients.get_ylabel()) == ("size", "norm")


def test_lesions_names_the_block_that_is_missed_most():
    (axes,) = plots.lesions({"residual": LEFT}).axes
    assert axes.get_title() == "residual: stage2.block1 is missed most (0.600 lost)"
    assert [bar.get_width() for bar in axes.patches] == [0.8, 0.3]


def test_moves_names_the_blocks_that_change_least_and_most():
    table = pandas.DataFrame({"ratio": [0.5, 2.0]}, ["a", "b"])
    (axes,) = plots.moves(table).axes
    assert axes.get_title() == "a changes its input least, b most"
    assert axes.get_xlim()[1] > 2


def test_feature_maps_shows_the_strongest_channels_first():
    maps = numpy.zeros((8, 4, 4))
    maps[5], maps[2] = 3, 2
    figure = plots.feature_maps(numpy.zeros((28, 28)), {"stem": maps}, "An image")
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles[:2] == ["channel 5", "channel 2"]
    assert len(titles) == 6
    assert figure.axes[6].get_ylabel() == "stem\n4×4"


def test_class_activations_share_one_scale_around_zero():
    row = (numpy.zeros((28, 28)), "shirt", numpy.full((7, 7), -2.0), "coat", numpy.eye(7))
    figure = plots.class_activations([row])
    limits = {axes.images[-1].get_clim() for axes in figure.axes[1:3]}
    assert limits == {(-2.0, 2.0)}
    assert [axes.get_title() for axes in figure.axes[:3]] == [
        "image: shirt",
        "for shirt (true)",
        "for coat (answer)",
    ]


def test_the_slider_is_there_in_jupyterlab_and_a_sentence_elsewhere(monkeypatch):
    drawn = []

    def draw(image):
        drawn.append(image)

    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert "The slider needs JupyterLab" in plots.by_image(draw, 40).data
    monkeypatch.setenv("JPY_SESSION_NAME", "06_look_inside.ipynb")
    slider = plots.by_image(draw, 40).children[0]
    assert (slider.min, slider.max) == (0, 39)
    slider.value = 7
    assert drawn[-1] == 7


def test_learning_draws_every_depth_and_no_two_alike():
    runs = [
        {"family": family, "depth": depth, "train_loss": [2.0, 1.0]}
        for family in STYLES
        for depth in range(8, 128, 6)
    ]
    for axes in plots.learning(runs).axes:
        looks = {(line.get_color(), line.get_linestyle()) for line in axes.lines}
        assert len(looks) == len(axes.lines) == 20
