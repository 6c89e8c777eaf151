"""Plain and residual networks: they differ in the shortcut alone, and can be deepened."""

import mxnet as mx
import numpy
import pytest
from mxnet import autograd, np

from utils import _gluon, shapes, train
from utils.families import (
    WIDTHS,
    Bottleneck,
    NormalizedShortcut,
    Plain,
    PreActivation,
    deep_network,
    deepened,
    freeze,
    network18,
    relative,
    set_identity,
    take_over,
    without_biases,
)
from utils.recipes import Recipe
from utils.resnet import Residual, resnet18

pytestmark = pytest.mark.usefixtures("numpy_mode")

CPU = mx.cpu()


def ready(net, seed=0):
    train.initialize(net, seed=seed, device=CPU)
    return net


def images(count=4, size=14):
    return np.array(numpy.random.default_rng(0).normal(size=(count, 1, size, size)), "float32")


def shapes_of(net):
    return [parameter.shape for parameter in ready(net).collect_params().values()]


@pytest.mark.parametrize("block", [Plain, Residual])
@pytest.mark.parametrize("depth", [8, 20, 56])
def test_the_depth_is_the_number_of_layers_with_weights_without_the_shortcuts(depth, block):
    table = shapes.layer_table(ready(deep_network(depth, block)), (1, 1, 14, 14))
    kinds = table.kind[~table.index.str.endswith("conv3")]
    assert kinds.isin(["Conv2D", "Dense"]).sum() == depth


@pytest.mark.parametrize("depth", [2, 9, 18, 55])
def test_an_impossible_depth_is_refused_with_possible_ones(depth):
    with pytest.raises(ValueError, match=rf"depth is {depth}, .* 8, 14, 20, \.\.\. layers"):
        deep_network(depth, Plain)


class Counted(Residual):
    """A learner's block whose signature does not name the arguments that it passes on."""

    made = 0

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        Counted.made += 1


def test_a_block_derived_from_residual_is_built_like_it():
    net = ready(deep_network(14, Counted))
    assert Counted.made == 6
    assert shapes_of(net) == shapes_of(deep_network(14, Residual))
    assert net.stage2(np.ones((1, 8, 14, 14))).shape == (1, 16, 7, 7)


def test_whatever_makes_a_block_is_called_with_channels_and_strides():
    made = []

    def block(num_channels, strides):
        made.append((num_channels, strides))
        return Plain(num_channels, strides)

    deep_network(14, block)
    assert made == [(8, 1), (8, 1), (16, 2), (16, 1), (32, 2), (32, 1)]


def test_the_families_differ_in_the_shortcut_alone():
    plain = _gluon.places(ready(deep_network(20, Plain)))
    residual = _gluon.places(ready(deep_network(20, Residual)))
    added = {name for name in residual if name not in plain}
    assert {name.rsplit(".", 1)[0] for name in added} == {
        "stage2.block1.conv3",
        "stage3.block1.conv3",
    }
    assert all(residual[name].shape == plain[name].shape for name in plain)


def test_a_plain_block_computes_what_is_left_of_a_residual_one_without_x():
    plain, residual = ready(Plain(1)), ready(Residual(1))
    for name, parameter in _gluon.places(residual).items():
        _gluon.places(plain)[name].set_data(parameter.data())
    X = images()
    branch = residual.bn2(residual.conv2(residual.relu(residual.bn1(residual.conv1(X)))))
    assert numpy.array_equal(plain(X).asnumpy(), np.maximum(branch, 0).asnumpy())
    assert not numpy.allclose(plain(X).asnumpy(), residual(X).asnumpy())


def test_network18_of_residual_blocks_is_resnet18():
    built, taught = ready(network18(Residual)), ready(resnet18())
    assert _gluon.places(built).keys() == _gluon.places(taught).keys()
    assert shapes_of(built) == shapes_of(taught)
    X = images(2, 28)
    assert numpy.array_equal(ready(built)(X).asnumpy(), ready(taught)(X).asnumpy())


def test_without_biases_and_with_normalized_shortcuts_it_has_the_parameters_of_the_model_zoo():
    """There are 11,175,370: notebook 04 compares the two networks."""
    net = without_biases(network18(NormalizedShortcut))
    net.initialize()
    table = shapes.layer_table(net, (1, 1, 28, 28))
    assert table.parameters.iloc[0] == 11_175_370


def test_biases_that_are_held_stay_zero_while_the_rest_learns():
    net = ready(without_biases(deep_network(8, Residual)))
    trainer = Recipe().trainer(net, 10)
    before = net.conv.weight.data().asnumpy()
    for _ in range(2):
        train.train_step(net, images(), np.array([0, 1, 2, 3], "int32"), trainer)
    assert not numpy.array_equal(net.conv.weight.data().asnumpy(), before)
    assert net.conv.bias.data().asnumpy().any() == 0
    assert net.stage1.block1.conv1.bias.data().asnumpy().any() == 0


