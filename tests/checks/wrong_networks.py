"""Stems, stages and networks with one mistake each, and the diagnosis that each should get."""

from d2l import mxnet as d2l
from mxnet import npx
from mxnet.gluon import nn

from utils.families import Plain
from utils.resnet import Residual, resnet_block

WRONG_STEMS, WRONG_STAGES, WRONG_NETWORKS = {}, {}, {}


def diagnosed_as(diagnosis, gallery):
    """Add a wrong version to a gallery, with its diagnosis."""

    def enter(version):
        gallery[version] = diagnosis
        return version

    return enter


def row(*layers):
    net = nn.Sequential()
    net.add(*layers)
    return net


def relu():
    return nn.Activation("relu")


def conv7(channels=64):
    return nn.Conv2D(channels, 7, strides=2, padding=3)


def pooling():
    return nn.MaxPool2D(3, strides=2, padding=1)


# Stems


@diagnosed_as("no pooling in the stem", WRONG_STEMS)
def stem_without_pooling():
    return row(conv7(), nn.BatchNorm(), relu())


@diagnosed_as("padding missing in the stem", WRONG_STEMS)
def stem_pooling_without_padding():
    return row(conv7(), nn.BatchNorm(), relu(), nn.MaxPool2D(3, strides=2))


@diagnosed_as("another number of channels in the stem", WRONG_STEMS)
def stem_with_32_channels():
    return row(conv7(32), nn.BatchNorm(), relu(), pooling())


@diagnosed_as("wrong output shape", WRONG_STEMS)
def stem_without_stride():
    return row(nn.Conv2D(64, 7, padding=3), nn.BatchNorm(), relu(), nn.MaxPool2D(3, 1, 1))


@diagnosed_as("another kernel size", WRONG_STEMS)
def stem_with_kernel_1():
    return row(nn.Conv2D(64, 1, strides=2), nn.BatchNorm(), relu(), pooling())


@diagnosed_as("another kernel size", WRONG_STEMS)
def stem_with_kernel_5():
    return row(nn.Conv2D(64, 5, strides=2, padding=2), nn.BatchNorm(), relu(), pooling())


@diagnosed_as("another kernel size", WRONG_STEMS)
def stem_with_kernel_3_and_pooling_5():
    conv, pool = nn.Conv2D(64, 3, strides=2, padding=1), nn.MaxPool2D(5, strides=2, padding=2)
    return row(conv, nn.BatchNorm(), relu(), pool)


@diagnosed_as("pooling of another size", WRONG_STEMS)
def stem_with_pooling_2():
    return row(conv7(), nn.BatchNorm(), relu(), nn.MaxPool2D(2, strides=2, ceil_mode=True))


@diagnosed_as("normalization missing", WRONG_STEMS)
def stem_without_normalization():
    return row(conv7(), relu(), pooling())


@diagnosed_as("statistics of single images", WRONG_STEMS)
def stem_with_layer_normalization():
    return row(conv7(), nn.LayerNorm(axis=1), relu(), pooling())


@diagnosed_as("normalization after the ReLU", WRONG_STEMS)
def stem_with_normalization_after_relu():
    return row(conv7(), relu(), nn.BatchNorm(), pooling())


@diagnosed_as("no ReLU in the stem", WRONG_STEMS)
def stem_without_relu():
    return row(conv7(), nn.BatchNorm(), pooling())


@diagnosed_as("no maximum in the pooling", WRONG_STEMS)
def stem_with_average_pooling():
    return row(conv7(), nn.BatchNorm(), relu(), nn.AvgPool2D(3, strides=2, padding=1))


# Stages


@diagnosed_as("first stage halves", WRONG_STAGES)
def stage_that_halves_first(num_channels, num_residuals, first_block=False):
    return resnet_block(num_channels, num_residuals)


@diagnosed_as("stage does not halve", WRONG_STAGES)
def stage_that_never_halves(num_channels, num_residuals, first_block=False):
    first = Residual(num_channels, use_1x1conv=not first_block)
    return row(first, *(Residual(num_channels) for _ in range(num_residuals - 1)))


@diagnosed_as("every block halves", WRONG_STAGES)
def stage_whose_blocks_all_halve(num_channels, num_residuals, first_block=False):
    if first_block:
        return resnet_block(num_channels, num_residuals, first_block=True)
    return row(*(Residual(num_channels, True, 2) for _ in range(num_residuals)))


@diagnosed_as("1x1 convolution in the first stage", WRONG_STAGES)
def stage_with_1x1_first(num_channels, num_residuals, first_block=False):
    first = Residual(num_channels, use_1x1conv=True, strides=1 if first_block else 2)
    return row(first, *(Residual(num_channels) for _ in range(num_residuals - 1)))


