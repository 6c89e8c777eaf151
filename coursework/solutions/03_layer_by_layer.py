"""Solutions of the exercises in notebook 03. There are others; the checks accept them, too."""

from mxnet.gluon import nn

from utils.resnet import Residual

# Exercise 1. 160 pixels are halved twice in the stem and once in each stage but the first.
my_shapes_160 = {
    "stem": (1, 64, 40, 40),
    "stage1": (1, 64, 40, 40),
    "stage2": (1, 128, 20, 20),
    "stage3": (1, 256, 10, 10),
    "stage4": (1, 512, 5, 5),
    "pool": (1, 512, 1, 1),
    "dense": (1, 10),
}


# Exercise 2. `step` is the number of pixels between two neighboring numbers of a layer's input.
def receptive_field(layers):
    pixels, step = 1, 1
    for kernel, stride in layers:
        pixels += (kernel - 1) * step
        step *= stride
    return pixels


# Exercise 3. A plain `HybridSequential` has no names for its layers, but computes the same.
def my_stem():
    net = nn.HybridSequential()
    net.add(nn.Conv2D(64, kernel_size=7, strides=2, padding=3), nn.BatchNorm())
    net.add(nn.Activation("relu"), nn.MaxPool2D(pool_size=3, strides=2, padding=1))
    return net


def my_resnet_block(num_channels, num_residuals, first_block=False):
    net = nn.HybridSequential()
    for i in range(num_residuals):
        changes_shape = i == 0 and not first_block
        net.add(Residual(num_channels, changes_shape, strides=2 if changes_shape else 1))
    return net
