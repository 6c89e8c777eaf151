"""Solutions of the exercises in notebook 01. There are others; the checks accept them, too."""

from dataclasses import replace

import numpy
from mxnet import np


# Exercise 1. The absolute value, since a change may make the loss smaller as well; the larger of
# the two spreads, since a difference has to stand out from both kinds of runs.
def difference_counts(first, second):
    spread = max(numpy.std(first, ddof=1), numpy.std(second, ddof=1))
    return abs(numpy.mean(first) - numpy.mean(second)) > 2 * spread


# Exercise 2. `replace` copies a trial and changes what is named, so nothing else can change.
def without_gentle_start(trials):
    return [replace(trial, recipe=replace(trial.recipe, warm_up=0.0)) for trial in trials]


# Exercise 3. Each kernel copies its own channel. A new normalization divides by the square root of
# 1 + epsilon, and gamma multiplies by it. It holds in inference mode only: in training, the
# normalization uses the statistics of the batch, and gamma and beta would have to undo those.
def set_identity(block):
    for convolution, norm in ((block.conv1, block.bn1), (block.conv2, block.bn2)):
        channels = convolution.weight.shape[0]
        weight = np.zeros(convolution.weight.shape)
        weight[range(channels), range(channels), 1, 1] = 1
        convolution.weight.set_data(weight)
        norm.gamma.set_data(np.ones(channels) * (1 + 1e-5) ** 0.5)
