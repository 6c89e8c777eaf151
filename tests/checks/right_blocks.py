"""Right residual blocks in many styles. No check may call any of them wrong."""

from d2l import mxnet as d2l
from mxnet import autograd, init, np, npx
from mxnet.gluon import nn

from utils.families import NormalizedShortcut
from utils.resnet import Residual

RIGHT_BLOCKS = [Residual, d2l.Residual, NormalizedShortcut]


def with_large_epsilon(maker):
    """Return a function that makes the same block with a larger epsilon in its normalizations."""

    def made(*arguments, **keywords):
        block = maker(*arguments, **keywords)
        block.apply(
            lambda layer: isinstance(layer, nn.BatchNorm) and layer._kwargs.update(eps=1e-2)
        )
        return block

    return made


RIGHT_BLOCKS.append(with_large_epsilon(NormalizedShortcut))


def right(version):
    """Add a right version to the gallery."""
    RIGHT_BLOCKS.append(version)
    return version


@right
class WithoutBiases(nn.Block):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = nn.Conv2D(num_channels, 3, strides, 1, use_bias=False)
        self.conv2 = nn.Conv2D(num_channels, 3, 1, 1, use_bias=False)
        self.conv3 = nn.Conv2D(num_channels, 1, strides, use_bias=False) if use_1x1conv else None
        self.bn1, self.bn2 = nn.BatchNorm(), nn.BatchNorm()

    def forward(self, X):
        Y = npx.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        if self.conv3:
            X = self.conv3(X)
        return npx.relu(Y + X)


@right
class LayersInASequential(nn.Block):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.body = nn.Sequential()
        self.body.add(nn.Conv2D(num_channels, 3, padding=1, strides=strides), nn.BatchNorm())
        self.body.add(nn.Activation("relu"))
        self.body.add(nn.Conv2D(num_channels, 3, padding=1), nn.BatchNorm())
        self.downsample = nn.Sequential()
        if use_1x1conv:
            self.downsample.add(nn.Conv2D(num_channels, 1, strides=strides))

    def forward(self, X):
        residue = self.body(X)
        for layer in self.downsample:
            X = layer(X)
        return npx.relu(residue + X)


@right
class LayersInAHybridSequential(nn.HybridBlock):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.body = nn.HybridSequential()
        for s in (strides, 1):
            self.body.add(nn.Conv2D(num_channels, 3, padding=1, strides=s), nn.BatchNorm())
            if len(self.body) == 2:
                self.body.add(nn.Activation("relu"))
        self.side = nn.Conv2D(num_channels, 1, strides=strides) if use_1x1conv else None

    def hybrid_forward(self, F, X):
        side = X if self.side is None else self.side(X)
        return F.npx.relu(self.body(X) + side)


@right
class OtherNamesAndOrder(nn.Block):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.zwei_norm = nn.BatchNorm()
        self.shortcut = nn.Conv2D(num_channels, 1, strides=strides) if use_1x1conv else None
        self.zwei = nn.Conv2D(num_channels, (3, 3), padding=(1, 1))
        self.eins_norm = nn.BatchNorm()
        self.eins = nn.Conv2D(num_channels, (3, 3), (strides, strides), (1, 1))

    def forward(self, image):
        inner = npx.relu(self.eins_norm(self.eins(image)))
        change = self.zwei_norm(self.zwei(inner))
        return npx.relu((self.shortcut or (lambda x: x))(image) + change)


class ConvolutionAndNorm(nn.HybridBlock):
    def __init__(self, num_channels, strides=1):
        super().__init__()
        self.conv = nn.Conv2D(num_channels, 3, padding=1, strides=strides)
        self.norm = nn.BatchNorm()

    def hybrid_forward(self, F, X):
        return self.norm(self.conv(X))


@right
class PartsWithinParts(nn.HybridBlock):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.one = ConvolutionAndNorm(num_channels, strides)
        self.two = ConvolutionAndNorm(num_channels)
        if use_1x1conv:
            self.three = nn.Conv2D(num_channels, 1, strides=strides)
        self.relu = nn.Activation("relu")

    def hybrid_forward(self, F, X):
        shortcut = self.three(X) if hasattr(self, "three") else X
        return self.relu(self.two(self.relu(self.one(X))) + shortcut)


@right
def made_by_a_function(num_channels, use_1x1conv=False, strides=1):
    return PartsWithinParts(num_channels, use_1x1conv, strides)


@right
class CompiledFromTheStart(Residual):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.hybridize()


@right
class CompiledWithStaticMemory(Residual):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.hybridize(static_alloc=True, static_shape=True)


