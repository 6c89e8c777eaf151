"""Measurements inside a network: the numbers are right, and the network is left unchanged."""

import mxnet as mx
import numpy
import pytest
from mxnet import autograd, np
from mxnet.gluon import nn

from utils import data, probes, train
from utils.families import NormalizedShortcut, Plain, deep_network
from utils.resnet import Residual

pytestmark = pytest.mark.usefixtures("numpy_mode")

CPU = mx.cpu()
LABELS = np.array([0, 1, 2, 3], "int32")


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


def test_watching_collects_the_inputs_and_outputs_of_blocks(net, X):
    with probes.watching({"first": net.stage1, "second": net.stage2}) as calls:
        net(X)
    assert calls["first"].output is calls["second"].input
    assert calls["second"].output.shape == (4, 16, 14, 14)


def test_nothing_is_watched_afterwards(net, X):
    with probes.watching({"stage": net.stage1}) as calls:
        pass
    net(X)
    assert calls == {}


def test_a_compiled_network_cannot_be_watched(net, X, sample):
    net.hybridize()
    with pytest.raises(ValueError, match=r"net\.hybridize\(False\) first"):
        probes.layer_norms(net, X, LABELS)
    with pytest.raises(ValueError, match=r"net\.hybridize\(False\) first"):
        probes.lesions(net, sample.valid, CPU)


def test_the_norms_are_those_of_the_gradient_of_the_mean_loss(net, X):
    norms = probes.layer_norms(net, X, LABELS)
    assert len(norms) == 13  # 14 layers without the dense one; no 1x1 convolution
    with autograd.record():
        loss = train.loss_function(net(X), LABELS).mean()
    loss.backward()
    gradient = net.stage2.block1.conv2.weight.grad().asnumpy()
    expected = numpy.sqrt((gradient**2).sum())
    assert norms.gradient["stage2.block1.conv2"] == pytest.approx(expected, rel=1e-5)
    output = net.conv(X).asnumpy()
    assert norms.output["conv"] == pytest.approx(numpy.sqrt((output**2).mean()), rel=1e-5)


def test_measuring_norms_leaves_the_running_statistics_as_they_were(net, X):
    before = net(X).asnumpy()
    probes.layer_norms(net, X, LABELS)
    assert numpy.array_equal(net(X).asnumpy(), before)


def test_a_block_written_by_the_learner_is_found_by_its_layers(X):
    class Own(Plain):
        pass

    found = probes.blocks(ready(Own))
    assert [type(block) for block in found.values()] == [Own] * 6
    with pytest.raises(ValueError, match="has no plain or residual blocks"):
        probes.blocks(nn.Dense(1))


def test_moves_compare_the_residual_with_what_it_is_added_to(residual, X):
    moved = probes.moves(residual, X)
    assert list(moved.index) == [f"stage{s}.block{b}" for s in (1, 2, 3) for b in (1, 2)]
    block = residual.stage1.block1
    x = residual.relu(residual.norm(residual.conv(X)))
    branch = block.bn2(block.conv2(block.relu(block.bn1(block.conv1(x))))).asnumpy()
    length = numpy.linalg.norm(branch.reshape(4, -1), axis=1).mean()
    assert moved.residual.iloc[0] == pytest.approx(length, rel=1e-4)
    shortcut = numpy.linalg.norm(x.asnumpy().reshape(4, -1), axis=1).mean()
    assert moved.shortcut.iloc[0] == pytest.approx(shortcut, rel=1e-4)
    assert moved.ratio.iloc[0] == pytest.approx(length / shortcut, rel=1e-4)


def test_a_block_that_is_the_identity_does_not_move_its_input(residual, X):
    block = residual.stage2.block2
    block.bn2.gamma.set_data(np.zeros_like(block.bn2.gamma.data()))
    assert probes.moves(residual, X).ratio["stage2.block2"] == 0


def test_a_removed_block_passes_its_input_on_and_comes_back(net, X):
    whole = net(X).asnumpy()
    block = net.stage1.block2
    with probes.removed(block), probes.watching({"block": block}) as calls:
        without = net(X).asnumpy()
    assert numpy.array_equal(calls["block"].output.asnumpy(), calls["block"].input.asnumpy())
    assert not numpy.allclose(without, whole)
    assert numpy.array_equal(net(X).asnumpy(), whole)


@pytest.mark.parametrize("kind", [Residual, NormalizedShortcut])
@pytest.mark.parametrize("name", ["block1", "block2"])
def test_removing_a_residual_block_is_the_same_as_making_its_residual_zero(kind, name, X):
    residual = ready(kind)
    block = getattr(residual.stage3, name)
    with probes.removed(block):
        removed = residual(X).asnumpy()
    for parameter in (block.bn2.gamma, block.bn2.beta):
        parameter.set_data(np.zeros_like(parameter.data()))
    assert numpy.allclose(residual(X).asnumpy(), removed, atol=1e-6)


def test_a_block_comes_back_after_an_error_too(net, X):
    with pytest.raises(KeyboardInterrupt), probes.removed(net.stage1.block1):
        raise KeyboardInterrupt
    assert "forward" not in vars(net.stage1.block1)


def halving_alone():
    block = Plain(3, strides=2)
    block.initialize()
    block(np.zeros((1, 3, 4, 4)))
    return block


@pytest.mark.parametrize("make", [lambda: ready(Plain).stage2.block1, halving_alone])
def test_there_is_no_way_around_a_plain_block_that_changes_the_shape(make):
    block = make()
    with (
        pytest.raises(ValueError, match="changes the shape cannot be removed"),
        probes.removed(block),
    ):
        pass


def test_lesions_name_every_block_that_can_be_removed(net, sample):
    few = data.Split(sample.valid.images[:50], sample.valid.labels[:50])
    left = probes.lesions(net, few, CPU)
    is_plain = isinstance(net.stage1.block1, Plain)
    kept = ["stage2.block1", "stage3.block1"] if is_plain else []
    expected = ["none", *(name for name in probes.blocks(net) if name not in kept)]
    assert list(left.index) == expected
    assert left["none"] == train.evaluate(net, few, CPU)[1]


def test_the_mean_of_a_class_activation_map_and_the_bias_are_the_score(net, X):
    net.dense.bias.set_data(np.arange(10))
    activation = probes.class_activation(net, X, label=3)
    assert activation.shape == (4, 7, 7)
    score = net(X)[:, 3].asnumpy()
    assert numpy.allclose(activation.mean(axis=(1, 2)) + 3, score, atol=1e-4)
