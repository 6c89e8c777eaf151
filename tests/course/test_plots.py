"""Figures of networks and runs: informative titles, labeled axes, and cheap live curves."""

import re
import time

import numpy
import pytest
from matplotlib.colors import to_hex
from mxnet.gluon import nn

from utils import plots, shapes
from utils.data import CLASSES
from utils.plots import training
from utils.recipes import Recipe
from utils.resnet import named, resnet18
from utils.runs.history import History

pytestmark = pytest.mark.usefixtures("numpy_module")

HISTORY = History(10, [2.0] * 10 + [1.0] * 10 + [0.5] * 5, [2, 1], [0.3, 0.6], [1.5, 0.9])
HISTORY.valid_accuracy, HISTORY.seconds = [0.5, 0.7], [1.0, 1.0]
COUNTS = numpy.eye(10, dtype=int) * 90
COUNTS[6, 0], COUNTS[6, 6] = 10, 80  # ten shirts are taken for T-shirts


@pytest.fixture(scope="module")
def table(numpy_module):
    net = resnet18()
    net.initialize()
    return shapes.layer_table(net, (1, 1, 96, 96))


def texts(figure):
    return " ".join(
        text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text"))
    )


def drawn_on_axes(axes):
    return [axes.get_title(), axes.get_xlabel(), axes.get_ylabel()]


def test_the_curves_show_all_that_was_measured():
    loss, accuracy = plots.curves(HISTORY).axes
    assert drawn_on_axes(loss) == ["Loss after 2.5 epochs", "epoch", "cross-entropy, nats"]
    assert drawn_on_axes(accuracy)[0] == "Validation accuracy: 0.700"
    steps, smoothed, trained, validated = loss.lines
    assert list(smoothed.get_ydata()) == HISTORY.step_losses, "a tenth of an epoch is one step"
    assert list(steps.get_ydata()) == HISTORY.step_losses
    assert steps.get_xdata()[-1] == 2.5
    assert list(trained.get_ydata()) == HISTORY.train_loss
    assert list(validated.get_ydata()) == HISTORY.valid_loss
    assert list(validated.get_xdata()) == [1, 2]


def test_the_smooth_line_of_the_loss_is_the_mean_of_a_tenth_of_an_epoch():
    history = History(20, [1.0, 3.0, 5.0])
    _, smoothed, *_ = plots.curves(history).axes[0].lines
    assert list(smoothed.get_ydata()) == [2.0, 4.0]
    assert list(smoothed.get_xdata()) == [0.1, 0.15]
    assert "the mean of 2 steps, goes from 2.00 to 4.00; its lowest point is 2.00" in (
        plots.curves(history).alt
    )


def test_the_curves_can_be_drawn_before_the_first_epoch_is_over():
    figure = plots.curves(History(10, [2.0, 1.0]))
    assert "Validation accuracy: not measured yet" in texts(figure)


def test_the_words_for_the_curves_hold_every_number_of_a_short_run():
    said = plots.curves(HISTORY).alt
    assert "begins at 2.00 and ends at 0.50 after 25 steps, which are 2.5 epochs" in said
    assert "between 2.00 and 2.00 in epoch 1, between 1.00 and 1.00 in epoch 2" in said
    assert "Epoch 1: loss 2.000 in training and 1.500 in validation" in said
    assert "Epoch 2: loss 1.000 in training and 0.900 in validation" in said
    assert "accuracy 0.600 and 0.700" in said
    assert "highest after epoch 2. At the end" in said
    assert "-0.100" in said


def test_the_words_for_the_curves_of_a_long_run_name_the_first_and_the_last_epoch_and_few_others():
    long = History(1, [1.0] * 30)
    for name in ("train_loss", "valid_loss", "train_accuracy", "valid_accuracy", "seconds"):
        setattr(long, name, [epoch / 30 for epoch in range(1, 31)])
    said = plots.curves(long).alt
    assert said.count("Epoch ") == training.EPOCHS_SAID
    assert "Epoch 1: loss 0.033" in said
    assert "Epoch 30: loss 1.000" in said


def test_the_words_for_the_first_steps_of_a_run_say_that_no_epoch_is_complete():
    assert "ends at 1.00 after 2 steps" in plots.curves(History(10, [2.0, 1.0])).alt
    assert "No epoch is complete yet" in plots.curves(History(10, [2.0, 1.0])).alt


def test_the_last_mark_of_the_curves_is_not_cut_at_the_edge():
    whole = History(
        10, HISTORY.step_losses[:20], [2, 1], [0.3, 0.6], [1.5, 0.9], [0.5, 0.7], [1, 1]
    )
    for axes in plots.curves(whole).axes:
        assert axes.get_xlim()[1] > 2


