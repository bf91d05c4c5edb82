"""Layouts that are known without loading TensorFlow."""

import numpy as np

from engine.core.weights import Layout, Tensor, Weights
from engine.data.randomness import generator
from engine.errors import ConfigError

_LENET = {
    "conv1": (5, 5, 3, 6),
    "conv2": (5, 5, 6, 16),
    "dense1": (400, 120),
    "dense2": (120, 84),
    "logits": (84, 10),
}
_CNN = {
    "conv1": (3, 3, 3, 32),
    "conv2": (3, 3, 32, 32),
    "conv3": (3, 3, 32, 64),
    "conv4": (3, 3, 64, 64),
    "dense1": (2304, 512),
    "logits": (512, 10),
}


def _with_biases(kernels: dict[str, tuple[int, ...]]) -> Layout:
    tensors = []
    for layer, shape in kernels.items():
        tensors += [Tensor(f"{layer}/kernel", shape), Tensor(f"{layer}/bias", shape[-1:])]
    return Layout(tuple(tensors))


LENET = _with_biases(_LENET)
"""Of `create_lenet_model()`: 62,006 values."""
CNN = _with_biases(_CNN)
"""Of `create_cnn_model()`: 1,250,858 values."""


def static_layout(model: str) -> Layout:
    """The layout of `lenet`, `cnn` (both for 32x32x3 and 10 classes) or `vector:N`.

    Raises:
        ConfigError: the layout of this model is known only to TensorFlow.
    """
    if model.startswith("vector:"):
        return Layout((Tensor("vector", (int(model.removeprefix("vector:")),)),))
    try:
        return {"lenet": LENET, "cnn": CNN}[model]
    except KeyError:
        raise ConfigError(
            f"model = {model!r}: its layout is known only once TensorFlow has built it"
        ) from None


def get_random_weights(model_type: str, *, seed: int = 1, scale: float = 0.05) -> Weights:
    """Weights of the right shape and normal noise in them, made without TensorFlow.

    Args:
        model_type: `lenet`, `cnn` or `vector:N`.
        seed: of the noise.
        scale: its standard deviation.

    Raises:
        ConfigError: the layout of this model is known only to TensorFlow.
    """
    layout = static_layout(model_type)
    vector = generator(seed, "random weights", model_type).standard_normal(layout.size, np.float32)
    return Weights(layout, vector * np.float32(scale))
