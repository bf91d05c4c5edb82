"""A Keras model seen as a function of one flat vector.

Works on any object with Keras' variable lists and loads no TensorFlow itself, so the vector of a model can be
read and written wherever the model already is.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from blake3 import blake3

from engine.core.weights import Layout, Role, Tensor, Vector, Weights
from engine.errors import ConfigError

Variables = Sequence[Any]


def split_variables(model: Any) -> tuple[Variables, Variables, Variables]:
    """The variables of a model: those in its vector, those that stay fixed, and its seed states.

    Raises:
        ConfigError: a floating variable is not float32, or two have the same path.
    """
    in_vector: list[Any] = []
    fixed: list[Any] = []
    for variable in model.weights:
        (in_vector if _is_floating(variable) else fixed).append(variable)
    wrong = [v.path for v in in_vector if v.dtype != "float32"]
    if wrong:
        raise ConfigError(f"model: {wrong[0]} is not float32; build it with dtype policy float32")
    paths = [v.path for v in in_vector]
    if len(set(paths)) != len(paths):
        raise ConfigError("model: two variables have the same path; give each layer a name of its own")
    known = {id(v) for v in model.weights}
    return in_vector, fixed, [v for v in model.non_trainable_variables if id(v) not in known]


def read_layout(model: Any) -> Layout:
    """The layout of a Keras model: its float32 variables in Keras' order, under their paths."""
    in_vector, fixed, _ = split_variables(model)
    trainable = {id(v) for v in model.trainable_variables}
    tensors = [
        Tensor(v.path, tuple(v.shape), Role.TRAINABLE if id(v) in trainable else Role.STATISTIC)
        for v in in_vector
    ]
    return Layout(tuple(tensors), _digest(fixed))


def read_weights(model: Any) -> Weights:
    """The values of a Keras model."""
    in_vector, _, _ = split_variables(model)
    return Weights.from_arrays(read_layout(model), [np.asarray(v.numpy()) for v in in_vector])


def write_weights(model: Any, vector: Vector) -> None:
    """Sets the values of a Keras model, whose layout `vector` must have."""
    in_vector, _, _ = split_variables(model)
    views = Weights(read_layout(model), vector).views()
    for variable, values in zip(in_vector, views, strict=True):
        variable.assign(values)


def _is_floating(variable: Any) -> bool:
    return "float" in str(variable.dtype)


def _digest(fixed: Variables) -> str:
    if not fixed:
        return ""
    hasher = blake3()
    for variable in fixed:
        values = np.ascontiguousarray(variable.numpy())
        hasher.update(f"{variable.path} {values.dtype.str} {values.shape}\n".encode())
        hasher.update(values.tobytes())
    return hasher.hexdigest()
