"""Answers to the exercises with one mistake each, with the diagnosis that each should get."""

import contextlib
import math
from collections import defaultdict
from dataclasses import replace
from functools import partial

import mxnet as mx
import numpy
from mxnet import autograd, np, npx
from mxnet.gluon import nn
from right_shortcuts import ZerosBehind

from utils import probes, train
from utils.experiments import depth_trials
from utils.families import NormalizedShortcut, network18
from utils.resnet import Residual, named, resnet18, resnet_block, stem

WRONG_EXERCISES = defaultdict(dict)
LIKE = depth_trials([14], [0, 1, 2], families=["plain"])  # the trials of `experiment`


def diagnosed_as(diagnosis, check):
    """Add a wrong version to the gallery of a check."""

    def enter(version):
        WRONG_EXERCISES[check][version] = diagnosis
        return version

    return enter


# negative(image)


@diagnosed_as("nothing changed", "negative")
def the_image_itself(image):
    return image


@diagnosed_as("256 taken for white", "negative")
def from_256(image):
    return 256 - image


@diagnosed_as("256 taken for white", "negative")
def with_a_minus_sign(image):
    return -image


@diagnosed_as("the wrong way round", "negative")
def minus_255(image):
    return image - 255


@diagnosed_as("the wrong way round", "negative")
def minus_255_as_numbers(image):
    return image.astype("float32") - 255


@diagnosed_as("wrong numbers", "negative")
def black_and_white_only(image):
    return numpy.where(image > 127, 0, 255)


@diagnosed_as("returns something else", "negative")
def the_darkest_pixel(image):
    return 255 - image.max()


@diagnosed_as("the image itself changed", "negative")
def in_place(image):
    image[:] = 255 - image
    return image


# average_image(images, labels, label)


@diagnosed_as("all classes averaged", "average_image")
def of_all_classes(images, labels, label):
    return images.mean(axis=0)


@diagnosed_as("a sum", "average_image")
def sum_of_the_class(images, labels, label):
    return images[labels == label].sum(axis=0)


@diagnosed_as("one image only", "average_image")
def first_of_the_class(images, labels, label):
    return images[labels == label][0]


@diagnosed_as("returns something else", "average_image")
def one_number_for_each_image(images, labels, label):
    return images[labels == label].mean(axis=(1, 2))


@diagnosed_as("returns something else", "average_image")
def one_number_for_all(images, labels, label):
    return images[labels == label].mean()


@diagnosed_as("wrong numbers", "average_image")
def average_of_another_class(images, labels, label):
    return images[labels != label].mean(axis=0)


# difference_counts(first, second)


def spread(runs):
    return numpy.std(runs, ddof=1)


def gap(first, second):
    return numpy.mean(second) - numpy.mean(first)


@diagnosed_as("direction taken for size", "difference_counts")
def only_if_the_second_is_higher(first, second):
    return gap(first, second) > 2 * max(spread(first), spread(second))


@diagnosed_as("direction taken for size", "difference_counts")
def only_if_the_second_is_lower(first, second):
    return gap(second, first) > 2 * max(spread(first), spread(second))


@diagnosed_as("once the spread is not enough", "difference_counts")
def once_the_spread(first, second):
    return abs(gap(first, second)) > max(spread(first), spread(second))


@diagnosed_as("spread of the first alone", "difference_counts")
def first_spread(first, second):
    return abs(gap(first, second)) > 2 * spread(first)


@diagnosed_as("spread of the second alone", "difference_counts")
def second_spread(first, second):
    return abs(gap(first, second)) > 2 * spread(second)


@diagnosed_as("returns something else", "difference_counts")
def the_difference(first, second):
    return gap(first, second)


# layers_to_grow(factor, growth)


@diagnosed_as("growth divided by the factor", "layers_to_grow")
def divided(factor, growth):
    return growth / factor


@diagnosed_as("only one logarithm taken", "layers_to_grow")
def logarithm(factor, growth):
    return math.log(growth)


@diagnosed_as("growth alone expected", "layers_to_grow")
def counted_upward(factor, growth):
    layers, size = 0, 1.0
    while size < growth:
        layers, size = layers + 1, size * factor
    return layers


@diagnosed_as("wrong result", "layers_to_grow")
def tenths(factor, growth):
    return -math.log10(growth)


# receptive_field(layers)


@diagnosed_as("kernels added up", "receptive_field")
def kernels_added_up(layers):
    return sum(kernel for kernel, _ in layers)


@diagnosed_as("starts with no pixel", "receptive_field")
def from_zero(layers):
    pixels, step = 0, 1
    for kernel, stride in layers:
        pixels += (kernel - 1) * step
        step *= stride
    return pixels


@diagnosed_as("wrong result", "receptive_field")
def kernels_of_3(layers):
    pixels, step = 1, 1
    for _, stride in layers:
        pixels += 2 * step
        step *= stride
    return pixels


