"""Blocks whose shortcut has no weights, in styles that are all right."""

from mxnet import np, npx
from mxnet.gluon import nn

RIGHT_SHORTCUTS = []


def right(version):
    RIGHT_SHORTCUTS.append(version)
    return version


@right
class ZerosBehind(nn.Block):
    def __init__(self, num_channels, strides=1):
        super().__init__()
        self.strides = strides
        self.conv1 = nn.Conv2D(num_channels, 3, padding=1, strides=strides)
        self.conv2 = nn.Conv2D(num_channels, 3, padding=1)
        self.bn1, self.bn2 = nn.BatchNorm(), nn.BatchNorm()
        self.pool = nn.MaxPool2D(strides, strides, ceil_mode=True)

    def layers(self, X):
        return self.bn2(self.conv2(npx.relu(self.bn1(self.conv1(X)))))

    def pooled(self, X):
        return self.pool(X)

    def shortcut(self, X, channels):
        pooled = self.pooled(X)
        count, old, height, width = pooled.shape
        if old == channels:
            return pooled
        zeros = np.zeros((count, channels - old, height, width), ctx=X.ctx)
        return np.concatenate([pooled, zeros], axis=1)

    def forward(self, X):
        Y = self.layers(X)
        return npx.relu(Y + self.shortcut(X, Y.shape[1]))


@right
class WithoutBiases(ZerosBehind):
    def __init__(self, num_channels, strides=1):
        super().__init__(num_channels, strides)
        self.conv1 = nn.Conv2D(num_channels, 3, strides, 1, use_bias=False)
        self.conv2 = nn.Conv2D(num_channels, 3, 1, 1, use_bias=False)


@right
class AddedToTheOldChannels(ZerosBehind):
    def forward(self, X):
        Y, pooled = self.layers(X), self.pool(X)
        old = X.shape[1]
        parts = [Y[:, :old] + pooled] + ([Y[:, old:]] if old < Y.shape[1] else [])
        return npx.relu(np.concatenate(parts, axis=1))


@right
class PooledByHand(ZerosBehind):
    def shortcut(self, X, channels):
        rows, columns = ([*range(0, side, self.strides)] for side in X.shape[2:])
        largest = [
            [X[:, :, r : r + self.strides, c : c + self.strides].max(axis=(2, 3)) for c in columns]
            for r in rows
        ]
        X = np.stack([np.stack(row, axis=-1) for row in largest], axis=-2)
        extra = [np.zeros_like(X[:, :1])] * (channels - X.shape[1])
        return np.concatenate([X, *extra], axis=1)


@right
class LayersInASequential(nn.Block):
    def __init__(self, num_channels, strides=1):
        super().__init__()
        self.body = nn.Sequential()
        self.body.add(nn.Conv2D(num_channels, 3, padding=1, strides=strides), nn.BatchNorm())
        self.body.add(nn.Activation("relu"))
        self.body.add(nn.Conv2D(num_channels, 3, padding=1), nn.BatchNorm())
        self.strides = (strides, strides)

    def forward(self, X):
        Y = self.body(X)
        Z = npx.pooling(
            X,
            kernel=self.strides,
            stride=self.strides,
            pool_type="max",
            pooling_convention="full",
        )
        missing = Y.shape[1] - Z.shape[1]
        return npx.relu(Y + np.pad(Z, ((0, 0), (0, missing), (0, 0), (0, 0))))


@right
class InAHybridBlock(nn.HybridBlock):
    def __init__(self, num_channels, strides=1):
        super().__init__()
        self.one = nn.Conv2D(num_channels, (3, 3), (strides, strides), (1, 1))
        self.two = nn.Conv2D(num_channels, (3, 3), padding=(1, 1))
        self.norm_one, self.norm_two = nn.BatchNorm(), nn.BatchNorm()
        self.halve = self.pool(strides) if strides > 1 else None

    def pool(self, strides):
        return nn.MaxPool2D(strides, ceil_mode=True)

    def hybrid_forward(self, F, X):
        Y = self.norm_two(self.two(F.npx.relu(self.norm_one(self.one(X)))))
        if self.halve:
            X = self.halve(X)
        if X.shape[1] < Y.shape[1]:
            X = F.np.concatenate([X, F.np.zeros_like(Y[:, X.shape[1] :])], axis=1)
        return F.npx.relu(X + Y)
