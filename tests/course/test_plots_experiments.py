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
    losses = " → ".join(f"{loss:.2f}" for loss in mean.get_ydata())
    assert f"at 8, 20, 32, 56 layers: plain {losses}, residual" in figure.texts[0].get_text()
    assert f"plain, 56 layers: training loss {mean.get_ydata()[-1]:.2f} nats" in figure.alt
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
    title = figure.texts[0].get_text()
    for line in axes.lines:
        assert f"{line.get_ydata()[-1]:.2f}" in title.partition("residual")[2]


def norms(*values):
    return {family: pandas.Series(values) for family in STYLES}


def test_families_differ_in_more_than_their_color():
    (axes,) = plots.by_layer({"Gradients": ("norm", norms(1, 2))}, "What is seen").axes
    styles = {(line.get_linestyle(), line.get_marker()) for line in axes.lines}
    assert len(styles) == 2


def test_what_the_norms_are_is_said_in_words_with_their_ends_and_their_layer():
    outputs = {family: series.rename_axis("block") for family, series in norms(1, 9, 3).items()}
    figure = plots.by_layer({"Forward": ("size", outputs)}, "What is seen")
    assert figure.axes[0].get_xlabel() == "block, from the input"
    assert (
        "Forward, plain: size, against the block, 3 of them; 1 at the first, 9 in the middle, 3 at "
        "the last; lowest 1, highest 9."
    ) in figure.alt


def test_norms_that_begin_anew_in_each_stage_are_said_and_drawn_stage_by_stage():
    figure = plots.by_layer({"Forward": ("size", norms(1, 4, 2, 50))}, "Two climbs", stages=2)
    (axes,) = figure.axes
    assert axes.get_xlim() == (0.5, 4.5)
    assert list(axes.lines[-1].get_xdata()) == [2.5, 2.5]
    assert (
        "Forward, plain: size on a logarithmic axis, against the 3×3 convolution, 4 of them; 1 at "
        "the first of stage 1, 4 at its last; 2 at the first of stage 2, 50 at its last; lowest 1, "
        "highest 50."
    ) in figure.alt
    assert figure.alt.endswith("Thin lines separate the stages.")


def test_panels_share_their_axis_only_if_they_have_one_unit():
    same = {"start": ("norm", norms(1, 2)), "end": ("norm", norms(3, 40))}
    start, end = plots.by_layer(same, "").axes
    assert start.get_ylim() == end.get_ylim()
    other = {"outputs": ("size", norms(1, 2)), "gradients": ("norm", norms(3, 40))}
    outputs, gradients = plots.by_layer(other, "").axes
    assert (outputs.get_yscale(), gradients.get_yscale()) == ("linear", "log")
    assert (outputs.get_ylabel(), gradients.get_ylabel()) == ("size", "norm")


@pytest.mark.parametrize("wide", ["before", "after"])
def test_a_shared_axis_is_logarithmic_if_the_norms_of_any_panel_differ_much(wide):
    panels = {name: ("norm", norms(3, 40 if name == wide else 4)) for name in ("before", "after")}
    for axes in plots.by_layer(panels, "").axes:
        assert axes.get_yscale() == "log"
        assert axes.get_ylim()[0] > 0


def test_lesions_names_the_block_that_is_missed_most():
    (axes,) = plots.lesions({"residual": LEFT}).axes
    assert axes.get_title() == "residual\nmissed most: stage2.block1 (0.600 lost)"
    assert [bar.get_width() for bar in axes.patches] == [0.8, 0.3]
    assert axes.get_xlim() == (0, 1)
    # inside a long bar, beside a short one
    assert [text.get_text() for text in axes.texts] == ["0.800", "0.300"]
    assert [text.get_ha() for text in axes.texts] == ["right", "left"]


def test_the_words_for_lesions_hold_what_is_left_without_each_block_of_each_family():
    said = plots.lesions({"residual": LEFT, "plain": LEFT / 2}).alt
    assert "The residual network has 0.900 as a whole" in said
    assert "it has: stage1.block1 0.800, stage2.block1 0.300. It loses most without stage2" in said
    assert (
        "(0.600) and least without stage1.block1 (0.100). It stays above one half without 1 of"
        in said
    )
    assert "The plain network has 0.450 as a whole" in said
    assert "It stays above one half without 0 of these 2 blocks" in said


def test_moves_are_drawn_against_what_is_lost_and_the_largest_are_named():
    table = pandas.DataFrame({"ratio": [0.5, 2.0, 1.0], "lost": [0.1, -0.01, 0.3]}, ["a", "b", "c"])
    figure = plots.moves(table, "Title")
    (axes,) = figure.axes
    assert list(axes.lines[0].get_xdata()) == [0.5, 2.0, 1.0]
    assert {text.get_text() for text in axes.texts} == {"b", "c"}
    assert "a 0.50 and +0.100, b 2.00 and -0.010, c 1.00 and +0.300." in figure.alt
    assert figure.alt.startswith("Title. A dot for each of 3 blocks")


def test_feature_maps_shows_the_strongest_channels_first():
    maps = numpy.zeros((8, 4, 4))
    maps[5], maps[2] = 3, 2
    figure = plots.feature_maps(numpy.zeros((28, 28)), {"stem": maps}, "An image")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:3] == ["image, 28×28", "channel 5", "channel 2"]
    assert len(titles) == 7
    assert figure.axes[1].get_ylabel() == "stem\n4×4"


def test_the_words_for_feature_maps_say_which_maps_look_like_the_image():
    image = numpy.zeros((28, 28))
    image[:7, 21:] = 200
    copy, other = numpy.zeros((2, 4, 4))
    copy[0, 3], other[1] = 5, 1
    said = plots.feature_maps(image, {"stem": numpy.stack([other, copy])}, "An image").alt
    assert said.startswith("An image. Beside the image")
    assert "stem, 4 by 4 pixels, channels 1, 0 of 2" in said
    assert said.endswith("from 0.15 to 1.00; the strongest is brightest at the upper right.")


