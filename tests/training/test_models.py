"""The built-in models are what their static layouts say; the user's own are checked before they train."""

import keras
import numpy as np
import pytest

from engine.data import DataSpec
from engine.errors import ConfigError
from engine.training.flat_model import read_layout, read_weights
from engine.training.layouts import static_layout
from engine.training.models import build_model, create_cnn_model, create_lenet_model

pytestmark = pytest.mark.tensorflow

SPEC = DataSpec((32, 32, 3), is_image=True, classes=10)


@pytest.mark.parametrize(
    ("name", "create", "size"), [("lenet", create_lenet_model, 62_006), ("cnn", create_cnn_model, 1_250_858)]
)
def test_the_static_layout_is_the_models(name, create, size):
    layout = read_layout(create())

    assert layout == static_layout(name)
    assert layout.digest == static_layout(name).digest
    assert layout.size == size


def test_the_seed_decides_the_initial_values():
    def vector(seed):
        return read_weights(build_model("lenet", seed=seed, spec=SPEC)).vector

    assert np.array_equal(vector(1), vector(1))
    assert not np.array_equal(vector(1), vector(2))


@pytest.mark.parametrize("create", [create_lenet_model, create_cnn_model])
def test_other_shapes_and_classes_are_built(create):
    assert create((28, 28, 1), 5).output_shape == (None, 5)


def test_black_and_white_are_minus_one_and_one_inside():
    normalise = create_lenet_model().get_layer("normalise")

    assert np.asarray(normalise(np.array([0.0, 255.0]))) == pytest.approx([-1, 1])


@pytest.fixture
def user_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def build(name, body):
        source = f"import keras\n\ndef model(input_shape, classes):\n    {body}\n"
        (tmp_path / f"{name}.py").write_text(source)
        return build_model(f"{name}:model", seed=1, spec=SPEC)

    return build


FLAT = "keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense"


def test_a_layer_without_a_name_is_called_the_same_each_time(user_model):
    keras.layers.Dense(3)
    first = read_layout(user_model("named_1", f"return keras.Sequential([{FLAT}(classes)])"))
    second = read_layout(user_model("named_2", f"return keras.Sequential([{FLAT}(classes)])"))

    assert first == second


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return 3", "returned a int; expected a built keras.Model"),
        ("return keras.Sequential([keras.layers.Dense(classes)])", "expected a built keras.Model"),
        (f"return keras.Sequential([{FLAT}(classes + 1)])", r"output of shape \(None, 11\)"),
        (f"return keras.Sequential([{FLAT}(classes, 'softmax')])", "its last layer makes probabilities"),
        (
            "return keras.Sequential([keras.Input((5,)), keras.layers.Dense(classes)])",
            r"takes input of shape \(None, 5\); the data have \(None, 32, 32, 3\)",
        ),
        (
            f"return keras.Sequential([{FLAT}(classes, bias_initializer=lambda *_, **__: float('nan'))])",
            "bias begins with NaN or infinity",
        ),
        ("raise ZeroDivisionError('oops')", "ZeroDivisionError: oops"),
    ],
)
def test_what_is_no_classifier_is_refused(user_model, body, expected):
    with pytest.raises(ConfigError, match=expected):
        user_model(f"wrong_{abs(hash(body))}", body)


def test_a_model_may_leave_sizes_of_its_input_open(user_model):
    body = (
        "return keras.Sequential([keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D(), "
        "keras.layers.Dense(classes)])"
    )

    assert user_model("open_sizes", body).input_shape == (None, None, None, 3)


@pytest.mark.parametrize("shape", [(30,), (32, 32, 3)])
@pytest.mark.parametrize("name", ["lenet", "cnn"])
def test_a_built_in_model_is_for_images_alone(name, shape):
    with pytest.raises(ConfigError, match=rf"model = '{name}' is for images; for features of shape"):
        build_model(name, seed=1, spec=DataSpec(shape, is_image=False, classes=2))
