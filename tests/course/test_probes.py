"""What notebook 06 writes: it finds what it should, and the network is left unchanged."""

import mxnet as mx
import numpy
import pytest
from mxnet import np
from mxnet.gluon import nn

from utils import data, probes, train
from utils.families import Plain, deep_network
from utils.resnet import Residual

pytestmark = pytest.mark.usefixtures("numpy_mode")

CPU = mx.cpu()


@pytest.fixture(params=[Plain, Residual])
def net(request):
    return ready(request.param)


@pytest.fixture
def residual():
    return ready(Residual)


def ready(block):
    net = deep_network(14, block)
    train.initialize(net, seed=0, device=CPU)
    return net


@pytest.fixture(name="X")
def images():
    return np.array(numpy.random.default_rng(0).normal(size=(4, 1, 28, 28)), "float32")


@pytest.fixture
def few(sample):
    return data.Split(sample.valid.images[:50], sample.valid.labels[:50])


def test_watching_returns_what_layers_were_given_and_what_they_returned(net, X):
    seen = probes.watch(net, {"first": net.stage1, "second": net.stage2}, X)
    assert seen["first"][1] is seen["second"][0]
    assert seen["second"][1].shape == (4, 16, 14, 14)


def test_nothing_is_watched_afterwards(net, X):
    seen = probes.watch(net, {"stage": net.stage1}, X)
    before = seen["stage"]
    net(X)
    assert seen["stage"] is before


def test_a_compiled_network_cannot_be_watched_or_have_blocks_removed(net, X, few):
    net.hybridize()
    with pytest.raises(ValueError, match=r"net\.hybridize\(False\) first"):
        probes.watch(net, {"block": net.stage1.block1}, X)
    with pytest.raises(ValueError, match=r"net\.hybridize\(False\) first"):
        probes.accuracy_without(net, [], few, CPU)


def test_a_block_written_by_the_learner_is_found_by_its_layers():
    class Own(Plain):
        pass

    found = probes.blocks(ready(Own))
    assert [type(block) for block in found.values()] == [Own] * 6
    with pytest.raises(ValueError, match="has no plain or residual blocks"):
        probes.blocks(nn.Dense(1))


@pytest.mark.parametrize("name", ["block1", "block2"])
def test_to_go_around_a_residual_block_is_the_same_as_making_its_residual_zero(name, residual):
    block = getattr(residual.stage3, name)
    shape = (4, block.conv1.weight.shape[1], 8, 8)
    X = np.array(numpy.random.default_rng(0).normal(size=shape), "float32")
    left = probes.around(block, X).asnumpy()
    for parameter in (block.bn2.gamma, block.bn2.beta):
        parameter.set_data(np.zeros_like(parameter.data()))
    assert numpy.allclose(block(X).asnumpy(), left, atol=1e-6)


def test_to_go_around_a_plain_block_is_to_hand_on_its_input():
    block = ready(Plain).stage1.block2
    X = np.array([[[[-1.0, 2.0]]]])
    assert probes.around(block, X).asnumpy().tolist() == [[[[0.0, 2.0]]]]


def test_without_some_blocks_the_accuracy_is_that_of_a_network_in_which_they_add_nothing(
    residual, few
):
    names = ["stage1.block2", "stage3.block1"]
    without = probes.accuracy_without(residual, names, few, CPU)
    for name in names:
        gamma = probes.blocks(residual)[name].bn2.gamma  # beta is zero in a new network
        gamma.set_data(np.zeros_like(gamma.data()))
    assert train.evaluate(residual, few, CPU)[1] == without


def test_removed_blocks_come_back(net, X, few):
    whole = net(X).asnumpy()
    probes.accuracy_without(net, ["stage1.block2", "stage3.block2"], few, CPU)
    assert numpy.array_equal(net(X).asnumpy(), whole)


def test_removed_blocks_come_back_after_an_error_too(net):
    with pytest.raises(TypeError):
        probes.accuracy_without(net, ["stage1.block1"], None, CPU)
    assert "forward" not in vars(net.stage1.block1)


def halving_alone():
    block = Plain(3, strides=2)
    block.initialize()
    block(np.zeros((1, 3, 4, 4)))
    return block


def test_there_is_no_way_around_a_plain_block_that_changes_the_shape(residual):
    plain = ready(Plain)
    assert not probes.has_way_around(plain.stage2.block1)
    assert not probes.has_way_around(halving_alone())
    assert probes.has_way_around(plain.stage2.block2)
    assert all(map(probes.has_way_around, probes.blocks(residual).values()))


def test_the_mean_of_a_class_activation_map_and_the_bias_are_the_score(net, X):
    net.dense.bias.set_data(np.arange(10))
    maps, _ = probes.watch(net, {"pool": net.pool}, X)["pool"]
    activation = probes.class_activation(maps, net.dense.weight.data()[3])
    assert activation.shape == (4, 7, 7)
    score = net(X)[:, 3].asnumpy()
    assert numpy.allclose(activation.mean(axis=(1, 2)).asnumpy() + 3, score, atol=1e-4)
