"""The built-in models and the user's own. All emit logits and are not compiled.

Images come in as 0..255 and are normalised by the first layer, to -1..1, so that they stay one byte a value
in memory and a saved model needs nothing beside it. Hidden layers are ReLU with Glorot's initialisation, as
Keras has it. On CIFAR-10 (LeNet, 4 clients, 10 rounds, two seeds) this learns to 0.58 and 0.59, against 0.55
and 0.57 with inputs of -2..2 and He's initialisation.
"""

import threading
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import layers

from engine.data import DataSpec
from engine.data.user import import_function
from engine.errors import ConfigError
from engine.training.base import ModelFunction

Shape = tuple[int, int, int]

_building = threading.Lock()
"""Keras draws initial values from one random state for the whole process."""


def create_lenet_model(input_shape: Shape = (32, 32, 3), classes: int = 10) -> keras.Model:
    """LeNet-5 in today's form (LeCun et al. 1998): two convolutions, then 120 and 84; 62,006 parameters."""
    return _chain(
        "lenet",
        input_shape,
        [
            _conv("conv1", 6, 5),
            layers.MaxPooling2D(name="pool1"),
            _conv("conv2", 16, 5),
            layers.MaxPooling2D(name="pool2"),
            layers.Flatten(name="flatten"),
            _dense("dense1", 120),
            _dense("dense2", 84),
            layers.Dense(classes, name="logits"),
        ],
    )


def create_cnn_model(input_shape: Shape = (32, 32, 3), classes: int = 10) -> keras.Model:
    """Two pairs of 3x3 convolutions with dropout between, 512 hidden units; 1,250,858 parameters."""
    return _chain(
        "cnn",
        input_shape,
        [
            _conv("conv1", 32, 3, padding="same"),
            _conv("conv2", 32, 3),
            layers.MaxPooling2D(name="pool1"),
            layers.Dropout(0.25, name="dropout1"),
            _conv("conv3", 64, 3, padding="same"),
            _conv("conv4", 64, 3),
            layers.MaxPooling2D(name="pool2"),
            layers.Dropout(0.25, name="dropout2"),
            layers.Flatten(name="flatten"),
            _dense("dense1", 512),
            layers.Dropout(0.5, name="dropout3"),
            layers.Dense(classes, name="logits"),
        ],
    )


def build_model(name: str, *, seed: int, spec: DataSpec, create: ModelFunction | None = None) -> keras.Model:
    """Builds the model `name` of a configuration for such data; its initial values depend on `seed` alone.

    Keras' name counters start anew, so that a layer without a name of its own is called the same in every
    process; its global random state is seeded. Threads that build models wait for each other.

    Args:
        name: built in, or `module:function`.
        seed: of the initial values.
        spec: what the model is for.
        create: makes it instead.

    Raises:
        ConfigError: it cannot be imported, it raised, it is not for such data, or it does not map them to
            logits, one for each class.
    """
    if create is not None:
        name = getattr(create, "__qualname__", repr(create))
    elif name in _BUILT_IN and not spec.is_image:
        raise ConfigError(f"model = {name!r} is for images; for {spec} name one of your own, module:function")
    create = create or _BUILT_IN.get(name) or import_function(name, key="model")
    try:
        with _building:
            keras.backend.clear_session()
            keras.utils.set_random_seed(seed)
            model = create(spec.input_shape, spec.classes)
    except (Exception, SystemExit) as error:  # the user's may raise anything; it is reported, not hidden
        raise ConfigError(f"model = {name!r}: {type(error).__name__}: {error}") from error
    _check_model(name, model, spec)
    return model


def _check_model(name: str, model: object, spec: DataSpec) -> None:
    classes = spec.classes
    if not isinstance(model, keras.Model) or not model.built:
        raise ConfigError(
            f"model = {name!r}: returned a {type(model).__name__}; expected a built keras.Model"
        )
    if not _takes(model.input_shape, spec.input_shape):
        raise ConfigError(
            f"model = {name!r}: takes input of shape {model.input_shape}; the data have (None, "
            f"{', '.join(map(str, spec.input_shape))})"
        )
    if tuple(model.output_shape) != (None, classes):
        raise ConfigError(
            f"model = {name!r}: output of shape {model.output_shape}; expected (None, {classes}) logits"
        )
    if _ends_in_probabilities(model.layers[-1]):
        raise ConfigError(
            f"model = {name!r}: its last layer makes probabilities; leave softmax away, logits are expected"
        )
    for variable in model.variables:
        if keras.backend.is_float_dtype(variable.dtype) and not np.isfinite(variable.numpy()).all():
            raise ConfigError(f"model = {name!r}: {variable.path} begins with NaN or infinity")


def _takes(shape: object, data: tuple[int, ...]) -> bool:
    """Whether a model with this input shape takes such data; None in it takes any length."""
    if not isinstance(shape, tuple) or len(shape) != 1 + len(data):
        return False
    return all(wanted in (None, there) for wanted, there in zip(shape[1:], data, strict=True))


def _ends_in_probabilities(last: keras.Layer) -> bool:
    """Whether the loss, which takes logits, would apply softmax twice: that learns badly, and in silence."""
    makes_them = (keras.activations.softmax, keras.activations.sigmoid)
    return isinstance(last, layers.Softmax) or getattr(last, "activation", None) in makes_them


_BUILT_IN: dict[str, Callable[..., keras.Model]] = {
    "lenet": create_lenet_model,
    "cnn": create_cnn_model,
}


def _chain(name: str, input_shape: Shape, hidden: Sequence[keras.Layer]) -> keras.Model:
    images = keras.Input(input_shape, name="images")
    outputs = layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(images)
    for layer in hidden:
        outputs = layer(outputs)
    return keras.Model(images, outputs, name=name)


def _conv(name: str, filters: int, size: int, padding: str = "valid") -> keras.Layer:
    return layers.Conv2D(filters, size, padding=padding, activation="relu", name=name)


def _dense(name: str, units: int) -> keras.Layer:
    return layers.Dense(units, activation="relu", name=name)