@diagnosed_as("1x1 convolution in every block", WRONG_STAGES)
def stage_with_1x1_everywhere(num_channels, num_residuals, first_block=False):
    if first_block:
        return resnet_block(num_channels, num_residuals, first_block=True)
    first = Residual(num_channels, True, 2)
    return row(first, *(Residual(num_channels, True) for _ in range(num_residuals - 1)))


@diagnosed_as("a later block halves", WRONG_STAGES)
def stage_that_halves_last(num_channels, num_residuals, first_block=False):
    if first_block:
        return resnet_block(num_channels, num_residuals, first_block=True)
    blocks = [Residual(num_channels, True) for _ in range(num_residuals - 1)]
    return row(*blocks, Residual(num_channels, True, 2))


@diagnosed_as("shortcut without its 1x1 convolution", WRONG_STAGES)
def stage_without_the_1x1(num_channels, num_residuals, first_block=False):
    first = Residual(num_channels, strides=1 if first_block else 2)
    return row(first, *(Residual(num_channels) for _ in range(num_residuals - 1)))


@diagnosed_as("1x1 convolution in another block", WRONG_STAGES)
def stage_that_counts_from_one(num_channels, num_residuals, first_block=False):
    others = {} if first_block else {1: Residual(num_channels, True, 2)}
    return row(*(others.get(i) or Residual(num_channels) for i in range(num_residuals)))


@diagnosed_as("no block with a 1x1 convolution", WRONG_STAGES)
def stage_of_equal_blocks(num_channels, num_residuals, first_block=False):
    return row(*(d2l.Residual(num_channels) for _ in range(num_residuals)))


@diagnosed_as("number of blocks", WRONG_STAGES)
def stage_that_returns_in_its_loop(num_channels, num_residuals, first_block=False):
    return resnet_block(num_channels, 1, first_block)


@diagnosed_as("number of blocks", WRONG_STAGES)
def stage_of_two_blocks_always(num_channels, num_residuals, first_block=False):
    return resnet_block(num_channels, 2, first_block)


@diagnosed_as("number of blocks", WRONG_STAGES)
def stage_with_one_block_more(num_channels, num_residuals, first_block=False):
    return resnet_block(num_channels, num_residuals + 1, first_block)


@diagnosed_as("one block used again", WRONG_STAGES)
def stage_of_one_block_used_again(num_channels, num_residuals, first_block=False):
    block = Residual(num_channels)
    first = block if first_block else Residual(num_channels, True, 2)
    return row(first, *(block for _ in range(num_residuals - 1)))


@diagnosed_as("block without a shortcut in the stage", WRONG_STAGES)
def stage_with_a_plain_block(num_channels, num_residuals, first_block=False):
    first = Residual(num_channels) if first_block else Residual(num_channels, True, 2)
    return row(first, *(Plain(num_channels) for _ in range(num_residuals - 1)))


@diagnosed_as("makes no block", WRONG_STAGES)
def stage_as_a_list(num_channels, num_residuals, first_block=False):
    return [Residual(num_channels) for _ in range(num_residuals)]


@diagnosed_as("not written yet", WRONG_STAGES)
def stage_not_written_yet(num_channels, num_residuals, first_block=False):
    raise NotImplementedError


# Networks


def network(*, stem=None, stages=None, pooled=nn.GlobalAvgPool2D, head=None):
    """Return a ResNet-18 in which some parts are replaced."""
    stem = stem or row(conv7(), nn.BatchNorm(), relu(), pooling())
    if stages is None:
        stages = [resnet_block(width, 2, width == 64) for width in (64, 128, 256, 512)]
    return row(stem, *stages, pooled(), *(head or [nn.Dense(10)]))


@diagnosed_as("first stage halves", WRONG_NETWORKS)
def network_whose_first_stage_halves():
    first = row(HalvedBySlicing(64), Residual(64))
    return network(stages=[first, *(resnet_block(width, 2) for width in (128, 256, 512))])


class HalvedBySlicing(Residual):
    def forward(self, X):
        return super().forward(X[:, :, ::2, ::2])


@diagnosed_as("1x1 convolution in the first stage", WRONG_NETWORKS)
def network_without_a_first_block():
    return network(stages=[resnet_block(width, 2) for width in (64, 128, 256, 512)])


@diagnosed_as("no block with a 1x1 convolution", WRONG_NETWORKS)
def network_of_first_stages():
    return network(stages=[resnet_block(width, 2, True) for width in (64, 128, 256, 512)])


@diagnosed_as("a stage is missing", WRONG_NETWORKS)
def network_of_three_stages():
    return network(stages=[resnet_block(width, 2, width == 64) for width in (64, 128, 256)])


@diagnosed_as("channels not doubled", WRONG_NETWORKS)
def network_of_64_channels():
    return network(stages=[resnet_block(64, 2, i == 0) for i in range(4)])