@diagnosed_as("strides forgotten", "receptive_field")
def strides_forgotten(layers):
    return 1 + sum(kernel - 1 for kernel, _ in layers)


@diagnosed_as("only the last stride counted", "receptive_field")
def last_stride(layers):
    pixels, before = 1, 1
    for kernel, stride in layers:
        pixels += (kernel - 1) * before
        before = stride
    return pixels


@diagnosed_as("a layer's own stride counted for itself", "receptive_field")
def own_stride(layers):
    pixels, step = 1, 1
    for kernel, stride in layers:
        step *= stride
        pixels += (kernel - 1) * step
    return pixels


# stage_macs(channels_in, channels, pixels)


def half(pixels):
    return (pixels + 1) // 2


def macs(channels_in, channels, positions, others=3, shortcut=1):
    weights = 9 * channels_in * channels + others * 9 * channels**2
    return positions * (weights + shortcut * channels_in * channels)


@diagnosed_as("1x1 convolution forgotten", "stage_macs")
def without_the_shortcut(channels_in, channels, pixels):
    return macs(channels_in, channels, half(pixels) ** 2, shortcut=0)


@diagnosed_as("one block only", "stage_macs")
def one_block(channels_in, channels, pixels):
    return macs(channels_in, channels, half(pixels) ** 2, others=1)


@diagnosed_as("channels of the second block", "stage_macs")
def twice_the_first_block(channels_in, channels, pixels):
    weights = 18 * (channels_in + channels) * channels + channels_in * channels
    return half(pixels) ** 2 * weights


@diagnosed_as("channels of the first convolution", "stage_macs")
def all_convolutions_alike(channels_in, channels, pixels):
    return (36 * channels**2 + channels_in * channels) * half(pixels) ** 2


@diagnosed_as("positions of the input", "stage_macs")
def at_full_size(channels_in, channels, pixels):
    return macs(channels_in, channels, pixels**2)


@diagnosed_as("positions forgotten", "stage_macs")
def weights_alone(channels_in, channels, pixels):
    return macs(channels_in, channels, 1)


@diagnosed_as("positions of one row", "stage_macs")
def one_row(channels_in, channels, pixels):
    return macs(channels_in, channels, half(pixels))


