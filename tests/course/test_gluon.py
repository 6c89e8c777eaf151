"""The access to Gluon's private parts: what each function returns, and what it refuses."""

import mxnet as mx
import numpy
import pytest
from mxnet import autograd, gluon, np
from mxnet.gluon import nn

from utils import _gluon
from utils.resnet import Residual, named

pytestmark = pytest.mark.usefixtures("numpy_module")


@pytest.fixture
def net():
    net = named(
        conv=nn.Conv2D(4, kernel_size=3, strides=2, padding=1), norm=nn.BatchNorm(), out=nn.Dense(2)
    )
    net.initialize()
    net(np.ones((2, 3, 6, 6)))
    return net


def test_children_come_by_name_and_in_order(net):
    assert list(_gluon.children(net)) == ["conv", "norm", "out"]
    assert _gluon.children(net)["norm"] is net.norm
    assert _gluon.children(net.norm) == {}


def test_changing_the_returned_children_does_not_change_the_block(net):
    _gluon.children(net).clear()
    assert len(net) == 3


def test_the_geometry_is_that_of_convolutions_and_poolings(net):
    assert _gluon.geometry(net.conv)["stride"] == (2, 2)
    assert _gluon.geometry(nn.MaxPool2D(pool_size=3))["kernel"] == (3, 3)
    assert _gluon.geometry(nn.Dense(1)) == {}


def test_a_network_is_compiled_once_it_is_hybridized(net):
    assert not _gluon.is_compiled(net)
    net.hybridize()
    assert _gluon.is_compiled(net)
    assert not _gluon.is_compiled(nn.Sequential()), "a Block never is"


def test_places_are_the_names_in_saved_files(net, tmp_path):
    net.save_parameters(str(tmp_path / "net.params"))
    assert _gluon.places(net).keys() == mx.npx.load(str(tmp_path / "net.params")).keys()
    assert _gluon.places(net)["conv.weight"] is net.conv.weight


def test_running_statistics_are_not_learned(net):
    names = [parameter.name.rsplit("_", 1)[-1] for parameter in _gluon.learned(net)]
    assert names == ["weight", "bias", "gamma", "beta", "weight", "bias"]


def test_what_was_read_can_be_put_back(net):
    X = np.ones((2, 3, 6, 6))
    before, values = net(X).asnumpy(), _gluon.read(net)
    assert len(values) == 8
    with autograd.record():
        net(X)  # moves the running statistics
    net.out.weight.set_data(np.zeros((2, 36)))
    assert not numpy.array_equal(net(X).asnumpy(), before)
    _gluon.put(net, values)
    assert numpy.array_equal(net(X).asnumpy(), before)


@pytest.mark.parametrize("count", [7, 9])
def test_too_few_or_too_many_values_are_refused_and_nothing_is_changed(net, count):
    before = _gluon.read(net)
    others = [value + 1 for value in (*before, before[0])][:count]
    with pytest.raises(ValueError, match=f"There are {count} arrays, .* has 8 parameters"):
        _gluon.put(net, others)
    assert all(numpy.array_equal(a, b) for a, b in zip(before, _gluon.read(net)))


def test_a_parameter_can_be_restored_even_to_having_no_values():
    layer = nn.Dense(2)
    layer.initialize()
    waiting = _gluon.state_of(layer.weight)
    assert waiting.values is None
    assert not _gluon.has_values(layer.weight)
    layer(np.ones((1, 3)))
    filled = _gluon.state_of(layer.weight)
    layer.weight.set_data(np.zeros((2, 3)))
    _gluon.restore(layer.weight, filled)
    assert numpy.array_equal(layer.weight.data().asnumpy(), filled.values[0])
    _gluon.restore(layer.weight, waiting)
    assert not _gluon.has_values(layer.weight)
    assert layer(np.ones((1, 5))).shape == (1, 2), "the next input decides the shape anew"


def test_a_gradient_is_new_once(net):
    with autograd.record():
        total = net(np.ones((2, 3, 6, 6))).sum()
    total.backward()
    weight = net.out.weight.data()
    assert [_gluon.take_new_gradient(weight) for _ in range(2)] == [True, False]


def test_hooks_see_every_call_from_the_outside_in_and_are_removed_afterwards():
    block, calls = Residual(3), []
    block.initialize()
    parts = [block, block.relu]

    def before(part, inputs):
        calls.append(("before", part, inputs[0].shape))

    def after(part, inputs, output):
        calls.append(("after", part, output.shape))

    X = np.ones((1, 3, 6, 6))
    with _gluon.hooked(parts, after, before):
        block(X)
    block(X)
    assert [(moment, part) for moment, part, _ in calls] == [
        ("before", block),
        ("before", block.relu),
        ("after", block.relu),
        ("before", block.relu),
        ("after", block.relu),
        ("after", block),
    ]
    assert {shape for _, _, shape in calls} == {(1, 3, 6, 6)}


def test_hooks_are_removed_after_an_error_too():
    layer, calls = gluon.nn.Dense(1), []
    with pytest.raises(RuntimeError), _gluon.hooked([layer], lambda *call: calls.append(call)):
        layer(np.ones((1, 2)))  # not initialized
    layer.initialize()
    layer(np.ones((1, 2)))
    assert calls == []