def test_lines_differ_in_more_than_their_color():
    _, accuracy = plots.curves(HISTORY).axes
    styles = {(line.get_linestyle(), line.get_marker()) for line in accuracy.lines}
    assert len(styles) == len(accuracy.lines)


def test_live_curves_take_a_small_share_of_the_time(monkeypatch):
    drawings = []

    class Shown:
        def display(self, *_, **__):
            pass

        def update(self, figure):
            drawings.append(figure)
            clock.now += 1.0  # a drawing takes a second

    class Clock:
        now = 0.0

    clock = Clock()
    monkeypatch.setattr(training, "DisplayHandle", Shown)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    live = plots.LiveCurves()
    for _ in range(1000):  # a thousand steps of a second
        clock.now += 1.0
        live.draw(HISTORY)
    assert 2 <= len(drawings) <= 1000 * training.DRAWING_SHARE + 1


def test_the_network_is_drawn_with_every_array_and_its_shape(table):
    figure = plots.network(table)
    for label in ("input   1 × 96 × 96", "stem   64 × 24 × 24", "pool   512 × 1 × 1"):
        assert label in texts(figure)
    assert "each arrow: 50 channels or pixels" in texts(figure)
    assert "stage2: 128 × 12 × 12." in figure.alt
    assert figure.alt.endswith("from a thin sheet to a long rod.")


def test_only_a_network_that_goes_that_way_is_said_to_lead_from_a_sheet_to_a_rod():
    assert "sheet" not in plots.network(table_of_one_convolution()).alt


def table_of_one_convolution():
    net = named(stem=nn.Conv2D(4, kernel_size=3))
    net.initialize()
    return shapes.layer_table(net, (1, 1, 96, 96))


def test_a_channel_is_drawn_as_long_as_a_pixel(table):
    (axes,) = plots.network(table).axes
    assert axes.get_aspect() == 1
    sides, _, fronts = (axes.patches[i::3] for i in range(3))
    for side, front, (_, channels, height, width) in zip(sides, fronts, arrays_of(table)):
        corners = front.get_xy()
        numpy.testing.assert_allclose(numpy.linalg.norm(corners[1] - corners[0]), channels)
        numpy.testing.assert_allclose(numpy.linalg.norm(corners[3] - corners[0]), height)
        corners = side.get_xy()
        numpy.testing.assert_allclose(numpy.linalg.norm(corners[1] - corners[0]), width)


def arrays_of(table):
    return [table.input.iloc[0], *table.output[table.depth == 1][:-1]]


def test_the_costs_add_up_to_the_whole_network(table):
    figure = plots.costs(table)
    for axes in figure.axes:
        assert sum(bar.get_width() for bar in axes.patches) == pytest.approx(100)
        assert axes.get_xlabel() == "share of the network, %"
    assert (
        "Most parameters: in stage4. Multiplications: about the same in every stage. "
        "Largest outputs: in stem"
    ) in texts(figure)
    assert "Parameters: stem <1, stage1 1," in figure.alt, "a small share is not none"
    assert "pool 0, dense <1. Memory of the outputs: stem 36," in figure.alt


def test_stages_of_unequal_costs_are_not_called_equal(table):
    costly = table.assign(macs=table.macs.mask(table.index == "stage3", 10**9))
    assert "Multiplications: in stage3." in texts(plots.costs(costly))


def test_the_window_of_a_number_is_drawn_as_wide_as_the_table_of_shapes_says(table):
    """The pixels that are filled are those that the number on top sees."""
    layers = [("convolution", 7, 2), ("pooling", 3, 2)]
    figure = plots.windows(layers)
    (axes,) = figure.axes
    assert axes.get_title() == "One number of the pooling sees 11 pixels of the image"
    filled = [box for box in axes.patches if to_hex(box.get_facecolor()) != "#ffffff"]
    assert sum(box.get_y() < 0 for box in filled) == table.receptive_field["stem"]
    assert "The pooling has a kernel of 3 and a stride of 2" in figure.alt
    assert figure.alt.endswith("sees 11 pixels of the image; the numbers are 4 pixels apart.")


def test_the_learning_rate_is_drawn_for_every_step():
    (axes,) = plots.schedule(Recipe(), 50).axes
    assert len(axes.lines[0].get_ydata()) == 50
    assert drawn_on_axes(axes) == [
        "The learning rate climbs, then falls to zero",
        "step",
        "learning rate",
    ]


