"""Residual blocks with one mistake each, and the diagnosis that each should get."""

import random

import numpy
from mxnet import autograd, init, np, npx
from mxnet.gluon import nn

WRONG_BLOCKS = {}


def diagnosed_as(diagnosis):
    """Add a wrong version to the gallery, with its diagnosis."""

    def enter(version):
        WRONG_BLOCKS[version] = diagnosis
        return version

    return enter


def nothing():
    """Return a layer that returns its input."""
    return nn.HybridLambda(lambda F, X: X)


class Layers(nn.Block):
    """The layers of a right block, for each `forward` to combine wrongly."""

    bias = True

    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = self.conv3x3(num_channels, strides)
        self.conv2 = self.conv3x3(num_channels)
        self.conv3 = nn.Conv2D(num_channels, 1, strides=strides) if use_1x1conv else None
        self.bn1, self.bn2 = self.first(), self.second()

    first = second = nn.BatchNorm  # the normalizations

    def conv3x3(self, num_channels, strides=1):
        return nn.Conv2D(num_channels, 3, padding=1, strides=strides, use_bias=self.bias)

    def layers(self, X):
        return self.bn2(self.conv2(npx.relu(self.bn1(self.conv1(X)))))

    def shortcut(self, X):
        return self.conv3(X) if self.conv3 else X

    def forward(self, X):
        return npx.relu(self.layers(X) + self.shortcut(X))


class NormalizedShortcut(Layers):
    """A right block as in the paper: a normalization of its own follows the 1x1 convolution."""

    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.bn3 = nn.BatchNorm() if use_1x1conv else None

    def shortcut(self, X):
        return self.bn3(self.conv3(X)) if self.conv3 else X


# The shortcut and the sum


@diagnosed_as("x does not reach the sum")
class NoShortcut(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, strides=strides)

    def forward(self, X):
        return npx.relu(self.layers(X))


@diagnosed_as("x does not reach the sum")
class ShortcutOnlyThroughThe1x1(Layers):
    def forward(self, X):
        Y = self.layers(X)
        return npx.relu(Y + self.conv3(X) if self.conv3 else Y)


@diagnosed_as("shortcut added after the last ReLU")
class ShortcutAfterLastReLU(Layers):
    def forward(self, X):
        return npx.relu(self.layers(X)) + self.shortcut(X)


@diagnosed_as("shortcut added before the second normalization")
class ShortcutBeforeSecondNormalization(Layers):
    def forward(self, X):
        Y = self.conv2(npx.relu(self.bn1(self.conv1(X))))
        return npx.relu(self.bn2(Y + self.shortcut(X)))


@diagnosed_as("shortcut added twice")
class ShortcutTwice(Layers):
    def forward(self, X):
        return npx.relu(self.layers(X) + self.shortcut(X) + self.shortcut(X))


@diagnosed_as("shortcut added twice")
class ShortcutTwiceWithoutThe1x1(Layers):
    def forward(self, X):
        Y = self.layers(X)
        return npx.relu(Y + (self.conv3(X) if self.conv3 else X + X))


@diagnosed_as("sum averaged")
class Averaged(Layers):
    def forward(self, X):
        return npx.relu((self.layers(X) + self.shortcut(X)) / 2)


@diagnosed_as("sum multiplied by a number")
class SumDoubled(Layers):
    def forward(self, X):
        return 2 * super().forward(X)


@diagnosed_as("shortcut multiplied by a number")
class ShortcutHalved(Layers):
    def forward(self, X):
        return npx.relu(self.layers(X) + self.shortcut(X) / 2)


@diagnosed_as("shortcut multiplied by a number")
class Subtracted(Layers):
    def forward(self, X):
        return abs(self.layers(X) - 3 * self.shortcut(X))


@diagnosed_as("shortcut changes x")
class ShortcutPooled(Layers):
    def forward(self, X):
        X = npx.pooling(X, kernel=(3, 3), pad=(1, 1), stride=(1, 1), pool_type="max")
        return npx.relu(self.layers(X) + self.shortcut(X))