@diagnosed_as("half rounded down", "stage_macs")
def rounded_down(channels_in, channels, pixels):
    return macs(channels_in, channels, (pixels // 2) ** 2)


@diagnosed_as("one position too many", "stage_macs")
def one_too_many(channels_in, channels, pixels):
    return macs(channels_in, channels, (pixels // 2 + 1) ** 2)


@diagnosed_as("biases counted", "stage_macs")
def with_biases(channels_in, channels, pixels):
    positions = half(pixels) ** 2
    return macs(channels_in, channels, positions) + 5 * channels * positions


@diagnosed_as("additions counted on their own", "stage_macs")
def operations(channels_in, channels, pixels):
    return 2 * macs(channels_in, channels, half(pixels) ** 2)


@diagnosed_as("wrong result", "stage_macs")
def one_too_many_in_all(channels_in, channels, pixels):
    return macs(channels_in, channels, half(pixels) ** 2) + 1


# bottleneck_macs(channels, pixels)


def bottleneck_of(channels, positions, ends=2, inside=4):
    narrow = channels // inside
    return positions * (ends * channels * channels // 4 + 9 * narrow**2)


@diagnosed_as("positions forgotten", "bottleneck_macs")
def weights_of_a_bottleneck(channels, pixels):
    return bottleneck_of(channels, 1)


@diagnosed_as("positions of one row", "bottleneck_macs")
def one_row_of_a_bottleneck(channels, pixels):
    return bottleneck_of(channels, pixels)


@diagnosed_as("wrong result", "bottleneck_macs")
def the_middle_alone(channels, pixels):
    return bottleneck_of(channels, pixels**2, ends=0)


@diagnosed_as("one 1x1 convolution only", "bottleneck_macs")
def never_restored(channels, pixels):
    return bottleneck_of(channels, pixels**2, ends=1)


@diagnosed_as("3x3 convolution on all channels", "bottleneck_macs")
def wide_in_the_middle(channels, pixels):
    return bottleneck_of(channels, pixels**2, inside=1)


@diagnosed_as("a basic block", "bottleneck_macs")
def of_a_basic_block(channels, pixels):
    return 18 * channels**2 * pixels**2


@diagnosed_as("additions counted on their own", "bottleneck_macs")
def operations_of_a_bottleneck(channels, pixels):
    return 2 * bottleneck_of(channels, pixels**2)


# resnet18_parameters(channels, classes)


@diagnosed_as("channels of the image not counted", "resnet18_parameters")
def gray_only(channels, classes):
    return 11_173_248 + 513 * classes


@diagnosed_as("classes not counted", "resnet18_parameters")
def ten_classes_only(channels, classes):
    return 11_175_242 + 3136 * channels


@diagnosed_as("bias of the dense layer forgotten", "resnet18_parameters")
def ten_biases(channels, classes):
    return 11_170_122 + 3136 * channels + 512 * classes


@diagnosed_as("returns something else", "resnet18_parameters")
def as_text(channels, classes):
    return f"{11_170_112 + 3136 * channels + 513 * classes:,}"


# experiment(function, like): the warm-up is to become 0


def changed(trials, **settings):
    return [replace(trial, recipe=replace(trial.recipe, **settings)) for trial in trials]


@diagnosed_as("change not made", "experiment")
def unchanged(trials):
    return trials


@diagnosed_as("something else changed, too", "experiment")
def rate_as_well(trials):
    return changed(trials, warm_up=0.0, learning_rate=0.05)


@diagnosed_as("another network", "experiment")
def residual_ones(trials):
    others = depth_trials([14], [0, 1, 2], families=["residual"])
    return changed(others, warm_up=0.0)


@diagnosed_as("another number of images", "experiment")
def on_few_images(trials):
    return [replace(trial, images=100) for trial in changed(trials, warm_up=0.0)]


@diagnosed_as("seeds left out", "experiment")
def one_seed(trials):
    return changed(trials[:1], warm_up=0.0)


@diagnosed_as("a seed used twice", "experiment")
def the_same_seed(trials):
    return [replace(trial, seed=0) for trial in changed(trials, warm_up=0.0)]


@diagnosed_as("other seeds", "experiment")
def seeds_from_10(trials):
    return [replace(trial, seed=trial.seed + 10) for trial in changed(trials, warm_up=0.0)]


@diagnosed_as("no trials", "experiment")
def recipes_alone(trials):
    return [replace(trial.recipe, warm_up=0.0) for trial in trials]


# set_identity(block)


def set_kernels(block, *, row=1, column=1, gamma=(1 + 1e-5) ** 0.5, mixed=False, count=None):
    for convolution, norm in ((block.conv1, block.bn1), (block.conv2, block.bn2)):
        channels = count or convolution.weight.shape[0]
        weight = numpy.zeros(convolution.weight.shape)  # MXNet crashes where numpy refuses an index
        if mixed:
            weight[:, :, row, column] = 1
        else:
            weight[range(channels), range(channels), row, column] = 1
        convolution.weight.set_data(np.array(weight))
        norm.gamma.set_data(np.ones(norm.gamma.shape) * gamma)


@diagnosed_as("epsilon of the normalizations left", "identity")
def epsilon_left(block):
    set_kernels(block, gamma=1)


@diagnosed_as("something else comes out", "identity")
def nearly_one(block):
    set_kernels(block, gamma=1 + 2e-5)


@diagnosed_as("channels mixed", "identity")
def every_channel_from_all(block):
    set_kernels(block, mixed=True)


@diagnosed_as("maps shifted", "identity")
def left_column(block):
    set_kernels(block, column=0)


@diagnosed_as("maps shifted", "identity")
def upper_row(block):
    set_kernels(block, row=0)


@diagnosed_as("nothing passes", "identity")
def all_zero(block):
    for convolution in (block.conv1, block.conv2):
        convolution.weight.set_data(np.zeros(convolution.weight.shape))


@diagnosed_as("something else comes out", "identity")
def second_convolution_as_drawn(block):
    second = block.conv2.weight.data().copy()
    set_kernels(block)
    block.conv2.weight.set_data(second)


@diagnosed_as("one number of channels only", "identity")
def eight_channels(block):
    set_kernels(block, count=8)


@diagnosed_as("another function", "identity")
def forward_replaced(block):
    block.forward = lambda X: X


# scale_residual(block, factor)


def scale(factor, *parameters):
    for parameter in parameters:
        parameter.set_data(factor * parameter.data())


@diagnosed_as("nothing changed", "scaled_residual")
def only_read(block, factor):
    return factor * block.bn2.gamma.data()


@diagnosed_as("shift not scaled", "scaled_residual")
def gamma_alone(block, factor):
    scale(factor, block.bn2.gamma)


@diagnosed_as("shift alone scaled", "scaled_residual")
def beta_alone(block, factor):
    scale(factor, block.bn2.beta)


@diagnosed_as("residual changed in another way", "scaled_residual")
def shift_halved_twice(block, factor):
    scale(factor, block.bn2.gamma)
    scale(factor**2, block.bn2.beta)


@diagnosed_as("residual changed in another way", "scaled_residual")
def shift_lowered(block, factor):
    block.bn2.beta.set_data(block.bn2.beta.data() - 1)


@diagnosed_as("scaled in inference mode only", "scaled_residual")
def running_variance_scaled(block, factor):
    variance = block.bn2.running_var
    variance.set_data((variance.data() + 1e-5) / factor**2 - 1e-5)
    scale(factor, block.bn2.beta)


@diagnosed_as("residual changed in another way", "scaled_residual")
def convolution_scaled(block, factor):
    scale(factor, block.conv1.weight)


@diagnosed_as("1x1 convolution changed", "scaled_residual")
def shortcut_as_well(block, factor):
    scale(factor, block.bn2.gamma, block.bn2.beta)
    if block.conv3:
        scale(factor, block.conv3.weight, block.conv3.bias)


class Halved(Residual):
    def hybrid_forward(self, F, X):
        return super().hybrid_forward(F, X) / 2


@diagnosed_as("shortcut scaled, too", "scaled_residual")
def whole_output_scaled(block, factor):
    block.__class__ = Halved


# accuracy_without(net, names, split, device)


def accuracy(net, split):
    return train.evaluate(net, split, mx.cpu())[1]


@diagnosed_as("no block removed", "accuracy_without")
def nothing_removed(net, names, split, device):
    return accuracy(net, split)


@contextlib.contextmanager
def all_removed(net, names):
    blocks = [probes.blocks(net)[name] for name in names]
    for block in blocks:
        block.forward = partial(probes.around, block)
    yield
    for block in blocks:
        del block.forward


@diagnosed_as("only the last block removed", "accuracy_without")
def one_after_the_other(net, names, split, device):
    found = accuracy(net, split)
    for name in names:
        with all_removed(net, [name]):
            found = accuracy(net, split)
    return found


@diagnosed_as("only the first block removed", "accuracy_without")
def first_name_alone(net, names, split, device):
    return one_after_the_other(net, names[:1], split, device)


@diagnosed_as("raises an error", "accuracy_without")
def needs_a_name(net, names, split, device):
    first, *rest = names
    with all_removed(net, [first, *rest]):
        return accuracy(net, split)


@diagnosed_as("blocks not put back", "accuracy_without")
def removed_for_good(net, names, split, device):
    for name in names:
        block = probes.blocks(net)[name]
        block.forward = partial(probes.around, block)
    return accuracy(net, split)


@diagnosed_as("blocks not put back", "accuracy_without")
def parameters_left_at_zero(net, names, split, device):
    for name in names:
        last = probes.blocks(net)[name].bn2
        for parameter in (last.gamma, last.beta):
            parameter.set_data(np.zeros(parameter.shape))
    return accuracy(net, split)


@diagnosed_as("wrong accuracy", "accuracy_without")
def mean_of_the_single_ones(net, names, split, device):
    singles = [one_after_the_other(net, [name], split, device) for name in names]
    return sum(singles) / len(singles) if singles else accuracy(net, split)


never_reset = mx.metric.Accuracy()


@diagnosed_as("result depends on earlier calls", "accuracy_without")
def metric_never_reset(net, names, split, device):
    with all_removed(net, names):
        scores = train.predict(net, split, device)
    never_reset.update(np.array(split.labels), np.array(scores.argmax(axis=1)))
    return never_reset.get()[1]


known = {}


@diagnosed_as("the same result in every call", "accuracy_without")
def looked_up_by_name(net, names, split, device):
    key = tuple(names)
    if key not in known:
        with all_removed(net, names):
            known[key] = accuracy(net, split)
    return known[key]


@diagnosed_as("wrong accuracy", "accuracy_without")
def of_bytes(net, names, split, device):
    with all_removed(net, names):
        scores = net(np.array(split.images[:, None], dtype="float32"))
    return (scores.asnumpy().argmax(axis=1) == split.labels).mean()


@diagnosed_as("no accuracy", "accuracy_without")
def forgets_to_return(net, names, split, device):
    one_after_the_other(net, names, split, device)


# watch(net, layers, X)


def hooked(net, layers, X, keep, detach=True):
    """Return what `keep` notes of each layer: a value for (name, inputs, output)."""
    seen, hooks = {}, []
    for name, layer in layers.items():

        def note(layer, inputs, output, name=name):
            seen[name] = keep(inputs, output)

        hooks.append(layer.register_forward_hook(note))
    net(X)
    for hook in hooks if detach else ():
        hook.detach()
    return seen


@diagnosed_as("hooks left behind", "watch")
def never_detached(net, layers, X):
    return hooked(net, layers, X, lambda inputs, output: (inputs[0], output), detach=False)


@diagnosed_as("input and output exchanged", "watch")
def output_first(net, layers, X):
    return hooked(net, layers, X, lambda inputs, output: (output, inputs[0]))


@diagnosed_as("no pairs of arrays", "watch")
def shapes_alone(net, layers, X):
    return hooked(net, layers, X, lambda inputs, output: output.shape)


@diagnosed_as("no pairs of arrays", "watch")
def tuple_of_inputs(net, layers, X):
    return hooked(net, layers, X, lambda inputs, output: (inputs, output))


@diagnosed_as("other arrays", "watch")
def output_twice(net, layers, X):
    return hooked(net, layers, X, lambda inputs, output: (output, output))


@diagnosed_as("no pairs of arrays", "watch")
def by_layer(net, layers, X):
    seen = hooked(net, layers, X, lambda inputs, output: (inputs[0], output))
    return {layer: seen[name] for name, layer in layers.items()}


@diagnosed_as("no pairs of arrays", "watch")
def nothing_returned(net, layers, X):
    hooked(net, layers, X, lambda inputs, output: (inputs[0], output))


@diagnosed_as("one layer under every name", "watch")
def last_layer_everywhere(net, layers, X):
    seen = hooked(net, layers, X, lambda inputs, output: (inputs[0], output))
    return dict.fromkeys(layers, list(seen.values())[-1])


# class_activation(maps, weights)


@diagnosed_as("channels not weighted", "class_activation")
def sum_of_the_maps(maps, weights):
    return maps.sum(axis=1)


@diagnosed_as("channels not added up", "class_activation")
def products(maps, weights):
    return maps * weights.reshape(-1, 1, 1)


@diagnosed_as("a mean of the channels", "class_activation")
def mean_of_products(maps, weights):
    return products(maps, weights).mean(axis=1)


@diagnosed_as("a score instead of a map", "class_activation")
def score(maps, weights):
    return np.dot(maps.mean(axis=(2, 3)), weights)


@diagnosed_as("another map", "class_activation")
def positive_part(maps, weights):
    return npx.relu(products(maps, weights).sum(axis=1))


# StartsAsIdentity(num_channels, use_1x1conv, strides)


WRONG_EXERCISES["starts_as_identity"][Residual] = "not the identity at the start"


@diagnosed_as("cannot leave the start", "starts_as_identity")
class TwoZerosInARow(Residual):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv2 = nn.Conv2D(num_channels, 3, padding=1, weight_initializer="zeros")
        self.bn2 = nn.BatchNorm(gamma_initializer="zeros")


@diagnosed_as("cannot leave the start", "starts_as_identity")
class FirstScaleZero(Residual):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.bn1 = nn.BatchNorm(gamma_initializer="zeros")


@diagnosed_as("cannot leave the start", "starts_as_identity")
class FirstConvolutionZero(Residual):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv1 = nn.Conv2D(num_channels, 3, strides, padding=1, weight_initializer="zeros")


@diagnosed_as("x does not reach the sum", "starts_as_identity")
class StartsWithoutShortcut(Residual):
    def hybrid_forward(self, F, X):
        Y = self.relu(self.bn1(self.conv1(X)))
        return self.relu(self.bn2(self.conv2(Y)))


# Bottleneck(num_channels)


class Narrow(nn.Block):
    """A right bottleneck, to be spoiled."""

    inside = 4  # the channels are divided by

    def __init__(self, num_channels):
        super().__init__()
        narrow = num_channels // self.inside
        layers = {
            "first": nn.Conv2D(narrow, 1),
            "second": nn.Conv2D(narrow, 3, padding=1),
            "third": nn.Conv2D(num_channels, 1),
            **{f"norm{place}": nn.BatchNorm() for place in (1, 2, 3)},
            **{f"relu{place}": nn.Activation("relu") for place in (1, 2, 3)},
        }
        for name, layer in {**layers, **self.others(num_channels)}.items():
            setattr(self, name, layer)

    def others(self, num_channels):
        """Return layers that stand in place of the right ones."""
        return {}

    def layers(self, X):
        Y = self.relu1(self.norm1(self.first(X)))
        Y = self.relu2(self.norm2(self.second(Y)))
        return self.norm3(self.third(Y))

    def forward(self, X):
        return self.relu3(self.layers(X) + X)


def nothing():
    return nn.HybridLambda(lambda F, X: X)


@diagnosed_as("channels not reduced", "bottleneck")
class AsWideInside(Narrow):
    inside = 1


@diagnosed_as("channels reduced to another number", "bottleneck")
class HalfInside(Narrow):
    inside = 2


@diagnosed_as("another number of convolutions", "bottleneck")
class TwoConvolutions(Narrow):
    def others(self, num_channels):
        return {"first": nothing(), "norm1": nothing(), "relu1": nothing()}


@diagnosed_as("other kernel sizes", "bottleneck")
class ThreeOf3x3(Narrow):
    def others(self, num_channels):
        narrow = num_channels // 4
        return {
            "first": nn.Conv2D(narrow, 3, padding=1),
            "third": nn.Conv2D(num_channels, 3, padding=1),
        }


@diagnosed_as("3x3 convolution not in the middle", "bottleneck")
class Wide3x3First(Narrow):
    def others(self, num_channels):
        return {
            "first": nn.Conv2D(num_channels // 4, 3, padding=1),
            "second": nn.Conv2D(num_channels // 4, 1),
        }


@diagnosed_as("channels reduced to another number", "bottleneck")
class WideMiddle(Narrow):
    def others(self, num_channels):
        return {"first": nn.Conv2D(num_channels // 2, 1)}


@diagnosed_as("wrong output shape", "bottleneck")
class NotRestored(Narrow):
    def others(self, num_channels):
        return {"third": nn.Conv2D(num_channels // 4, 1)}

    def forward(self, X):
        return self.relu3(self.layers(X) + X[:, :2])


@diagnosed_as("wrong output shape", "bottleneck")
class TwoImagesOnly(Narrow):
    def forward(self, X):
        return super().forward(X) + np.zeros((2, *X.shape[1:]))


@diagnosed_as("wrong output shape", "bottleneck")
class TurnsWideImages(Narrow):
    def forward(self, X):
        Y = super().forward(X)
        return Y if X.shape[2] == X.shape[3] else Y.transpose(0, 1, 3, 2)


@diagnosed_as("no shortcut", "bottleneck")
class NarrowWithoutShortcut(Narrow):
    def forward(self, X):
        return self.relu3(self.layers(X))


@diagnosed_as("shortcut changes x", "bottleneck")
class NarrowShortcutTwice(Narrow):
    def forward(self, X):
        return self.relu3(self.layers(X) + 2 * X)


@diagnosed_as("no ReLU at the end", "bottleneck")
class NarrowWithoutLastReLU(Narrow):
    def others(self, num_channels):
        return {"relu3": nothing()}


@diagnosed_as("no ReLU after the first convolution", "bottleneck")
class NarrowWithoutFirstReLU(Narrow):
    def others(self, num_channels):
        return {"relu1": nothing()}


@diagnosed_as("no ReLU after the second convolution", "bottleneck")
class NarrowWithoutSecondReLU(Narrow):
    def others(self, num_channels):
        return {"relu2": nothing()}


@diagnosed_as("normalization missing after the first convolution", "bottleneck")
class NarrowWithoutFirstNorm(Narrow):
    def others(self, num_channels):
        return {"norm1": nothing()}


@diagnosed_as("normalization missing after the second convolution", "bottleneck")
class NarrowWithoutSecondNorm(Narrow):
    def others(self, num_channels):
        return {"norm2": nothing()}


@diagnosed_as("normalization missing after the third convolution", "bottleneck")
class NarrowWithoutThirdNorm(Narrow):
    def others(self, num_channels):
        return {"norm3": nothing()}


@diagnosed_as("layer without effect", "bottleneck")
class NarrowLayersDropped(Narrow):
    def forward(self, X):
        self.layers(X)
        return self.relu3(X)


@diagnosed_as("normalization or bias made but not used", "bottleneck")
class NarrowWithAnIdleNormalization(Narrow):
    def others(self, num_channels):
        return {"norm4": nn.BatchNorm()}


@diagnosed_as("one normalization in both places", "bottleneck")
class NarrowSharedNormalization(Narrow):
    def others(self, num_channels):
        shared = nn.BatchNorm()
        return {"norm1": shared, "norm2": shared}


@diagnosed_as("input changed in place", "bottleneck")
class NarrowWritesIntoX(Narrow):
    def forward(self, X):
        Y = super().forward(X)
        if not autograd.is_recording():
            X[:] = npx.relu(X)
        return Y


@diagnosed_as("random output", "bottleneck")
class NarrowWithDropout(Narrow):
    def others(self, num_channels):
        return {"dropout": nn.Dropout(0.1)}

    def layers(self, X):
        return self.dropout(super().layers(X))


@diagnosed_as("running statistics in training mode", "bottleneck")
class NarrowInInferenceMode(Narrow):
    def others(self, num_channels):
        return {f"norm{place}": nn.BatchNorm(use_global_stats=True) for place in (1, 2, 3)}


@diagnosed_as("batch statistics in inference mode", "bottleneck")
class NarrowInTrainingMode(Narrow):
    def layers(self, X):
        with autograd.train_mode():
            return super().layers(X)


@diagnosed_as("batch statistics in inference mode", "bottleneck")
class LastNormInTrainingMode(Narrow):
    def others(self, num_channels):
        return {"third": nn.Conv2D(num_channels, 1, use_bias=False)}

    def layers(self, X):
        Y = self.relu1(self.norm1(self.first(X)))
        Y = self.third(self.relu2(self.norm2(self.second(Y))))
        with autograd.train_mode():
            return self.norm3(Y)


@diagnosed_as("no gradient passes", "bottleneck")
class NarrowShortcutDetached(Narrow):
    def forward(self, X):
        return self.relu3(self.layers(X) + X.detach())


@diagnosed_as("running averages never updated", "bottleneck")
class NarrowAveragesNeverUpdated(Narrow):
    def others(self, num_channels):
        return {"norm2": nn.BatchNorm(momentum=1)}


# A block with a free shortcut, Residual(num_channels, strides=1)

WRONG_EXERCISES["free_shortcut"][None] = "not a class or function"
WRONG_EXERCISES["free_shortcut"][Residual] = "shortcut cannot be added"


@diagnosed_as("weights on the shortcut", "free_shortcut")
class ShortcutWith1x1(ZerosBehind):
    def __init__(self, num_channels, strides=1):
        super().__init__(num_channels, strides)
        self.narrow = nn.Conv2D(num_channels, 1, strides)

    def shortcut(self, X, channels):
        return self.narrow(X) if self.conv1.weight.shape[1] < channels else self.pool(X)


@diagnosed_as("other convolutions", "free_shortcut")
class WideSecondConvolution(ZerosBehind):
    def __init__(self, num_channels, strides=1):
        super().__init__(num_channels, strides)
        self.conv2 = nn.Conv2D(num_channels, 5, padding=2)


@diagnosed_as("other convolutions", "free_shortcut")
class SecondConvolutionInGroups(ZerosBehind):
    def __init__(self, num_channels, strides=1):
        super().__init__(num_channels, strides)
        self.conv2 = nn.Conv2D(num_channels, 3, padding=1, groups=2)


@diagnosed_as("wrong output shape", "free_shortcut")
class HalvesRoundedDown(ZerosBehind):
    def __init__(self, num_channels, strides=1):
        super().__init__(num_channels, strides)
        self.conv1 = nn.Conv2D(num_channels, 2 + strides % 2, strides, strides % 2)

    def pooled(self, X):
        return nn.MaxPool2D(self.strides, self.strides)(X)


@diagnosed_as("no shortcut", "free_shortcut")
class NothingAdded(ZerosBehind):
    def forward(self, X):
        return npx.relu(self.layers(X))


@diagnosed_as("new channels are not zero", "free_shortcut")
class ChannelsRepeated(ZerosBehind):
    def shortcut(self, X, channels):
        pooled = self.pooled(X)
        return np.concatenate([pooled, pooled], axis=1)[:, :channels]


@diagnosed_as("shortcut changes x", "free_shortcut")
class ZerosInFront(ZerosBehind):
    def shortcut(self, X, channels):
        return super().shortcut(X, channels)[:, ::-1]


@diagnosed_as("pixels skipped, not pooled", "free_shortcut")
class PixelsSkipped(ZerosBehind):
    def pooled(self, X):
        return X[:, :, :: self.strides, :: self.strides]


@diagnosed_as("mean in place of the maximum", "free_shortcut")
class MeanTaken(ZerosBehind):
    def pooled(self, X):
        return nn.AvgPool2D(self.strides, self.strides, ceil_mode=True)(X)


@diagnosed_as("no ReLU at the end", "free_shortcut")
class NoReLUAfterTheShortcut(ZerosBehind):
    def forward(self, X):
        Y = self.layers(X)
        return Y + self.shortcut(X, Y.shape[1])


@diagnosed_as("no ReLU between the convolutions", "free_shortcut")
class FreeWithoutReLUBetween(ZerosBehind):
    def layers(self, X):
        return self.bn2(self.conv2(self.bn1(self.conv1(X))))


@diagnosed_as("stride on the second convolution", "free_shortcut")
class StrideInTheSecond(ZerosBehind):
    def __init__(self, num_channels, strides=1):
        super().__init__(num_channels, strides)
        self.conv1 = nn.Conv2D(num_channels, 3, padding=1)
        self.conv2 = nn.Conv2D(num_channels, 3, strides, 1)


@diagnosed_as("normalization after the ReLU", "free_shortcut")
class FreeNormAfterReLU(ZerosBehind):
    def layers(self, X):
        return self.bn2(self.conv2(self.bn1(npx.relu(self.conv1(X)))))


@diagnosed_as("second normalization missing", "free_shortcut")
class FreeWithoutSecondNorm(ZerosBehind):
    def layers(self, X):
        return self.conv2(npx.relu(self.bn1(self.conv1(X))))


@diagnosed_as("normalization or bias made but not used", "free_shortcut")
class FreeWithOneNorm(ZerosBehind):
    def layers(self, X):
        return self.bn1(self.conv2(npx.relu(self.bn1(self.conv1(X)))))


# PreActivation(num_channels, use_1x1conv=False, strides=1)


class Before(Residual):
    """A right pre-activated block, to be spoiled."""

    def layers(self, X):
        Y = self.conv1(self.relu(self.bn1(X)))
        return self.conv2(self.relu(self.bn2(Y)))

    def shortcut(self, X):
        return self.conv3(X) if self.conv3 else X

    def forward(self, X):
        return self.layers(X) + self.shortcut(X)


WRONG_EXERCISES["preactivation"][Residual] = "ReLU after the sum"


@diagnosed_as("ReLU after the sum", "preactivation")
class ReLUAtTheEnd(Before):
    def forward(self, X):
        return self.relu(super().forward(X))


@diagnosed_as("no shortcut", "preactivation")
class BeforeWithoutShortcut(Before):
    def forward(self, X):
        return self.layers(X) + (self.conv3(X) if self.conv3 else 0)


@diagnosed_as("shortcut changes x", "preactivation")
class ShortcutDoubled(Before):
    def forward(self, X):
        return self.layers(X) + 2 * self.shortcut(X)


@diagnosed_as("no ReLU before the first convolution", "preactivation")
class NoFirstReLU(Before):
    def layers(self, X):
        return self.conv2(self.relu(self.bn2(self.conv1(self.bn1(X)))))


@diagnosed_as("no ReLU before the second convolution", "preactivation")
class NoSecondReLU(Before):
    def layers(self, X):
        return self.conv2(self.bn2(self.conv1(self.relu(self.bn1(X)))))


@diagnosed_as("no normalization before the first convolution", "preactivation")
class NoFirstNorm(Before):
    def layers(self, X):
        return self.conv2(self.relu(self.bn2(self.conv1(self.relu(X)))))


@diagnosed_as("no normalization before the first convolution", "preactivation")
class FirstNormAtTheEnd(Before):
    def layers(self, X):
        return self.bn1(self.conv2(self.relu(self.bn2(self.conv1(self.relu(X))))))


@diagnosed_as("no normalization before the second convolution", "preactivation")
class NoSecondNorm(Before):
    def layers(self, X):
        return self.conv2(self.relu(self.conv1(self.relu(self.bn1(X)))))


@diagnosed_as("weights shared between the convolutions", "preactivation")
class OneConvolution(Before):
    def layers(self, X):
        Y = self.conv1(self.relu(self.bn1(X)))
        return self.conv2(self.relu(self.bn2(Y))) if self.conv3 else self.conv1(self.relu(Y))


@diagnosed_as("another kernel size", "preactivation")
class Kernel5(Before):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.conv2 = nn.Conv2D(num_channels, 5, padding=2)


@diagnosed_as("square inputs only", "preactivation")
class SquareOnly(Before):
    def shortcut(self, X):
        return super().shortcut(X.reshape(X.shape[0], X.shape[1], X.shape[2], X.shape[2]))


@diagnosed_as("layer without effect", "preactivation")
class BeforeWithLayersDropped(Before):
    def forward(self, X):
        self.layers(X)
        return self.shortcut(X)


@diagnosed_as("one normalization in both places", "preactivation")
class BeforeWithOneNormalization(Before):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        if not use_1x1conv:
            self.bn2 = self.bn1


@diagnosed_as("input changed in place", "preactivation")
class BeforeWritesIntoX(Before):
    def forward(self, X):
        Y = super().forward(X)
        if not autograd.is_recording():
            X[:] = npx.relu(X)
        return Y


@diagnosed_as("random output", "preactivation")
class BeforeWithDropoutOnThe1x1(Before):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.dropout = nn.Dropout(0.1)

    def shortcut(self, X):
        return self.dropout(self.conv3(X)) if self.conv3 else X


@diagnosed_as("batch statistics in inference mode", "preactivation")
class BeforeInTrainingMode(Before):
    def layers(self, X):
        with autograd.train_mode():
            return super().layers(X)


@diagnosed_as("no gradient passes", "preactivation")
class BeforeShortcutDetached(Before):
    def shortcut(self, X):
        return super().shortcut(X.detach())


@diagnosed_as("running averages never updated", "preactivation")
class BeforeAveragesNeverUpdated(Before):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        self.bn2 = nn.BatchNorm(momentum=1)


# The model zoo's ResNet-18, and ResNet-34

WRONG_EXERCISES["zoo_resnet18"][resnet18] = "still the network of this course"


@diagnosed_as("biases left in the convolutions", "zoo_resnet18")
def biases_left():
    return network18(NormalizedShortcut)


def hold(net, pattern):
    for parameter in net.collect_params(pattern).values():
        parameter.grad_req = "null"
    return net


@diagnosed_as("no normalization on the shortcuts", "zoo_resnet18")
def without_shortcut_norms():
    return hold(resnet18(), ".*conv.*bias")


@diagnosed_as("bias left in the stem", "zoo_resnet18")
def stem_with_bias():
    net = network18(NormalizedShortcut)
    for stage in (net.stage1, net.stage2, net.stage3, net.stage4):
        hold(stage, ".*conv.*bias")
    return net


@diagnosed_as("biases left in the blocks", "zoo_resnet18")
def blocks_with_biases():
    net = network18(NormalizedShortcut)
    hold(net.stem, ".*conv.*bias")
    return net


class NormalizedSum(NormalizedShortcut):
    def hybrid_forward(self, F, X):
        Y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(X)))))
        return self.relu(self.bn3(Y + self.conv3(X)) if self.bn3 and self.conv3 else Y + X)


@diagnosed_as("shortcuts not normalized", "zoo_resnet18")
def normalized_behind_the_sum():
    return hold(network18(NormalizedSum), ".*conv.*bias")


def deeper(*blocks):
    return named(
        stem=stem(),
        stage1=resnet_block(64, blocks[0], first_block=True),
        **{
            f"stage{i}": resnet_block(64 * 2 ** (i - 1), count)
            for i, count in enumerate(blocks[1:], start=2)
        },
        pool=nn.GlobalAvgPool2D(),
        dense=nn.Dense(10),
    )


@diagnosed_as("another number of blocks", "resnet34")
def still_18():
    return resnet18()


@diagnosed_as("other weights", "resnet34")
def stages_3_4_3_6():
    return deeper(3, 4, 3, 6)