def test_the_words_for_the_learning_rate_say_where_it_climbs_and_falls():
    said = plots.schedule(Recipe(learning_rate=0.05, warm_up=0.2), 100).alt
    assert "each of 100 steps. It begins at 0.0" in said
    assert "to 0.05 at step 20" in said
    assert "0.025 at step 60, and 0 at the last one" in said


def test_a_learning_rate_that_never_changes_is_called_so():
    figure = plots.schedule(Recipe(learning_rate=0.3, one_cycle=False), 10)
    assert figure.axes[0].get_title() == "The learning rate stays where it is"
    assert (
        figure.alt == "A curve of the learning rate at each of 10 steps. It is 0.3 at each of them."
    )


def test_the_confusion_matrix_names_the_most_common_mistake():
    (axes,) = plots.confusion(COUNTS).axes
    title, *names = drawn_on_axes(axes)
    assert title == "The most common mistake: shirt taken for T-shirt/top"
    assert names == ["the network's answer", "the true class"]
    assert [label.get_text() for label in axes.get_yticklabels()] == CLASSES


def test_the_words_for_the_confusion_matrix_count_right_answers_and_mistakes():
    said = plots.confusion(COUNTS).alt
    assert "T-shirt/top 90, trouser 90" in said
    assert "shirt 80, sneaker 90" in said
    assert "together 890 of 900" in said
    assert "The most common ones: shirt taken for T-shirt/top 10 times. None" in said
    assert "89 of the 90 fields outside the diagonal are empty, for a zero" in said


def test_a_field_without_mistakes_is_white_and_empty():
    (axes,) = plots.confusion(COUNTS).axes
    assert len(axes.texts) == 11, "the diagonal and one mistake"
    (picture,) = axes.images
    assert to_hex(picture.cmap(picture.norm(0))) == "#ffffff"


def test_the_class_accuracies_name_the_hardest_class():
    (axes,) = plots.class_accuracy(COUNTS).axes
    assert axes.get_title().startswith("shirt is the hardest class")
    assert sorted(bar.get_width() for bar in axes.patches)[0] == pytest.approx(80 / 90)


def test_the_words_for_the_class_accuracies_hold_each_of_them_and_the_whole():
    said = plots.class_accuracy(COUNTS).alt
    assert "as long as its accuracy: shirt 0.889, " in said
    assert "bag 1.000" in said
    assert "all images, 0.989; 1 of 10 classes are below it" in said


def test_only_where_classes_are_nested_does_each_come_closer():
    figure = plots.nested_classes()
    apart, nested = (re.findall(r"\d\.\d", half) for half in figure.alt.split("Right, nested"))
    assert float(apart[2]) > float(apart[1])
    assert sorted(nested, reverse=True) == nested
    for axes, said in zip(figure.axes, (apart, nested)):
        lines = [line for line in axes.lines if line.get_linestyle() == "--"]
        lengths = [numpy.hypot(*numpy.ptp(line.get_xydata(), axis=0)) for line in lines]
        assert [f"{length:.1f}" for length in reversed(lengths)] == said


def test_all_blocks_are_drawn_with_the_same_layers_and_what_flows_between_them():
    drawn = [[text.get_text() for text in axes.texts] for axes in plots.three_blocks().axes]
    layers = [[text for text in texts if text.endswith(("n", "ReLU"))] for texts in drawn]
    assert sorted(layers[0]) == sorted(layers[1])
    assert sorted([*layers[0], "1×1 convolution"]) == sorted(layers[2])
    said = [{text for text in texts if "(x)" in text} for texts in drawn]
    assert said == [{"f(x)"}, {"g(x)", "g(x) + x"}, {"g(x)", "c(x)", "g(x) + c(x)"}]


def test_the_designs_of_a_block_are_drawn_and_said_in_the_same_order():
    figure = plots.block_designs()
    for axes in figure.axes:
        layers = [t.get_text() for t in axes.texts if t.get_text() not in ("x", "+")]
        after = layers.pop() if axes.get_title() != "Pre-activation" else ""
        end = "a last ReLU" if after else "nothing"
        said = "{}: {}; after the sum, {}.".format(axes.get_title(), ", ".join(layers), end)
        assert said in figure.alt


def test_the_loss_of_a_run_is_drawn_for_each_step_and_for_every_ten():
    figure = plots.loss_curve([2.0, 1.0] * 5 + [1.0, 0.0] * 5 + [9.0])
    (axes,) = figure.axes
    assert [len(line.get_ydata()) for line in axes.lines] == [21, 2]
    assert axes.get_title() == "Training loss, mean of 10 steps: from 1.50 to 0.50 in 21 steps"
    assert "The loss of the first step is 2.00." in figure.alt
    assert "10 1.50, 20 0.50. The loss of a single step lies at most 0.50 above" in figure.alt