@diagnosed_as("normalization after the sum")
class NormalizationAfterTheSum(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.bn3 = nn.BatchNorm()

    def forward(self, X):
        return npx.relu(self.bn3(self.layers(X) + self.shortcut(X)))


@diagnosed_as("ReLU on the shortcut")
class ReLUOnShortcut(Layers):
    def forward(self, X):
        return npx.relu(self.layers(X) + npx.relu(self.shortcut(X)))


@diagnosed_as("shortcut is not the 1x1 convolution of x")
class ReLUAfterThe1x1(Layers):
    def shortcut(self, X):
        return npx.relu(self.conv3(X)) if self.conv3 else X


@diagnosed_as("shortcut is not the 1x1 convolution of x")
class InputAddedBesideThe1x1(Layers):
    def forward(self, X):
        Y = self.layers(X) + self.shortcut(X)
        return npx.relu(Y + X if self.conv3 and Y.shape == X.shape else Y)


@diagnosed_as("normalization on the shortcut")
class NormalizationOnShortcut(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.bn3 = nn.BatchNorm()

    def shortcut(self, X):
        return self.bn3(super().shortcut(X))


@diagnosed_as("shortcut cannot be added")
class AlwaysHalves(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv1 = self.conv3x3(num_channels, strides=2)


@diagnosed_as("input ignored")
class IgnoresItsInput(Layers):
    def forward(self, X):
        return super().forward(np.ones_like(X))


@diagnosed_as("no gradient passes")
class ShortcutDetached(Layers):
    def shortcut(self, X):
        return super().shortcut(X.detach())


@diagnosed_as("no gradient passes")
class LayersPaused(Layers):
    def layers(self, X):
        with autograd.pause(train_mode=autograd.is_training()):
            return super().layers(X)


# The ReLUs


@diagnosed_as("no ReLU between the convolutions")
class NoReLUBetween(Layers):
    def layers(self, X):
        return self.bn2(self.conv2(self.bn1(self.conv1(X))))


@diagnosed_as("no ReLU between the convolutions")
class NormalizationAndReLUInOne(Layers):
    """In MXNet 1.9.1 on a CPU, this Gluon layer only normalizes."""

    first = nn.BatchNormReLU

    def layers(self, X):
        return self.bn2(self.conv2(self.bn1(self.conv1(X))))


@diagnosed_as("another function between the convolutions")
class TanhBetween(Layers):
    def layers(self, X):
        return self.bn2(self.conv2(np.tanh(self.bn1(self.conv1(X)))))


@diagnosed_as("another function between the convolutions")
class LeakyReLUBetween(Layers):
    def layers(self, X):
        return self.bn2(self.conv2(npx.leaky_relu(self.bn1(self.conv1(X)), slope=0.1)))


@diagnosed_as("another function between the convolutions")
class CutAt6Between(Layers):
    def layers(self, X):
        return self.bn2(self.conv2(self.bn1(self.conv1(X)).clip(0, 6)))


@diagnosed_as("another function at the end")
class CutAt6AtTheEnd(Layers):
    def forward(self, X):
        return (self.layers(X) + self.shortcut(X)).clip(0, 6)


@diagnosed_as("another function at the end")
class SigmoidAtTheEnd(Layers):
    def forward(self, X):
        return npx.sigmoid(self.layers(X) + self.shortcut(X))


@diagnosed_as("another function at the end")
class AbsoluteValueAtTheEnd(Layers):
    def forward(self, X):
        return abs(self.layers(X) + self.shortcut(X))


@diagnosed_as("no ReLU at the end")
class LeakyReLUAtTheEnd(Layers):
    def forward(self, X):
        return npx.leaky_relu(self.layers(X) + self.shortcut(X), slope=0.01)


@diagnosed_as("no ReLU at the end")
class NoLastReLU(Layers):
    def forward(self, X):
        return self.layers(X) + self.shortcut(X)


@diagnosed_as("ReLU before the addition")
class ReLUBeforeAddition(Layers):
    def forward(self, X):
        return npx.relu(npx.relu(self.layers(X)) + self.shortcut(X))


@diagnosed_as("constant added to x")
class SigmoidBeforeAddition(Layers):
    def layers(self, X):
        return npx.sigmoid(super().layers(X))


@diagnosed_as("another function before the addition")
class TanhBeforeAddition(Layers):
    def layers(self, X):
        return np.tanh(super().layers(X))


@diagnosed_as("another function before the addition")
class LeakyReLUBeforeAddition(Layers):
    def layers(self, X):
        return npx.leaky_relu(super().layers(X), slope=0.3)


# The normalizations


@diagnosed_as("ReLU in place of normalization")
class ReLUInPlaceOfNormalization(Layers):
    def layers(self, X):
        return npx.relu(self.conv2(npx.relu(self.conv1(X))))

    first = second = staticmethod(nothing)


@diagnosed_as("no normalization")
class NoNormalization(Layers):
    first = second = staticmethod(nothing)


@diagnosed_as("one normalization in both places")
class OneNormalizationInBothPlaces(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.bn2 = self.bn1


@diagnosed_as("first normalization missing")
class FirstNormalizationMissing(Layers):
    first = staticmethod(nothing)


@diagnosed_as("second normalization missing")
class SecondNormalizationMissing(Layers):
    second = staticmethod(nothing)


@diagnosed_as("normalization after the ReLU")
class NormalizationAfterReLU(Layers):
    def layers(self, X):
        return self.bn2(self.conv2(self.bn1(npx.relu(self.conv1(X)))))


@diagnosed_as("ReLU between the second convolution and its normalization")
class ReLUAfterTheSecondConvolution(Layers):
    def layers(self, X):
        return self.bn2(npx.relu(self.conv2(npx.relu(self.bn1(self.conv1(X))))))


@diagnosed_as("layers scaled before the sum")
class LayersScaled(Layers):
    def layers(self, X):
        return 0.1 * super().layers(X)


@diagnosed_as("running averages never updated")
class AveragesNeverUpdated(Layers):
    first = second = staticmethod(lambda: nn.BatchNorm(momentum=1))


class BatchNormWithoutAverages(nn.Block):
    def __init__(self):
        super().__init__()
        self.scale = self.params.get("scale", shape=(1,), init="ones")
        self.shift = self.params.get("shift", shape=(1,), init="zeros")

    def forward(self, X):
        mean, deviation = np.zeros(1), np.ones(1)
        if autograd.is_training():
            mean = X.mean(axis=(0, 2, 3), keepdims=True)
            deviation = np.sqrt(((X - mean) ** 2).mean(axis=(0, 2, 3), keepdims=True) + 1e-5)
        return self.scale.data() * (X - mean) / deviation + self.shift.data()


@diagnosed_as("running averages never updated")
class AveragesNeverKept(Layers):
    first = second = BatchNormWithoutAverages


@diagnosed_as("normalization over another axis")
class NormalizationOverTheLastAxis(Layers):
    first = second = staticmethod(lambda: nn.BatchNorm(axis=-1))


@diagnosed_as("normalization or bias made but not used")
class SecondNormalizationNeverCalled(Layers):
    def layers(self, X):
        return self.conv2(npx.relu(self.bn1(self.conv1(X))))


@diagnosed_as("normalization or bias made but not used")
class ThirdNormalizationNeverCalled(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.bn3 = nn.BatchNorm()


@diagnosed_as("statistics of single images")
class LayerNormalizationFirst(Layers):
    first = staticmethod(lambda: nn.LayerNorm(axis=1))


@diagnosed_as("statistics of single images")
class LayerNormalization(Layers):
    second = staticmethod(lambda: nn.LayerNorm(axis=1))


# The convolutions


@diagnosed_as("stride on the second convolution")
class StrideOnSecondConvolution(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv1, self.conv2 = self.conv3x3(num_channels), self.conv3x3(num_channels, strides)


@diagnosed_as("stride on both convolutions")
class StrideOnBothConvolutions(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv2 = self.conv3x3(num_channels, strides)


@diagnosed_as("stride missing on the 1x1 convolution")
class StrideMissingOnThe1x1(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv3 = nn.Conv2D(num_channels, 1) if use_1x1conv else None


@diagnosed_as("stride only on the 1x1 convolution")
class StrideOnlyOnThe1x1(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv1 = self.conv3x3(num_channels)


@diagnosed_as("stride not used")
class StrideNowhere(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv)


@diagnosed_as("sees other pixels")
class HalvedAfterTheSum(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv)
        self.strides = strides

    def forward(self, X):
        return super().forward(X)[:, :, :: self.strides, :: self.strides]


@diagnosed_as("1x1 convolution always")
class Always1x1(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, True, strides)


@diagnosed_as("1x1 convolution never used")
class Never1x1(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, False, strides)


@diagnosed_as("1x1 convolution never used")
class Unused1x1(Layers):
    def shortcut(self, X):
        return X


@diagnosed_as("convolution made but not used")
class Unused1x1WhereShapesAreEqual(Layers):
    def forward(self, X):
        Y = self.layers(X)
        return npx.relu(Y + (X if X.shape == Y.shape else self.conv3(X)))


@diagnosed_as("1x1 convolution applied to Y")
class The1x1AppliedToY(Layers):
    def forward(self, X):
        Y = self.layers(X)
        return npx.relu(self.conv3(Y) + X if self.conv3 else Y + X)


@diagnosed_as("convolution without padding")
class NoPadding(Layers):
    def conv3x3(self, num_channels, strides=1):
        return nn.Conv2D(num_channels, 3, strides=strides)


@diagnosed_as("another kernel size")
class Kernel5(Layers):
    def conv3x3(self, num_channels, strides=1):
        return nn.Conv2D(num_channels, 5, padding=2, strides=strides)


@diagnosed_as("another kernel size")
class Kernel1InTheSecond(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv2 = nn.Conv2D(num_channels, 1)


@diagnosed_as("3x3 convolution on the shortcut")
class Kernel3OnTheShortcut(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv3 = self.conv3x3(num_channels, strides) if use_1x1conv else None


@diagnosed_as("padding on the 1x1 convolution")
class PaddingOnThe1x1(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv3 = nn.Conv2D(num_channels, 1, strides, padding=1) if use_1x1conv else None


@diagnosed_as("sees other pixels")
class Dilated(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv2 = nn.Conv2D(num_channels, 3, padding=2, dilation=2)


@diagnosed_as("other channels inside")
class TwiceTheChannelsInside(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv1 = self.conv3x3(2 * num_channels, strides)


@diagnosed_as("another number of convolutions")
class ThreeConvolutions(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv4, self.bn4 = self.conv3x3(num_channels), nn.BatchNorm()

    def layers(self, X):
        return self.bn4(self.conv4(npx.relu(super().layers(X))))


@diagnosed_as("weights shared between the convolutions")
class SharedWeights(Layers):
    def layers(self, X):
        return self.bn2(self.conv1(npx.relu(self.bn1(self.conv1(X)))))


@diagnosed_as("weights shared between the convolutions")
class SharedWeightsWhereTheyFit(Layers):
    def layers(self, X):
        Y = npx.relu(self.bn1(self.conv1(X)))
        return self.bn2(self.conv1(Y) if self.conv3 is None else self.conv2(Y))


@diagnosed_as("layers not registered")
class LayersInAPythonList(nn.Block):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.layers = [
            nn.Conv2D(num_channels, 3, padding=1, strides=strides),
            nn.BatchNorm(),
            nn.Activation("relu"),
            nn.Conv2D(num_channels, 3, padding=1),
            nn.BatchNorm(),
        ]
        self.conv3 = nn.Conv2D(num_channels, 1, strides=strides) if use_1x1conv else None

    def forward(self, X):
        Y = X
        for layer in self.layers:
            Y = layer(Y)
        return npx.relu(Y + (self.conv3(X) if self.conv3 else X))


# From call to call


@diagnosed_as("random output")
class DropoutLeftIn(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.dropout = nn.Dropout(0.5)

    def layers(self, X):
        return self.bn2(self.conv2(self.dropout(npx.relu(self.bn1(self.conv1(X))))))


@diagnosed_as("input changed in place")
class ChangesItsInput(Layers):
    def forward(self, X):
        shortcut = self.shortcut(X)
        Y = npx.relu(self.layers(X) + shortcut)
        if not autograd.is_recording():
            X[:] = np.maximum(X, 0) / 2
        return Y


@diagnosed_as("input changed in place")
class AddsIntoItsInput(Layers):
    def forward(self, X):
        Y = self.layers(X)
        if self.conv3:
            return npx.relu(Y + self.conv3(X))
        X += Y
        return npx.relu(X)


@diagnosed_as("right in training mode only")
class RightInTrainingOnly(Layers):
    def forward(self, X):
        if autograd.is_training() or self.conv3:
            return super().forward(X)
        return npx.relu(X)


@diagnosed_as("right in inference mode only")
class RightInInferenceOnly(Layers):
    def forward(self, X):
        return npx.relu(self.shortcut(X)) if autograd.is_training() else super().forward(X)


@diagnosed_as("batch statistics in inference mode")
class AlwaysInTrainingMode(Layers):
    bias = False

    def forward(self, X):
        with autograd.train_mode():
            return super().forward(X)


@diagnosed_as("batch statistics in inference mode")
class SecondNormalizationAlwaysInTrainingMode(Layers):
    bias = False

    def layers(self, X):
        Y = self.conv2(npx.relu(self.bn1(self.conv1(X))))
        with autograd.train_mode():
            return self.bn2(Y)


@diagnosed_as("square inputs only")
class SquareInputsOnly(Layers):
    def forward(self, X):
        Y = super().forward(X)
        return Y.reshape(Y.shape[0], Y.shape[1], Y.shape[2], Y.shape[2])


@diagnosed_as("one batch size only")
class TwoImagesOnly(Layers):
    def forward(self, X):
        Y = super().forward(X)
        return Y.reshape(2, *Y.shape[1:])


@diagnosed_as("one batch size only")
class BatchOfOneOnly(Layers):
    def forward(self, X):
        return super().forward(X)[:1]


# One layer in two places, and layers whose results are lost


@diagnosed_as("one normalization on both paths")
class FirstNormalizationOnTheShortcutToo(Layers):
    def shortcut(self, X):
        return self.bn1(self.conv3(X)) if self.conv3 else X


@diagnosed_as("one normalization on both paths")
class SecondNormalizationOnTheShortcutToo(Layers):
    def shortcut(self, X):
        return self.bn2(self.conv3(X)) if self.conv3 else X


@diagnosed_as("one normalization on both paths")
class ParametersSharedWithTheShortcut(NormalizedShortcut):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        if use_1x1conv:
            self.bn3 = nn.BatchNorm(params=self.bn1.params)


@diagnosed_as("one normalization on both paths")
class SharedOnlyInTraining(NormalizedShortcut):
    def shortcut(self, X):
        norm = self.bn1 if autograd.is_training() else self.bn3
        return norm(self.conv3(X)) if self.conv3 else X


@diagnosed_as("one normalization in both places")
class ParametersSharedBetweenTheNormalizations(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.bn2 = nn.BatchNorm(params=self.bn1.params)


@diagnosed_as("both convolutions read x")
class SecondConvolutionReadsX(Layers):
    def layers(self, X):
        Y = npx.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(X))
        return Y


@diagnosed_as("both convolutions read x")
class SecondConvolutionReadsXWithTheStride(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv2 = self.conv3x3(num_channels, strides)

    def layers(self, X):
        return npx.relu(self.bn1(self.conv1(X))) + self.bn2(self.conv2(X))


@diagnosed_as("result of the 1x1 convolution not added")
class ResultOfThe1x1Dropped(Layers):
    def shortcut(self, X):
        if self.conv3:
            self.conv3(X)
        return X


@diagnosed_as("layer without effect")
class ResultOfThe1x1DroppedWhereShapesAreEqual(Layers):
    def shortcut(self, X):
        if self.conv3:
            Y = self.conv3(X)
            return X if X.shape == Y.shape else Y
        return X


@diagnosed_as("layer without effect")
class ResultOfTheFirstNormalizationDropped(Layers):
    def layers(self, X):
        Y = self.conv1(X)
        self.bn1(Y)
        return self.bn2(self.conv2(npx.relu(Y)))


@diagnosed_as("layer without effect")
class ResultOfTheSecondNormalizationDropped(Layers):
    def layers(self, X):
        Y = self.conv2(npx.relu(self.bn1(self.conv1(X))))
        self.bn2(Y)
        return Y


@diagnosed_as("layer without effect")
class LayersTimesZero(Layers):
    def layers(self, X):
        return 0 * super().layers(X)


@diagnosed_as("layer used only beside the 1x1 convolution")
class NormalizationOfTheShortcutAlwaysMade(NormalizedShortcut):
    """As in the paper, but in blocks without a 1x1 convolution the normalization is left over."""

    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.bn3 = nn.BatchNorm()


@diagnosed_as("layer used only beside the 1x1 convolution")
class The1x1AlwaysMade(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, True, strides)
        self.use_1x1conv = use_1x1conv

    def shortcut(self, X):
        return self.conv3(X) if self.use_1x1conv else X


# What only a block with a 1x1 convolution shows, or only one of the modes


@diagnosed_as("random output")
class DropoutOnThe1x1(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.dropout = nn.Dropout(0.5)

    def shortcut(self, X):
        return self.dropout(self.conv3(X)) if self.conv3 else X


@diagnosed_as("batch statistics in inference mode")
class ShortcutAlwaysInTrainingMode(NormalizedShortcut):
    def shortcut(self, X):
        with autograd.train_mode():
            return super().shortcut(X)


@diagnosed_as("no gradient passes")
class The1x1GetsADetachedInput(Layers):
    def shortcut(self, X):
        return self.conv3(X.detach()) if self.conv3 else X


@diagnosed_as("input changed in place")
class ReLUWrittenIntoTheInput(Layers):
    def forward(self, X):
        if not autograd.is_recording():
            X[:] = npx.relu(X)
        return super().forward(X)


@diagnosed_as("input changed in place")
class InputChangedBesideThe1x1(Layers):
    def forward(self, X):
        Y = super().forward(X)
        if self.conv3 and not autograd.is_recording():
            X[:] = 0
        return Y


@diagnosed_as("input changed in place")
class InputChangedInTraining(Layers):
    def forward(self, X):
        Y = super().forward(X)
        if autograd.is_training() and not autograd.is_recording():
            X += 1
        return Y


@diagnosed_as("running averages never updated")
class FirstAveragesNeverUpdated(Layers):
    first = staticmethod(lambda: nn.BatchNorm(momentum=1))


@diagnosed_as("running averages never updated")
class SecondAveragesNeverUpdated(Layers):
    second = staticmethod(lambda: nn.BatchNorm(momentum=1))


@diagnosed_as("running averages never updated")
class AveragesOfTheShortcutNeverUpdated(NormalizedShortcut):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.bn3 = nn.BatchNorm(momentum=1) if use_1x1conv else None


@diagnosed_as("running statistics in training mode")
class RunningStatisticsInTraining(Layers):
    first = second = staticmethod(lambda: nn.BatchNorm(use_global_stats=True))


@diagnosed_as("running statistics in training mode")
class RunningStatisticsInTheFirst(Layers):
    first = staticmethod(lambda: nn.BatchNorm(use_global_stats=True))


@diagnosed_as("running statistics in training mode")
class RunningStatisticsInTheSecond(Layers):
    second = staticmethod(lambda: nn.BatchNorm(use_global_stats=True))


@diagnosed_as("running statistics in training mode")
class RunningStatisticsOnTheShortcut(NormalizedShortcut):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.bn3 = nn.BatchNorm(use_global_stats=True) if use_1x1conv else None


@diagnosed_as("running statistics in training mode")
class LayersInInferenceMode(Layers):
    def layers(self, X):
        with autograd.predict_mode():
            return super().layers(X)


# Convolutions that are not those of the block


@diagnosed_as("convolution in groups")
class SecondConvolutionInGroups(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv2 = nn.Conv2D(num_channels, 3, padding=1, groups=2)


@diagnosed_as("layers that this block does not have")
class A1x1AmongTheLayers(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv4 = nn.Conv2D(num_channels, 1)

    def layers(self, X):
        return self.bn2(self.conv2(npx.relu(self.bn1(self.conv4(self.conv1(X))))))


@diagnosed_as("layers that this block does not have")
class ADenseLayerAmongTheLayers(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.mix = nn.Dense(num_channels, flatten=False)

    def layers(self, X):
        Y = npx.relu(self.bn1(self.conv1(X)))
        return self.bn2(self.conv2(self.mix(Y.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)))


# Designs of their own


@diagnosed_as("squeeze-and-excitation")
class SqueezeAndExcitation(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.squeeze = nn.Dense(max(1, num_channels // 2), activation="relu")
        self.excite = nn.Dense(num_channels, activation="sigmoid")

    def layers(self, X):
        Y = super().layers(X)
        scale = self.excite(self.squeeze(Y.mean(axis=(2, 3))))
        return Y * scale.reshape(*scale.shape, 1, 1)


@diagnosed_as("squeeze-and-excitation")
class SqueezeAndExcitationBy1x1(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.gate = nn.Sequential()
        self.gate.add(nn.GlobalAvgPool2D(), nn.Conv2D(num_channels // 2, 1, activation="relu"))
        self.gate.add(nn.Conv2D(num_channels, 1, activation="sigmoid"))

    def layers(self, X):
        Y = super().layers(X)
        return Y * self.gate(Y)


class Scaled(Layers):
    """A trained number, or one for each channel, multiplies what the layers add."""

    name_of_scale, start, shape = "alpha", "zeros", (1,)

    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        shape = tuple(side or num_channels for side in self.shape)
        self.scale = self.params.get(self.name_of_scale, shape=shape, init=self.start)

    def layers(self, X):
        return self.scale.data() * super().layers(X)


@diagnosed_as("residual with a scale of its own")
class ReZero(Scaled):
    pass


@diagnosed_as("residual with a scale of its own")
class ReZeroNamedAsInANormalization(Scaled):
    name_of_scale = "gamma"


@diagnosed_as("residual with a scale of its own")
class LayerScale(Scaled):
    start, shape = init.Constant(1e-4), (1, 0, 1, 1)


@diagnosed_as("residual with a scale of its own")
class ReZeroWithoutNormalization(Scaled):
    first = second = staticmethod(nothing)


@diagnosed_as("pre-activation")
class PreActivated(Layers):
    def forward(self, X):
        Y = self.conv1(npx.relu(self.bn1(X)))
        return self.conv2(npx.relu(self.bn2(Y))) + self.shortcut(X)


@diagnosed_as("pre-activation")
class PreActivatedWithALastReLU(PreActivated):
    def forward(self, X):
        return npx.relu(super().forward(X))


@diagnosed_as("pre-activation")
class PreActivatedShortcut(Layers):
    """As He et al. drew it: the 1x1 convolution gets what the first convolution gets."""

    def forward(self, X):
        Y = npx.relu(self.bn1(X))
        shortcut = self.conv3(Y) if self.conv3 else X
        return self.conv2(npx.relu(self.bn2(self.conv1(Y)))) + shortcut


@diagnosed_as("stochastic depth")
class StochasticDepth(Layers):
    def forward(self, X):
        if autograd.is_training():
            kept = float(np.random.uniform() < 0.5)
            return npx.relu(kept * self.layers(X) + self.shortcut(X))
        return npx.relu(0.5 * self.layers(X) + self.shortcut(X))


@diagnosed_as("stochastic depth")
class StochasticDepthByPython(Layers):
    def forward(self, X):
        if autograd.is_training() and random.random() < 0.2:
            return npx.relu(self.shortcut(X))
        return super().forward(X)


@diagnosed_as("stochastic depth")
class StochasticDepthForEachImage(Layers):
    def layers(self, X):
        Y = super().layers(X)
        if autograd.is_training():
            kept = np.random.uniform(size=(X.shape[0], 1, 1, 1)) < 0.8
            Y = Y * kept.astype("float32") / 0.8
        return Y


@diagnosed_as("random output")
class RandomByNumPy(Layers):
    def layers(self, X):
        return super().layers(X) + float(numpy.random.uniform() < 0.05)


@diagnosed_as("bottleneck")
class BottleneckBlock(nn.Block):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        narrow = num_channels // 4
        self.body = nn.Sequential()
        for channels, kernel, step in ((narrow, 1, 1), (narrow, 3, strides), (num_channels, 1, 1)):
            self.body.add(nn.Conv2D(channels, kernel, step, kernel // 2), nn.BatchNorm())
            self.body.add(*[nn.Activation("relu")] * (len(self.body) < 8))
        self.conv = nn.Conv2D(num_channels, 1, strides=strides) if use_1x1conv else None

    def forward(self, X):
        return npx.relu(self.body(X) + (self.conv(X) if self.conv else X))


# Errors that only look like a shape that does not fit


@diagnosed_as("raises an error")
class MisspelledBesideThe1x1(Layers):
    def shortcut(self, X):
        return self.conv_3(X) if self.conv3 else X


@diagnosed_as("raises an error")
class RaisesAfterTheSum(Layers):
    def forward(self, X):
        Y = super().forward(X)
        return Y if self.conv3 is None else self.missing(Y)


# No block at all, or none that can be checked


@diagnosed_as("raises an error")
class Raises(Layers):
    def forward(self, X):
        return self.conv4(X)


@diagnosed_as("raises an error")
class ExitsFromPython(Layers):
    def forward(self, X):
        raise SystemExit("goodbye")


@diagnosed_as("raises an error")
class CallsItself(Layers):
    def forward(self, X):
        return self.forward(X)


@diagnosed_as("no forward")
class MisspelledForward(nn.Block):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()

    def foward(self, X):
        return X


@diagnosed_as("not written yet")
class NotWrittenYet(nn.Block):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        raise NotImplementedError


@diagnosed_as("returns no array")
class ReturnsNone(Layers):
    def forward(self, X):
        npx.relu(self.layers(X) + self.shortcut(X))


@diagnosed_as("returns no array")
class ReturnsAString(Layers):
    def forward(self, X):
        return "relu(Y + X)"


@diagnosed_as("returns no array")
class ReturnsANumPyArray(Layers):
    def forward(self, X):
        return super().forward(X).asnumpy()


@diagnosed_as("returns no array")
class ReturnsBothPaths(Layers):
    def forward(self, X):
        return self.layers(X), self.shortcut(X)


@diagnosed_as("wrong output shape")
class ReturnsAHugeArray(Layers):
    def forward(self, X):
        return np.zeros((1000, 10_000))


@diagnosed_as("wrong output shape")
class Concatenates(Layers):
    def forward(self, X):
        return npx.relu(np.concatenate([self.layers(X), self.shortcut(X)], axis=1))


@diagnosed_as("numbers that are not finite")
class DividesByZero(Layers):
    def forward(self, X):
        return super().forward(X) / np.zeros(1)


@diagnosed_as("makes no block")
def makes_nothing(num_channels, use_1x1conv=False, strides=1):
    Layers(num_channels, use_1x1conv, strides)


NOT_A_CLASS = [
    (None, "not a class or function"),
    ("Residual", "not a class or function"),
    (18, "not a class or function"),
    (numpy.zeros((3000, 3000)), "not a class or function"),
    (Layers(4), "not a class or function"),
    (lambda *_, **__: None, "makes no block"),
    (lambda *_, **__: "block", "makes no block"),
]
