"""Solutions of the exercises in notebook 02. There are others; the checks accept them, too."""

from mxnet import npx
from mxnet.gluon import nn


# Exercise 1. As an `nn.Block` with a `forward`; a `HybridBlock` is just as right.
class MyResidual(nn.Block):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.layers = nn.Sequential()
        self.layers.add(nn.Conv2D(num_channels, 3, padding=1, strides=strides), nn.BatchNorm())
        self.layers.add(nn.Activation("relu"))
        self.layers.add(nn.Conv2D(num_channels, 3, padding=1), nn.BatchNorm())
        self.shortcut = nn.Conv2D(num_channels, 1, strides=strides) if use_1x1conv else None

    def forward(self, X):
        shortcut = self.shortcut(X) if self.shortcut else X
        return npx.relu(self.layers(X) + shortcut)


# Exercise 2. Only the convolution in the middle looks at neighbors, so only it needs padding.
class Bottleneck(nn.HybridBlock):
    def __init__(self, num_channels):
        super().__init__()
        self.reduce = nn.Conv2D(num_channels // 4, kernel_size=1)
        self.conv = nn.Conv2D(num_channels // 4, kernel_size=3, padding=1)
        self.restore = nn.Conv2D(num_channels, kernel_size=1)
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm(), nn.BatchNorm(), nn.BatchNorm()
        self.relu = nn.Activation("relu")

    def hybrid_forward(self, F, X):
        Y = self.relu(self.bn1(self.reduce(X)))
        Y = self.relu(self.bn2(self.conv(Y)))
        Y = self.bn3(self.restore(Y))
        return self.relu(Y + X)


# Exercise 3. The same layers in another order. Nothing but the plus sign lies on the way of X.
class PreActivation(nn.HybridBlock):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = nn.Conv2D(num_channels, kernel_size=3, padding=1, strides=strides)
        self.conv2 = nn.Conv2D(num_channels, kernel_size=3, padding=1)
        self.conv3 = (
            nn.Conv2D(num_channels, kernel_size=1, strides=strides) if use_1x1conv else None
        )
        self.bn1, self.bn2 = nn.BatchNorm(), nn.BatchNorm()
        self.relu = nn.Activation("relu")

    def hybrid_forward(self, F, X):
        Y = self.conv1(self.relu(self.bn1(X)))
        Y = self.conv2(self.relu(self.bn2(Y)))
        shortcut = self.conv3(X) if self.conv3 else X
        return Y + shortcut