@right
class MaximumForReLU(WithoutBiases):
    def forward(self, X):
        Y = np.maximum(self.bn1(self.conv1(X)), 0)
        Y = self.bn2(self.conv2(Y))
        return np.maximum(np.add(self.conv3(X) if self.conv3 else X, Y), 0)


@right
class WhereForReLU(WithoutBiases):
    def forward(self, X):
        Y = npx.activation(self.bn1(self.conv1(X)), act_type="relu")
        Z = self.bn2(self.conv2(Y)) + (self.conv3(X) if self.conv3 else X)
        return np.where(Z > 0, Z, np.zeros_like(Z))


@right
class StartsAsTheIdentity(nn.Block):
    """The scale of the last normalization starts at zero, which helps deep networks to start."""

    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = nn.Conv2D(num_channels, 3, padding=1, strides=strides)
        self.conv2 = nn.Conv2D(num_channels, 3, padding=1)
        self.conv3 = nn.Conv2D(num_channels, 1, strides=strides) if use_1x1conv else None
        self.bn1, self.bn2 = nn.BatchNorm(), nn.BatchNorm(gamma_initializer="zeros")

    def forward(self, X):
        Y = self.bn2(self.conv2(npx.relu(self.bn1(self.conv1(X)))))
        return npx.relu(Y + (self.conv3(X) if self.conv3 else X))


@right
class OwnStartForWeightsAndBiases(nn.Block):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        start = {"weight_initializer": init.Normal(0.01), "bias_initializer": init.Constant(0.5)}
        self.conv1 = nn.Conv2D(num_channels, 3, strides, 1, **start)
        self.conv2 = nn.Conv2D(num_channels, 3, 1, 1, **start)
        self.conv3 = nn.Conv2D(num_channels, 1, strides, **start) if use_1x1conv else None
        self.bn1, self.bn2 = nn.BatchNorm(momentum=0.99), nn.BatchNorm(epsilon=1e-3)

    def forward(self, X):
        Y = self.bn2(self.conv2(npx.relu(self.bn1(self.conv1(X)))))
        return npx.relu(Y + (self.conv3(X) if self.conv3 else X))


@right
class StrideBySlicing(WithoutBiases):
    """The same function with more work: every second position is computed and dropped."""

    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv)
        self.strides = strides

    def forward(self, X):
        s = self.strides
        Y = npx.relu(self.bn1(self.conv1(X)[:, :, ::s, ::s]))
        Y = self.bn2(self.conv2(Y))
        return npx.relu(Y + (self.conv3(X[:, :, ::s, ::s]) if self.conv3 else X))


class OwnBatchNorm(nn.Block):
    """Batch normalization written out as in d2l, for a given number of channels."""

    first_variance = 1

    def __init__(self, num_channels):
        super().__init__()
        shape = (1, num_channels, 1, 1)
        self.scale = self.params.get("scale", shape=shape, init=init.One())
        self.shift = self.params.get("shift", shape=shape, init=init.Zero())
        self.mean, self.variance = np.zeros(shape), np.full(shape, self.first_variance)

    def forward(self, X):
        mean, variance = self.mean, self.variance
        if autograd.is_training():
            mean = X.mean(axis=(0, 2, 3), keepdims=True)
            variance = ((X - mean) ** 2).mean(axis=(0, 2, 3), keepdims=True)
            self.mean = 0.9 * self.mean + 0.1 * mean.detach()
            self.variance = 0.9 * self.variance + 0.1 * variance.detach()
        return self.scale.data() * (X - mean) / np.sqrt(variance + 1e-5) + self.shift.data()


@right
class OwnNormalization(nn.Block):
    norm = OwnBatchNorm

    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.a = nn.Conv2D(num_channels, 3, padding=1, strides=strides)
        self.b = nn.Conv2D(num_channels, 3, padding=1)
        self.c = nn.Conv2D(num_channels, 1, strides=strides) if use_1x1conv else None
        self.norm_a, self.norm_b = self.norm(num_channels), self.norm(num_channels)

    def forward(self, X):
        Y = self.norm_b(self.b(npx.relu(self.norm_a(self.a(X)))))
        return npx.relu(Y + (self.c(X) if self.c else X))


class VarianceFromZero(OwnBatchNorm):
    """As in older editions of d2l, with very large numbers before the first training step."""

    first_variance = 0


@right
class OwnNormalizationFromZero(OwnNormalization):
    norm = VarianceFromZero


