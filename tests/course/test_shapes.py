"""The layer-by-layer table against counts by hand and measurements, and the check of shapes."""

import math
import re

import numpy
import pytest
from d2l import mxnet as d2l
from hypothesis import given
from hypothesis import strategies as st
from mxnet import np
from mxnet.gluon import nn

from utils import shapes
from utils.resnet import Residual, named, resnet18, resnet_block, stem

pytestmark = pytest.mark.usefixtures("numpy_module")

SHAPE = (1, 1, 96, 96)
PARTS = ["stem", "stage1", "stage2", "stage3", "stage4", "pool", "dense"]


@pytest.fixture(scope="module")
def net(numpy_module):
    net = resnet18()
    net.initialize()
    return net


@pytest.fixture(scope="module")
def table(net):
    return shapes.layer_table(net, SHAPE)


def test_every_layer_is_in_the_table_under_its_own_name(table):
    assert table.index.is_unique
    assert list(table.index[:6]) == [
        "network",
        "stem",
        "stem.conv",
        "stem.norm",
        "stem.relu",
        "stem.pool",
    ]
    kinds = table.kind.value_counts()
    assert kinds["Conv2D"] == 20
    assert kinds["BatchNorm"] == 17
    assert kinds["Activation"] == 17, "a block uses its ReLU twice"
    assert kinds["Residual"] == 8


@pytest.mark.parametrize(("size", "sides"), [(96, (24, 24, 12, 6, 3)), (224, (56, 56, 28, 14, 7))])
def test_the_shapes_are_those_of_the_network(net, size, sides):
    table = shapes.layer_table(net, (1, 1, size, size))
    channels = (64, 64, 128, 256, 512)
    for name, c, side in zip(("stem", "stage1", "stage2", "stage3", "stage4"), channels, sides):
        assert table.output[name] == (1, c, side, side)
    assert table.output["network"] == (1, 10)


def test_the_costs_of_a_layer_are_those_counted_by_hand(table):
    layer = table.loc["stage2.block1.conv1"]
    assert layer.parameters == 64 * 128 * 3 * 3 + 128
    assert layer.macs == (128 * 12 * 12) * (64 * 3 * 3)
    assert layer.memory == 4 * 128 * 12 * 12
    assert table.parameters["stage2.block1.relu:2"] == table.macs["stage2.block1.bn1"] == 0
    assert table.macs["dense"] == 512 * 10


def test_a_block_costs_the_sum_of_its_layers(table):
    layers = table[~table.kind.isin(["HybridSequential", "Residual"])]
    for cost in ("parameters", "macs", "memory"):
        assert layers[cost].sum() == table[cost]["network"]
        assert layers[cost].filter(like="stage3.").sum() == table[cost]["stage3"]
    assert table.parameters["network"] == 11_178_378


def test_macs_and_memory_grow_with_the_batch_but_parameters_do_not(net, table):
    four = shapes.layer_table(net, (4, *SHAPE[1:]))
    assert four.macs["network"] == 4 * table.macs["network"]
    assert four.memory["network"] == 4 * table.memory["network"]
    assert (four.parameters == table.parameters).all()


