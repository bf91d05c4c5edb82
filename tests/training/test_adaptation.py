"""Weights of another model: refused with the reason, or copied where name and shape are the same."""

from pathlib import Path

import numpy as np
import pytest

from engine.core.weights import Layout, Tensor, Weights
from engine.errors import LayoutMismatch
from engine.training.adaptation import adapt, adapt_weights, are_weights_compatible, start_from


def weights(fill, **shapes):
    layout = Layout(tuple(Tensor(name, shape) for name, shape in shapes.items()))
    return Weights(layout, np.full(layout.size, fill, np.float32))


def test_what_matches_is_copied_and_every_layer_is_reported():
    initial = weights(0, kernel=(2, 3), bias=(3,), head=(4,))
    given = weights(1, kernel=(2, 3), bias=(4,), tail=(2,))

    adaptation = adapt(initial, given)

    kernel, bias, head = adaptation.weights.views()
    assert (kernel.tolist(), bias.tolist(), head.tolist()) == ([[1, 1, 1], [1, 1, 1]], [0, 0, 0], [0] * 4)
    assert adaptation.report == (
        "kernel: copied",
        "bias: kept as initialised, [4] is not [3]",
        "head: kept as initialised, there is none of that name",
        "tail: unused",
    )
    assert not initial.vector.any()


def test_the_same_number_of_values_in_another_shape_is_not_reshaped():
    adaptation = adapt(weights(0, a=(2, 3), b=(1,)), weights(1, a=(3, 2), b=(1,)))

    assert not adaptation.weights.views()[0].any()


def test_nothing_in_common_is_an_error():
    with pytest.raises(LayoutMismatch, match="no tensor matches"):
        adapt(weights(0, a=(2,)), weights(1, b=(2,)))


def test_a_start_of_another_layout_names_the_file_the_layers_and_the_way_out():
    initial, given = weights(0, a=(2,), b=(1,)), weights(1, a=(3,), b=(1,))

    with pytest.raises(LayoutMismatch, match=r"old.ckpt: a: \[3\] .* instead of \[2\].*; adapt = true"):
        start_from(initial, given, source=Path("old.ckpt"), allow_adapt=False)
    assert start_from(initial, given, source=Path("old.ckpt"), allow_adapt=True).vector.tolist() == [0, 0, 1]


def test_a_start_of_the_same_layout_is_taken_as_it_is():
    assert start_from(
        weights(0, a=(2,)), weights(1, a=(2,)), source=Path("x"), allow_adapt=False
    ).vector.all()


@pytest.mark.tensorflow
def test_a_keras_model_is_compared_and_adapted():
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="head")])
    bias_name = model.weights[1].path
    given = weights(1, **{bias_name: (3,)})

    compatibility = are_weights_compatible(model, given)
    adaptation = adapt_weights(model, given)

    assert not compatibility
    assert compatibility.differences == (f"{model.weights[0].path}: missing",)
    assert adaptation.weights.views()[1].tolist() == [1, 1, 1]
    assert are_weights_compatible(model, adaptation.weights)
