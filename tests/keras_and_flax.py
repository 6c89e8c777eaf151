"""The columns for Keras 3 and for JAX with Flax in the table of notebook 09, as assertions.

A test runs this in an environment of its own, with keras, jax, flax and optax.
"""

import inspect
import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy
import optax
from flax import nnx

NUMBERS = numpy.array([[1.0], [3.0], [5.0], [7.0]], "float32")
BIASED = 5.0  # their variance, divided by n; 6.67 if divided by n - 1
IMAGE = numpy.random.default_rng(0).normal(size=(1, 28, 28, 4)).astype("float32")
BELOW_AND_RIGHT = ((0, 0), (0, 1), (0, 1), (0, 0))  # N, H, W, C


def close(some, others):
    return numpy.allclose(numpy.asarray(some), numpy.asarray(others), atol=1e-5)


def keras_column():
    assert issubclass(keras.Model, keras.layers.Layer)
    assert keras.config.image_data_format() == "channels_last"
    conv, dense = keras.layers.Conv2D(8, 3, 2, padding="same"), keras.layers.Dense(2)
    outputs = conv(IMAGE)  # channels are found at the first call
    dense(numpy.ones((1, 3)))
    assert (conv.kernel.shape, dense.kernel.shape) == ((3, 3, 4, 8), (3, 2))
    norm = keras.layers.BatchNormalization()
    norm(NUMBERS, training=True)
    names = [weight.name for weight in norm.weights]
    assert names == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert (norm.momentum, norm.epsilon) == (0.99, 1e-3)
    assert close(norm.moving_variance, 0.99 * 1 + 0.01 * BIASED)
    nesterov = keras.optimizers.SGD(momentum=0.9, nesterov=True)
    assert (nesterov.nesterov, nesterov.momentum) == (True, 0.9)
    assert "jit_compile" in inspect.signature(keras.Model.compile).parameters
    unpadded = keras.layers.Conv2D(8, 3, 2)
    unpadded(IMAGE)
    unpadded.set_weights(conv.get_weights())
    assert close(outputs, unpadded(numpy.pad(IMAGE, BELOW_AND_RIGHT)))


def flax_column():
    rngs = nnx.Rngs(0)
    conv = nnx.Conv(4, 8, (3, 3), strides=2, padding="SAME", rngs=rngs)
    dense, norm = nnx.Linear(3, 2, rngs=rngs), nnx.BatchNorm(1, rngs=rngs)
    assert isinstance(conv, nnx.Module)
    assert (conv.kernel.shape, dense.kernel.shape) == ((3, 3, 4, 8), (3, 2))
    assert norm.scale.shape == norm.bias.shape == norm.mean.shape == norm.var.shape == (1,)
    assert (norm.momentum, norm.epsilon) == (0.99, 1e-5)
    net = nnx.Sequential(norm)
    net.eval()
    assert norm.use_running_average
    net.train()
    net(NUMBERS)
    assert close(norm.var[...], 0.99 * 1 + 0.01 * BIASED)
    unpadded = nnx.Conv(4, 8, (3, 3), strides=2, padding="VALID", rngs=rngs)
    unpadded.kernel, unpadded.bias = conv.kernel, conv.bias
    assert close(conv(IMAGE), unpadded(numpy.pad(IMAGE, BELOW_AND_RIGHT)))
    optimizer = nnx.Optimizer(net, optax.sgd(0.1, momentum=0.9, nesterov=True), wrt=nnx.Param)
    gradient = nnx.jit(nnx.grad(lambda net, X: (net(X) ** 3).sum()))(net, NUMBERS)
    optimizer.update(net, gradient)
    assert not close(norm.bias[...], 0)


if __name__ == "__main__":
    keras_column()
    flax_column()