def test_the_receptive_field_is_what_disturbing_a_column_of_pixels_shows(table):
    net = resnet18()
    net.initialize()
    parts, width = [], 96
    rng = numpy.random.default_rng(0)
    image = rng.normal(size=(1, 1, width, width))
    noise = 100 * rng.normal(size=(1, 1, width, 1)) * numpy.eye(width)[:, None, None, :]
    X = np.array(numpy.concatenate([image, image + noise]), dtype="float32")
    for name in ("stem", "stage1"):
        parts.append(getattr(net, name))
        Y = X
        for part in parts:
            Y = part(Y)
        middle = Y[:, :, Y.shape[2] // 2, Y.shape[3] // 2]
        seen = (abs(middle[1:] - middle[0]).max(axis=1) > 0).sum().item()
        assert seen == table.receptive_field[name]
    assert math.isinf(table.receptive_field["pool"])


def test_blocks_of_another_style_are_understood(table):
    """d2l's network has `Block`s, a ReLU that is a function, and layers without names."""
    net = nn.Sequential()
    net.add(stem(), d2l.Residual(64), d2l.Residual(128, use_1x1conv=True, strides=2))
    net.initialize()
    other = shapes.layer_table(net, SHAPE)
    for theirs, ours in (("Residual1", "stage1.block1"), ("Residual2", "stage2.block1")):
        for column in ("output", "parameters", "macs"):
            assert other[column][theirs] == table[column][ours]
    assert other.receptive_field["Residual1"] == table.receptive_field["stage1.block1"]


LAYERS = st.one_of(
    st.builds(
        nn.Conv2D,
        channels=st.integers(1, 4),
        kernel_size=st.integers(1, 3),
        strides=st.integers(1, 2),
        padding=st.integers(1, 2),
        use_bias=st.booleans(),
    ),
    st.builds(
        nn.MaxPool2D, pool_size=st.integers(2, 3), strides=st.integers(1, 2), padding=st.just(1)
    ),
    st.builds(nn.BatchNorm),
    st.builds(nn.Activation, st.just("relu")),
    st.builds(Residual, st.integers(1, 4), use_1x1conv=st.just(True), strides=st.integers(1, 2)),
)


def macs_by_hand(layer, before, after):
    """Return the multiply-accumulates of a layer between two shapes."""
    if isinstance(layer, nn.Conv2D):
        return math.prod(after) * math.prod(layer.weight.shape[1:])
    if isinstance(layer, Residual):
        parts = [(layer.conv1, before), (layer.conv2, after), (layer.conv3, before)]
        return sum(macs_by_hand(conv, into, after) for conv, into in parts)
    return 0


@given(layers=st.lists(LAYERS, max_size=5), batch=st.integers(1, 3), side=st.integers(5, 12))
def test_any_sequence_of_layers_has_the_shapes_and_costs_of_a_run_by_hand(layers, batch, side):
    net = nn.Sequential()
    net.add(nn.Conv2D(2, kernel_size=3, padding=1), *layers)
    net.initialize()
    table = shapes.layer_table(net, (batch, 1, side, side))
    assert table.macs["network"] == table.macs[table.depth == 1].sum()
    X = np.zeros((batch, 1, side, side))
    for (_, row), layer in zip(table[table.depth == 1].iterrows(), net, strict=True):
        Y = layer(X)
        trained = [p for p in layer.collect_params().values() if p.grad_req != "null"]
        assert (row.kind, row.input, row.output) == (type(layer).__name__, X.shape, Y.shape)
        assert row.parameters == sum(math.prod(p.shape) for p in trained)
        assert row.macs == macs_by_hand(layer, X.shape, Y.shape)
        X = Y
    assert table.output["network"] == X.shape


def test_a_layer_that_two_blocks_share_is_counted_once():
    relu = nn.Activation("relu")
    net = named(
        first=named(conv=nn.Conv2D(4, kernel_size=1), relu=relu),
        second=named(conv=nn.Conv2D(4, kernel_size=1), relu=relu),
    )
    net.initialize()
    table = shapes.layer_table(net, (1, 1, 6, 6))
    assert list(table.index[table.kind == "Activation"]) == ["first.relu", "first.relu:2"]
    assert table.memory["network"] == 4 * 4 * (4 * 6 * 6)


def test_a_watched_network_is_left_as_it_was(net):
    before = net(np.ones(SHAPE)).asnumpy()
    shapes.layer_table(net, SHAPE)
    numpy.testing.assert_array_equal(net(np.ones(SHAPE)).asnumpy(), before)
    assert not net._forward_hooks
    assert not net._forward_pre_hooks


def test_shapes_that_agree_are_counted(net):
    assert shapes.verify_shapes(
        net, SHAPE, {"stage4": (1, 512, 3, 3), "stem.norm": (1, 64, 48, 48)}
    )


def test_the_first_layer_that_deviates_is_named_with_both_shapes(net):
    expected = {"stage4": (1, 1, 1, 1), "stem": (1, 64, 24, 24), "stage2.block1": (1, 128, 24, 24)}
    message = (
        r"^stage2\.block1 \(Residual\) turns .* into \(1, 128, 12, 12\), .* \(1, 128, 24, 24\)"
    )
    with pytest.raises(shapes.ShapeError, match=message):
        shapes.verify_shapes(net, SHAPE, expected)


def test_a_forgotten_first_block_is_found():
    wrong = named(stem=stem(), stage1=resnet_block(64, 2), stage2=resnet_block(128, 2))
    wrong.initialize()
    expected = {"stage1": (1, 64, 24, 24), "stage2": (1, 128, 12, 12)}
    with pytest.raises(shapes.ShapeError, match=r"^stage1 "):
        shapes.verify_shapes(wrong, SHAPE, expected)


def test_an_unknown_layer_is_refused_with_similar_names(net):
    with pytest.raises(LookupError, match=r"no layer 'stage1\.blok1'.* stage1\.block1"):
        shapes.verify_shapes(net, SHAPE, {"stage1.blok1": (1, 64, 24, 24)})


@pytest.mark.parametrize("shape", [(1, 96, 96), (0, 1, 96, 96), (1, 1, -1, 96)])
def test_an_impossible_input_shape_is_refused(net, shape):
    with pytest.raises(ValueError, match="must be 4 numbers of at least 1"):
        shapes.layer_table(net, shape)


def test_a_compiled_network_is_refused_with_a_remedy():
    net = resnet18()
    net.initialize()
    net.hybridize()
    with pytest.raises(ValueError, match=r"net\.hybridize\(False\) first"):
        shapes.layer_table(net, SHAPE)
    net.hybridize(False)
    assert len(shapes.layer_table(net, SHAPE)) > 70


def test_the_overview_shows_the_parts_in_millions_and_megabytes(table):
    shown = shapes.overview(table)
    rows = [line.split() for line in str(shown).splitlines()[1:]]
    assert [row[0] for row in rows] == ["network", *PARTS]
    assert rows[0][-5:] == ["11.178", "318.658", "5.366", "whole", "image"]
    for cell in ("11.178", "318.658", "5.366", "1 × 512 × 3 × 3", "435", "whole image"):
        assert f">{cell}</td>" in shown.html
    assert "stage1.block1" not in shown.html


def test_every_layer_is_shown_with_exact_numbers_once_the_fold_is_opened(table):
    shown = shapes.every_layer(table)
    assert shown.html.startswith("<details><summary>All 71 rows")
    assert all(f"{name}</th>" in shown.html and name in str(shown) for name in table.index)
    assert ">11,178,378</td>" in shown.html


def test_the_tables_of_a_page_do_not_share_their_looks_and_have_no_random_names(table):
    """Rules of style are for an id; two tables with the same one would mix them up."""
    both = [shapes.overview(table).html, shapes.every_layer(table).html]
    names = [re.search(r'<table id="(\w+)"', page)[1] for page in both]
    assert names[0] != names[1]
    assert both[0] == shapes.overview(table).html


def test_without_a_guess_the_answer_is_not_given_away():
    said = shapes.compare(None, (4, 3))
    assert said == "No guess yet: write yours in the cell above, then run both cells."


def test_a_guess_is_answered_in_a_sentence():
    assert shapes.compare((4, 3), (4, 3)) == "Right: (4, 3)."
    assert shapes.compare([4, 3], (4, 3)) == "Right: (4, 3)."
    assert "You guessed 7, but it is 8." in shapes.compare(7, 8)