LEADS = numpy.full((7, 7), -2.0)
LEADS[0, 6] = 4.9


def test_class_activations_share_one_scale_around_zero_which_the_color_bar_shows():
    rows = [
        (numpy.zeros((28, 28)), "shirt", "coat", LEADS),
        (numpy.ones((28, 28)), "a", "b", LEADS),
    ]
    figure = plots.class_activations(rows)
    assert [axes.get_title() for axes in figure.axes[:4]] == ["shirt", "a", "→ coat", "→ b"]
    assert {axes.images[-1].get_clim() for axes in figure.axes[2:4]} == {(-4.9, 4.9)}
    assert figure.axes[-1].get_xlim() == (-4.9, 4.9)


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        (LEADS, "and by 4.9 where it leads most, at the upper right; the true class leads by 2.0"),
        (LEADS + 3, "leads by 1.1 on average, and by 7.9 where it leads most, at the upper right;"),
        (LEADS + 3, "; no pixel speaks for the true class."),
    ],
)
def test_the_words_for_class_activations_say_which_class_leads_and_where(lead, said):
    row = (numpy.zeros((28, 28)), "shirt", "coat", lead)
    alt = plots.class_activations([row, row]).alt
    assert alt.count("True class shirt, answer coat: the answer leads by ") == 2
    assert said in alt


def test_ingredients_name_the_most_costly_change_and_the_words_hold_every_mean_and_range():
    runs = {"change": ["recipe"] * 2 + ["no flips"] * 2, "valid_accuracy": [0.8, 0.9, 0.5, 0.7]}
    figure = plots.ingredients(pandas.DataFrame({**runs, "train_loss": [0.2, 0.4, 0.5, 0.7]}))
    accuracy, loss = (axes.get_title() for axes in figure.axes)
    assert accuracy == "Largest loss of accuracy: no flips (-0.250)"
    assert loss == "Highest training loss: no flips (+0.300)"
    for said in (
        f"{accuracy}. accuracy, validation images, recipe: mean 0.8500, runs from 0.8000 to",
        "no flips: mean 0.6000, runs from 0.5000 to 0.7000.",
        f"{loss}. training loss, nats, recipe: mean 0.3000, runs from 0.2000 to 0.4000.",
    ):
        assert said in figure.alt


RACE = pandas.DataFrame(
    {
        "network": ["first", "first", "second", "second"],
        "trillion MACs": [1.0, 1.0, 1.2, 1.2],
        "minutes": [2.0, 2.0, 1.5, 1.5],
        "valid_accuracy": [0.8, 0.9, 0.6, 0.7],
    }
)


def test_accuracy_is_drawn_against_each_cost_with_its_budget():
    figure = plots.cost_and_accuracy(
        RACE, {"trillion MACs": (1.1, "first"), "minutes": (1.8, "second")}
    )
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "trillion MACs of training",
        "minutes of training",
    ]
    runs, mean = figure.axes[1].lines[:2]
    assert list(zip(*runs.get_data())) == [(2.0, 0.8), (2.0, 0.9)]
    assert list(zip(*mean.get_data())) == [(2.0, pytest.approx(0.85))]
    for said in (
        "first at 1 trillion MACs: mean 0.850, runs from 0.800 to 0.900.",
        "second at 1.5 minutes: mean 0.650, runs from 0.600 to 0.700.",
        "A dashed line marks the budget. 1.8 minutes: highest mean second under this budget.",
    ):
        assert said in figure.alt


def test_few_labels_names_the_best_way_for_each_number_of_images():
    table = pandas.DataFrame(
        {
            "start": ["scratch", "frozen"] * 2,
            "count": [10, 10, 200, 200],
            "valid_accuracy": [0.5, 0.7, 0.9, 0.8],
        }
    )
    figure = plots.few_labels(table)
    title = "Highest mean, by images of each class: frozen (10), scratch (200)"
    assert figure.axes[0].get_title() == title
    assert figure.alt.startswith(title)
    assert "scratch at 10 images of each class: mean 0.500" in figure.alt


def test_a_loss_log_names_the_largest_step_from_row_to_row_and_draws_every_run():
    runs = {
        "change": ["plain"] * 2 + ["+ a"] * 2 + ["+ b"] * 2,
        "valid_accuracy": [0.5, 0.7, 0.8, 0.8, 0.9, 0.7],
    }
    figure = plots.loss_log(pandas.DataFrame({**runs, "train_loss": [1, 1, 0.9, 0.9, 0.1, 0.3]}))
    accuracy, loss = figure.axes
    assert accuracy.get_title() == "Largest step: + a (+0.200)"
    assert loss.get_title() == "Largest step: + b (-0.700)"
    assert list(accuracy.lines[0].get_xdata()) == runs["valid_accuracy"]
    assert list(accuracy.lines[1].get_xdata()) == pytest.approx([0.6, 0.8, 0.8])
    assert "training loss, nats, + b: mean 0.2000, runs from 0.1000 to 0.3000." in figure.alt


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
    figure = plots.learning(runs)
    for axes in figure.axes:
        looks = {(tuple(line.get_color()), line.get_linestyle()) for line in axes.lines}
        assert len(looks) == len(axes.lines) == 20
        brightness = [sum(line.get_color()[:3]) for line in axes.lines]
        assert brightness == sorted(brightness, reverse=True), "the deeper, the darker"
    assert "plain, 122 layers: 2.00 in the first epoch, 1.00 in the last" in figure.alt