class OwnConvolution(nn.HybridBlock):
    """A convolution by MXNet's function, with a weight that the block holds itself."""

    def __init__(self, num_channels, kernel, strides=1):
        super().__init__()
        shape = (num_channels, 0, kernel, kernel)
        self.filters = self.params.get("filters", shape=shape, allow_deferred_init=True)
        self.settings = {"kernel": (kernel, kernel), "num_filter": num_channels, "no_bias": True}
        self.settings |= {"stride": (strides, strides), "pad": (kernel // 2, kernel // 2)}

    def hybrid_forward(self, F, X, filters):
        return F.npx.convolution(X, filters, **self.settings)


@right
class ConvolutionByFunction(nn.Block):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = OwnConvolution(num_channels, 3, strides)
        self.conv2 = OwnConvolution(num_channels, 3)
        self.conv3 = OwnConvolution(num_channels, 1, strides) if use_1x1conv else None
        self.bn1, self.bn2 = nn.BatchNorm(), nn.BatchNorm()

    def forward(self, X):
        Y = self.bn2(self.conv2(npx.relu(self.bn1(self.conv1(X)))))
        return npx.relu(Y + (self.conv3(X) if self.conv3 else X))


@right
class ASequentialItself(nn.HybridSequential):
    """A sequence of layers that is itself the block; only the sum at the end is written by hand."""

    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.add(nn.Conv2D(num_channels, 3, padding=1, strides=strides), nn.BatchNorm())
        self.add(nn.Activation("relu"))
        self.add(nn.Conv2D(num_channels, 3, padding=1), nn.BatchNorm())
        self.conv = nn.Conv2D(num_channels, 1, strides=strides) if use_1x1conv else None

    def hybrid_forward(self, F, X):
        Y = X
        for layer in list(self._children.values())[:5]:
            Y = layer(Y)
        return F.npx.relu(Y + (self.conv(X) if self.conv else X))


@right
class OneByOneOnlyWhenNeeded(nn.Block):
    """The shortcut is made in one expression, with keywords, and both paths have names."""

    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        with self.name_scope():
            self.road = nn.Sequential(prefix="road_")
            with self.road.name_scope():
                self.road.add(
                    nn.Conv2D(channels=num_channels, kernel_size=3, strides=strides, padding=1),
                    nn.BatchNorm(axis=1),
                    nn.Lambda(npx.relu),
                    nn.Conv2D(channels=num_channels, kernel_size=3, strides=1, padding=1),
                    nn.BatchNorm(axis=1),
                )
            self.short = nn.Lambda(lambda X: X)
            if use_1x1conv:
                self.other = nn.Conv2D(channels=num_channels, kernel_size=1, strides=strides)

    def forward(self, *inputs):
        (X,) = inputs
        short = self.other(X) if "other" in self.__dict__ else self.short(X)
        return sum([self.road(X), short]).clip(0, None)


@right
class NormalizedShortcutInASequential(nn.Block):
    """As other libraries write it: the 1x1 convolution and its normalization are one layer."""

    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.body, self.downsample = nn.Sequential(), nn.Sequential()
        self.body.add(nn.Conv2D(num_channels, 3, strides, 1, use_bias=False), nn.BatchNorm())
        self.body.add(nn.Activation("relu"))
        self.body.add(nn.Conv2D(num_channels, 3, 1, 1, use_bias=False), nn.BatchNorm())
        if use_1x1conv:
            self.downsample.add(nn.Conv2D(num_channels, 1, strides, use_bias=False))
            self.downsample.add(nn.BatchNorm())

    def forward(self, X):
        return npx.relu(self.body(X) + (self.downsample(X) if len(self.downsample) else X))


@right
class CompiledWithANormalizedShortcut(NormalizedShortcut):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.hybridize(static_alloc=True)


@right
class LooksAtShapesFirst(WithoutBiases):
    """Some layers run twice on the same array, and the first result serves for its shape alone."""

    def forward(self, X):
        shape = self.bn1(self.conv1(X)).shape
        shortcut = self.conv3(X) if self.conv3 and self.conv3(X).shape == shape else X
        Y = self.bn2(self.conv2(npx.relu(self.bn1(self.conv1(X)))))
        assert Y.shape == shortcut.shape == shape
        return npx.relu(Y + shortcut)


@right
class WithoutScalesAndShifts(WithoutBiases):
    """The first normalization has no scale, the second no shift; Gluon keeps both, untrained."""

    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.bn1, self.bn2 = nn.BatchNorm(scale=False), nn.BatchNorm(center=False)


@right
class OwnNormalizationThatStartsAtZero(OwnNormalization):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.norm_b.scale.init = init.Zero()


@right
class WorksOnACopy(WithoutBiases):
    """What is written into is no longer the caller's array."""

    def forward(self, X):
        Y = super().forward(X)
        if not autograd.is_recording():
            X = X.copy()
            X[:] = npx.relu(X)
        return Y