def trained(block, few):
    net = ready(deep_network(8, block))
    recipe = Recipe(epochs=1, batch_size=32, size=14)
    train.fit(net, few, recipe, seed=0, device=CPU)
    net.hybridize(False)
    return net


@pytest.mark.parametrize("depth", [14, 56])
def test_residual_networks_are_deepened_without_changing_what_they_compute(depth, few):
    shallow = trained(Residual, few)
    deep = deepened(shallow, deep_network(depth, Residual), device=CPU)
    assert abs(deep(images()) - shallow(images())).max().item() <= 1e-5


def test_plain_networks_are_not(few):
    shallow = trained(Plain, few)
    deep = deepened(shallow, deep_network(14, Plain), device=CPU)
    assert abs(deep(images()) - shallow(images())).max().item() > 0.1


def test_unless_their_new_blocks_are_set_to_the_identity(few):
    shallow = trained(Plain, few)
    deep = deepened(shallow, deep_network(14, Plain), device=CPU)
    for stage in (deep.stage1, deep.stage2, deep.stage3):
        set_identity(stage.block2)
    assert abs(deep(images()) - shallow(images())).max().item() <= 1e-4


def test_a_network_that_is_no_part_of_the_deeper_one_is_refused():
    with pytest.raises(ValueError, match=r"stage2\.block1\.conv3\.weight .* has no place"):
        deepened(ready(deep_network(8, Residual)), deep_network(14, Plain), device=CPU)


def test_a_deepened_network_can_learn_to_use_its_new_blocks(few):
    deep = deepened(trained(Residual, few), deep_network(14, Residual), device=CPU)
    with autograd.record():
        loss = train.loss_function(deep(images()), np.array([0, 1, 2, 3], "int32")).mean()
    loss.backward()
    assert abs(deep.stage1.block2.bn2.gamma.grad()).max().item() > 0


# The relatives of notebook 07

NARROW = (16, 32, 64, 128)


@pytest.mark.parametrize(
    ("block", "counts", "layers"),
    [(Residual, (2, 2, 2, 2), 18), (PreActivation, (2, 2, 2, 2), 18), (Residual, (3, 4, 6, 3), 34)],
)
def test_a_relative_has_as_many_layers_with_weights_as_its_name_says(block, counts, layers):
    table = shapes.layer_table(ready(relative(block, NARROW, counts)), (1, 1, 28, 28))
    kinds = table.kind[~table.index.str.endswith("conv3")]
    assert kinds.isin(["Conv2D", "Dense"]).sum() == layers
    sizes = {f"stage{i}": (1, 8 * 2**i, *2 * (28 // 2 ** (i - 1),)) for i in (1, 2, 3)}
    assert table.output[list(sizes)].to_dict() == sizes
    assert table.output["network"] == (1, 10)


def test_a_network_of_bottlenecks_costs_little_more_than_one_of_basic_blocks_a_quarter_as_wide():
    bottlenecks = relative(Bottleneck, [4 * width for width in NARROW])
    macs = [
        shapes.layer_table(ready(net), (1, 1, 28, 28)).macs["network"]
        for net in (bottlenecks, relative(Residual, NARROW))
    ]
    assert 1 < macs[0] / macs[1] < 1.4  # the 1x1 convolutions on the shortcuts are wider


def test_only_pre_activated_blocks_are_followed_by_a_normalization_and_a_relu():
    after = {block: hasattr(relative(block, WIDTHS), "end") for block in (Residual, PreActivation)}
    assert after == {Residual: False, PreActivation: True}


@pytest.mark.parametrize("block", [PreActivation, Bottleneck])
def test_a_relative_refuses_a_shortcut_that_cannot_be_added(block):
    wrong = block(8)
    wrong.initialize()
    with pytest.raises(ValueError, match="only equal shapes can be added"):
        wrong(np.ones((1, 4, 6, 6)))


def parameters_of(net):
    return {name: p.data().asnumpy() for name, p in _gluon.places(net).items()}


def test_a_network_takes_over_everything_but_the_scores(few):
    base, net = trained(Residual, few), ready(deep_network(8, Residual), seed=1)
    own = parameters_of(net)
    take_over(net, base)
    for name, value in parameters_of(net).items():
        expected = own if name.startswith("dense") else parameters_of(base)
        assert numpy.array_equal(value, expected[name]), name


def test_in_a_frozen_network_the_dense_layer_learns_and_nothing_else_changes(few):
    net = trained(Residual, few)
    before = parameters_of(net)
    freeze(net)
    train.fit(net, few, Recipe(epochs=1, batch_size=32, size=14), seed=1, device=CPU)
    changed = {
        name for name, v in parameters_of(net).items() if not numpy.array_equal(v, before[name])
    }
    assert changed == {"dense.weight", "dense.bias"}
