"""Figures of training at scale: they show what they are given, and their titles state it."""

import pandas
import pytest

from utils import plots


def test_the_bars_of_the_operators_add_up_to_the_step():
    names = ["_backward_Convolution", "Convolution", *"abcdefgh"]
    times = pandas.Series([50.0, 20, *[3.75] * 8], index=names)
    (axes,) = plots.operators(times, shown=3).axes
    assert [bar.get_width() for bar in axes.patches] == [50, 20, 3.75, 26.25]
    assert axes.get_title() == "Convolutions (orange) take 70% of a training step"


def test_the_words_for_the_operators_hold_every_bar_the_sum_and_the_share():
    times = pandas.Series({"Convolution": 60.0, "Pooling": 30, "a": 6, "b": 4})
    said = plots.operators(times, shown=2).alt
    assert "Convolution 60.0, Pooling 30.0, all others 10.0. Together they take 100.0." in said
    assert "60% of the step" in said


def test_workers_are_drawn_beside_what_they_would_do_without_sending():
    predicted = pandas.DataFrame({"a slow line": [10.0, 8.0]}, index=[1, 2])
    (axes,) = plots.workers(predicted, pandas.Series([10.0, 20.0], index=[1, 2])).axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[10, 20], [10, 8]]
    assert axes.get_title() == "Prediction for 2 workers: 40% to 40% of a perfect gain"


def test_the_words_for_the_workers_hold_every_line_and_where_it_is_highest():
    predicted = pandas.DataFrame({"a slow line": [10.0, 8.0], "a fast one": [10, 16]}, index=[1, 2])
    said = plots.workers(predicted, pandas.Series([10.0, 20.0], index=[1, 2])).alt
    assert "If sending took no time: with 1: 10, with 2: 20." in said
    assert "a slow line: with 1: 10, with 2: 8; most with 1, at the end 40%" in said
    assert "a fast one: with 1: 10, with 2: 16; most with 2, at the end 80%" in said


def test_the_words_for_shared_batches_tell_the_way_of_the_images_and_of_the_gradients():
    said = plots.data_parallel().alt
    for part in ("4 images go to device 0, 4 to device 1", "the sum of the gradients"):
        assert part in said


@pytest.mark.parametrize("shown", ["batch\n8 images", "4 images\non device 1"])
def test_the_drawing_of_shared_batches_names_its_parts(shown):
    (axes,) = plots.data_parallel().axes
    assert shown in {text.get_text() for text in axes.texts}


def test_no_line_is_left_out_and_no_two_look_alike():
    predicted = pandas.DataFrame({f"line {n}": [10.0, 8.0] for n in range(12)}, index=[1, 2])
    (axes,) = plots.workers(predicted, pandas.Series([10.0, 20.0], index=[1, 2])).axes
    looks = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in axes.lines}
    assert len(looks) == len(axes.lines) == 1 + 12


def test_the_title_counts_a_convolution_and_its_gradient_and_nothing_else():
    times = pandas.Series({"_backward_Convolution": 50.0, "Convolution": 20, "Deconvolution": 30})
    (axes,) = plots.operators(times).axes
    assert axes.get_title() == "Convolutions (orange) take 70% of a training step"
