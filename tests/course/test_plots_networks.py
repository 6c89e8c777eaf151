"""Drawings of whole networks, and of kernels on small maps: what they show and say in words."""

import pytest
from mxnet.gluon import nn

from utils import plots, shapes
from utils.resnet import named, resnet_block, stem

pytestmark = pytest.mark.usefixtures("numpy_module")


def words(figure):
    """Return the texts in a drawing."""
    (axes,) = figure.axes
    return [text.get_text() for text in axes.texts]


def built(blocks):
    """Return a network with these numbers of blocks in its stages."""
    stages = {
        f"stage{i}": resnet_block(64 * 2 ** (i - 1), count, first_block=i == 1)
        for i, count in enumerate(blocks, start=1)
    }
    net = named(stem=stem(), **stages, pool=nn.GlobalAvgPool2D(), dense=nn.Dense(10))
    net.initialize()
    return net


@pytest.mark.parametrize("size", [28, 96, 33])
@pytest.mark.parametrize("blocks", [(2, 2, 2, 2), (1, 3)])
def test_a_network_is_drawn_with_the_shapes_that_it_has(blocks, size):
    figure = plots.residual_network(blocks, size)
    table = shapes.layer_table(built(blocks), (1, 1, size, size))
    for part in ("stem", *(f"stage{i}" for i in range(1, len(blocks) + 1))):
        maps = " × ".join(map(str, table.output[part][1:]))
        assert maps in words(figure)
        assert maps in figure.alt


@pytest.mark.parametrize("blocks", [(2, 2, 2, 2), (3, 4, 6, 3)])
def test_each_counted_layer_has_a_number_of_its_own(blocks):
    figure = plots.residual_network(blocks)
    count = 2 * sum(blocks) + 2
    numbers = [int(text) for text in words(figure) if text.isdigit()]
    assert sorted(numbers) == list(range(1, count + 1))
    assert f"ResNet-{count}" in " ".join(words(figure))
    assert f"{count} layers are numbered" in figure.alt
    assert f"layer {count}, the dense layer" in figure.alt


def test_only_the_first_block_of_each_stage_but_the_first_has_a_1x1_convolution():
    figure = plots.residual_network()
    assert sum("1×1" in text for text in words(figure)) == 3
    assert "Layer 6 has stride 2, and the shortcut around the first block goes" in figure.alt
    assert "layers 2 to 5. Its shortcuts have no layer on them." in figure.alt


def test_the_image_and_the_classes_are_those_given():
    figure = plots.residual_network(channels=3, size=224, classes=1000)
    assert {"image\n3 × 224 × 224", "1000 scores"} <= set(words(figure))
    assert "images of 3 × 224 × 224" in figure.alt
    assert "1000 scores" in figure.alt


@pytest.mark.parametrize(("pixels", "stride", "used"), [(2, 2, 4), (1, 1, 1), (1, 2, 1)])
def test_a_kernel_on_a_small_map_meets_it_with_few_of_its_weights(pixels, stride, used):
    figure = plots.kernels_on_padding((pixels, stride))
    labels = [text for text in words(figure) if text in ("map", "0")]
    assert labels.count("map") == pixels**2
    assert labels.count("0") == (pixels + 2) ** 2 - pixels**2
    said = f"Map of {pixels}×{pixels}, stride {stride}:\n{used} of 9 weights meet the map"
    assert figure.axes[0].get_title() == said
    assert said.replace("\n", " ") in figure.alt
    assert f"the other {9 - used} lie on padding" in figure.alt


@pytest.mark.parametrize("case", [(2, 1), (3, 2)])
def test_a_kernel_with_several_places_is_not_drawn(case):
    with pytest.raises(ValueError, match="more than one output position"):
        plots.kernels_on_padding(case)
