"""A model of your own on built-in images: a small residual network with batch normalisation.

    flconsole run --headless --dataset digits --model docs.examples.own_model:model

Batch normalisation's moving statistics are part of the model and are averaged as its weights are. The last
layer emits logits; softmax is part of the loss. Each layer with weights has a name, by which another model
can take them over (`--init-from FILE --adapt`).
"""

import keras
from keras import layers

FILTERS = 16


def model(input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Two residual blocks (He et al. 2016) at half and at a quarter of the resolution; 10,170 values."""
    images = keras.Input(input_shape, name="images")
    features = layers.Rescaling(1 / 127.5, offset=-1.0)(images)  # images come in as 0 to 255
    for number in (1, 2):
        features = _convolution(f"reduce{number}", features, strides=2)
        features = layers.Add()([features, _convolution(f"block{number}", features)])
    pooled = layers.Flatten()(layers.AveragePooling2D(2)(features))
    return keras.Model(images, layers.Dense(classes, name="logits")(pooled))


def _convolution(name: str, features: keras.KerasTensor, *, strides: int = 1) -> keras.KerasTensor:
    features = layers.Conv2D(FILTERS, 3, strides, "same", use_bias=False, name=name)(features)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(features))
