"""Right stems, stages and networks in several styles. No check may call any of them wrong."""

import mxnet as mx
from d2l import mxnet as d2l
from mxnet import init, np, npx
from mxnet.gluon import nn
from mxnet.gluon.model_zoo import vision
from right_blocks import with_large_epsilon

from utils.families import NormalizedShortcut, network18, without_biases
from utils.resnet import Residual, resnet18, resnet_block, stem


def row(*layers):
    net = nn.Sequential()
    net.add(*layers)
    return net


def d2l_stem():
    return row(
        nn.Conv2D(64, kernel_size=7, strides=2, padding=3),
        nn.BatchNorm(),
        nn.Activation("relu"),
        nn.MaxPool2D(3, strides=2, padding=1),
    )


class StemInOneClass(nn.Block):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2D(64, (7, 7), (2, 2), (3, 3), use_bias=False)
        self.n = nn.BatchNorm()

    def forward(self, X):
        Y = np.maximum(self.n(self.c(X)), 0)
        return npx.pooling(Y, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="max")


def pooled_before_the_relu():
    """The same function, since a ReLU keeps the order of numbers."""
    return row(nn.Conv2D(64, 7, 2, 3), nn.BatchNorm(), nn.MaxPool2D(3, 2, 1), nn.Activation("relu"))


def d2l_stage(num_channels, num_residuals, first_block=False):
    net = nn.Sequential()
    for i in range(num_residuals):
        if i == 0 and not first_block:
            net.add(d2l.Residual(num_channels, use_1x1conv=True, strides=2))
        else:
            net.add(d2l.Residual(num_channels))
    return net


class StageAsAClass(nn.HybridBlock):
    def __init__(self, num_channels, num_residuals, first_block=False):
        super().__init__()
        self.first = Residual(num_channels, not first_block, 1 if first_block else 2)
        self.rest = nn.HybridSequential()
        for _ in range(num_residuals - 1):
            self.rest.add(NormalizedShortcut(num_channels))

    def hybrid_forward(self, F, X):
        Y = self.first(X)
        for block in self.rest:
            Y = block(Y)
        return Y


def d2l_network():
    net = d2l_stem()
    for width in (64, 128, 256, 512):
        net.add(d2l_stage(width, 2, first_block=width == 64))
    net.add(nn.GlobalAvgPool2D(), nn.Dense(10))
    return net


class NetworkInOneClass(nn.Block):
    def __init__(self):
        super().__init__()
        self.head = nn.Dense(10, use_bias=False)
        self.body = row(*(StageAsAClass(w, 2, w == 64) for w in (64, 128, 256, 512)))
        self.stem = StemInOneClass()

    def forward(self, X):
        return self.head(self.body(self.stem(X)).mean(axis=(2, 3)))


def paper_network():
    return without_biases(network18(NormalizedShortcut))


def zoo_network():
    """The network in Gluon's model zoo: without biases, and made for the old kind of arrays."""
    return vision.resnet18_v1(classes=10)


def stem_for_color():
    return row(nn.Conv2D(64, 7, 2, 3, in_channels=3), *list(d2l_stem())[1:])


def network_for_color():
    net = row(stem_for_color())
    net.add(*(d2l_stage(width, 2, width == 64) for width in (64, 128, 256, 512)))
    net.add(nn.GlobalAvgPool2D(), nn.Dense(10))
    return net


def network_by_classes(num_classes):
    """As in d2l, the number of classes has no default."""
    return resnet18(num_classes)


class NetworkByClasses(nn.Block):
    def __init__(self, num_classes):
        super().__init__()
        self.net = resnet18(num_classes)

    def forward(self, X):
        return self.net(X)


def network_on_two_devices():
    net = resnet18()
    net.initialize(init.Xavier(), ctx=[mx.cpu(1), mx.cpu(2)])
    for device in (mx.cpu(1), mx.cpu(2)):
        net(np.ones((1, 1, 28, 28), ctx=device))
    return net


def initialized_network():
    net = resnet18()
    net.initialize(init.Xavier())
    return net


def compiled_network():
    net = initialized_network()
    net.hybridize(static_alloc=True, static_shape=True)
    return net


RIGHT_STEMS = [
    stem,
    d2l_stem,
    StemInOneClass,
    pooled_before_the_relu,
    stem_for_color,
    with_large_epsilon(d2l_stem),
]
RIGHT_STAGES = [resnet_block, d2l_stage, StageAsAClass]
RIGHT_NETWORKS = [
    resnet18,
    d2l_network,
    NetworkInOneClass,
    paper_network,
    zoo_network,
    network_for_color,
    network_by_classes,
    NetworkByClasses,
]
# Passed as networks, not as functions that make them.
GIVEN_STEMS = [stem]
GIVEN_NETWORKS = [resnet18, initialized_network, compiled_network, network_on_two_devices]