@diagnosed_as("another number of blocks", WRONG_NETWORKS)
def network_of_three_blocks_each():
    return network(stages=[resnet_block(width, 3, width == 64) for width in (64, 128, 256, 512)])


@diagnosed_as("stages in another order", WRONG_NETWORKS)
def network_with_stages_in_another_order():
    return network(stages=[resnet_block(width, 2, width == 64) for width in (64, 128, 512, 256)])


@diagnosed_as("another stem", WRONG_NETWORKS)
def network_with_a_small_stem():
    return network(stem=row(nn.Conv2D(64, 3, padding=1), nn.BatchNorm(), relu()))


@diagnosed_as("no pooling in the stem", WRONG_NETWORKS)
def network_without_pooling():
    return network(stem=row(conv7(), nn.BatchNorm(), relu()))


@diagnosed_as("pooling without padding", WRONG_NETWORKS)
def network_with_pooling_without_padding():
    return network(stem=row(conv7(), nn.BatchNorm(), relu(), nn.MaxPool2D(3, strides=2)))


@diagnosed_as("a stage does not halve", WRONG_NETWORKS)
def network_whose_last_stage_keeps_the_size():
    last = row(Residual(512, use_1x1conv=True), Residual(512))
    return network(stages=[*(resnet_block(w, 2, w == 64) for w in (64, 128, 256)), last])


@diagnosed_as("no shortcuts", WRONG_NETWORKS)
def network_of_plain_blocks():
    class Beside(Plain):  # a shortcut is computed, but not added
        def __init__(self, num_channels, strides):
            super().__init__(num_channels, strides)
            self.conv3 = nn.Conv2D(num_channels, 1, strides=strides) if strides > 1 else None

        def forward(self, X):
            shortcut = self.conv3(X) if self.conv3 else X
            return super().forward(X) + 0 * shortcut

    widths = (64, 128, 256, 512)
    return network(stages=[row(Beside(w, 1 if w == 64 else 2), Beside(w, 1)) for w in widths])


@diagnosed_as("flatten in place of global pooling", WRONG_NETWORKS)
def network_that_flattens():
    return network(pooled=nn.Flatten)


@diagnosed_as("flatten in place of global pooling", WRONG_NETWORKS)
def network_that_pools_one_axis():
    return network(pooled=lambda: nn.Lambda(lambda X: X.mean(axis=3)))


@diagnosed_as("pooling of a fixed size", WRONG_NETWORKS)
def network_that_pools_maps_of_7x7():
    return network(pooled=lambda: nn.AvgPool2D(7))


@diagnosed_as("no mean in the last pooling", WRONG_NETWORKS)
def network_with_global_maximum():
    return network(pooled=nn.GlobalMaxPool2D)


@diagnosed_as("softmax inside the network", WRONG_NETWORKS)
def network_with_softmax():
    return network(head=[nn.Dense(10), nn.Lambda(npx.softmax)])


@diagnosed_as("softmax inside the network", WRONG_NETWORKS)
def network_with_log_softmax():
    return network(head=[nn.Dense(10), nn.Lambda(npx.log_softmax)])


@diagnosed_as("another function after the dense layer", WRONG_NETWORKS)
def network_with_relu_on_the_scores():
    return network(head=[nn.Dense(10, activation="relu")])


@diagnosed_as("dropout on the scores", WRONG_NETWORKS)
def network_with_dropout_on_the_scores():
    return network(head=[nn.Dense(10), nn.Dropout(0.5)])


@diagnosed_as("more than one dense layer", WRONG_NETWORKS)
def network_with_two_dense_layers():
    return network(head=[nn.Dense(100, activation="relu"), nn.Dense(10)])


@diagnosed_as("no dense layer", WRONG_NETWORKS)
def network_with_scores_from_a_convolution():
    return network(head=[nn.Conv2D(10, 1), nn.Flatten()])


@diagnosed_as("wrong number of classes", WRONG_NETWORKS)
def network_for_1000_classes():
    return network(head=[nn.Dense(1000)])


@diagnosed_as("no scores", WRONG_NETWORKS)
def network_without_a_dense_layer():
    return row(conv7(), nn.BatchNorm(), relu(), pooling(), resnet_block(64, 2, True))


@diagnosed_as("not written yet", WRONG_NETWORKS)
def network_not_written_yet():
    raise NotImplementedError


@diagnosed_as("makes no block", WRONG_NETWORKS)
def network_that_is_a_string():
    return "resnet18"


@diagnosed_as("needs arguments", WRONG_NETWORKS)
def network_that_needs_a_block(num_classes, block):
    raise AssertionError


@diagnosed_as("needs arguments", WRONG_STEMS)
def stem_that_needs_channels(num_channels):
    raise AssertionError


WRONG_NETWORKS["resnet18"] = WRONG_STEMS[None] = "no network"
