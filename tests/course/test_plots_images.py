"""Figures of images: every image has its class, and the text says what the picture shows."""

import numpy
import pytest

from utils import plots
from utils.data import CLASSES
from utils.plots import images


def of_each_class(split, rows):
    """The first images of every class, row by row."""
    first = [numpy.flatnonzero(split.labels == label)[:rows] for label in range(len(CLASSES))]
    return split.images[numpy.transpose(first).ravel()]


def shown(figure):
    """The pixels on each panel that holds an image."""
    return [axes.images[0].get_array() for axes in figure.axes if axes.images]


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def test_a_grid_names_each_column_once_and_its_text_says_what_the_classes_look_like(sample):
    chosen = of_each_class(sample.train, 4)
    figure = plots.image_grid(chosen, CLASSES, 10, "Ten classes")
    assert numpy.array_equal(shown(figure), chosen)
    assert titles(figure) == CLASSES + [""] * 30
    assert figure.texts[0].get_text() == "Ten classes"
    assert figure.alt.startswith("Ten classes. 40 gray images on black, in 4 rows")
    for name in CLASSES:
        assert f"{name} ({images.LOOKS[name]})" in figure.alt


def test_a_grid_names_each_image_and_its_text_lists_them_row_by_row(sample):
    names = [f"{name}\n→ bag" for name in CLASSES]
    figure = plots.image_grid(of_each_class(sample.train, 1), names, 5, "Taken for bags")
    assert titles(figure) == names
    assert "10 gray images, row by row. T-shirt/top → bag: " in figure.alt
    assert "; trouser → bag: " in figure.alt
    assert figure.alt.endswith("toe to the left.")


def test_the_text_says_how_light_each_image_of_a_grid_is():
    pair = numpy.array([[[0, 0, 100, 255]], [[255, 255, 255, 155]]])
    alt = plots.image_grid(pair, ["one", "its negative"], 2, "Two").alt
    assert "one: 50% of its pixels dark, 25% gray, 25% light; " in alt
    assert "its negative: 0% of its pixels dark, 25% gray, 75% light." in alt


def test_a_grid_whose_last_row_is_not_full_leaves_the_rest_empty(sample):
    figure = plots.image_grid(sample.train.images[:7], ["one"] * 7, 5, "Seven")
    assert len(shown(figure)) == 7
    assert [axes.axison for axes in figure.axes] == [True] * 7 + [False] * 3


def test_all_images_of_a_grid_share_one_scale_of_grays(sample):
    chosen = sample.train.images[:4] / 255 - 0.3
    figure = plots.image_grid(chosen, ["one"] * 4, 2, "Normalized")
    limits = {axes.images[0].get_clim() for axes in figure.axes}
    assert limits == {(chosen.min(), chosen.max())}


@pytest.mark.parametrize(("name", "share"), [("sneaker", 0.97), ("ankle boot", 1)])
def test_the_text_tells_a_mirrored_shoe_from_others(sample, name, share):
    shoes = sample.train.images[sample.train.labels == CLASSES.index(name)]
    assert numpy.mean([images.toe(shoe) == "left" for shoe in shoes]) >= share
    assert numpy.mean([images.toe(shoe[:, ::-1]) == "right" for shoe in shoes]) >= share


def test_the_numbers_in_a_frame_stand_in_the_picture_and_in_its_text(sample):
    sneaker = sample.train.images[sample.train.labels == CLASSES.index("sneaker")][0]
    figure = plots.image_in_numbers(sneaker, 12, 4, 8, "sneaker")
    whole, close = figure.axes
    piece = sneaker[12:20, 4:12]
    assert [int(text.get_text()) for text in close.texts] == piece.ravel().tolist()
    assert numpy.array_equal(whole.images[0].get_array(), sneaker)
    assert whole.patches[0].get_bbox().bounds == (3.5, 11.5, 8, 8)
    assert whole.get_title() == "The whole sneaker: 28 × 28 pixels"
    assert "a frame around rows 12 to 19 and columns 4 to 11" in figure.alt
    for row, numbers in enumerate(piece, start=12):
        assert f"row {row} is {', '.join(map(str, numbers))}" in figure.alt


def test_each_number_stands_over_its_own_pixel(sample):
    _, close = plots.image_in_numbers(sample.train.images[0], 0, 20, 8, "image").axes
    text = close.texts[-1]
    assert text.get_position() == (27, 7)
    left, right, bottom, top = close.images[0].get_extent()
    assert (left, right, bottom, top) == (19.5, 27.5, 7.5, -0.5)
