"""Images are mirrored and shifted as He et al. do it, by the seed and by nothing else."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from engine.config import RunConfig
from engine.data import DataSpec, Examples
from engine.data.randomness import generator
from engine.errors import ConfigError
from engine.training.augmentation import flip_crop, require_images
from engine.training.factory import open_trainer
from engine.training.flat_model import read_weights
from engine.training.local_sgd import LocalSgd, plan_batches

pytestmark = pytest.mark.tensorflow

SPEC = DataSpec((12, 11, 3), is_image=True, classes=10)


def images(count):
    return generator(1, "images").integers(0, 256, (count, *SPEC.input_shape), np.uint8)


def every_outcome(image):
    """What padding by reflection, cropping and mirroring can make of one image."""
    height, width, _ = image.shape
    padded = np.pad(image, [(4, 4), (4, 4), (0, 0)], mode="reflect")
    crops = [padded[y : y + height, x : x + width] for y in range(9) for x in range(9)]
    return [crop.tobytes() for crop in crops] + [crop[:, ::-1].tobytes() for crop in crops]


def test_each_image_becomes_one_of_its_162_forms_and_all_of_them_occur():
    image = images(1)
    made = flip_crop(tf.constant(np.repeat(image, 4000, axis=0)), tf.constant([3, 5])).numpy()
    outcomes = every_outcome(image[0])

    counts = dict.fromkeys(outcomes, 0)
    for one in made:
        counts[one.tobytes()] += 1
    assert made.dtype == np.uint8
    assert len(counts) == 162
    assert min(counts.values()) > 0
    assert 1800 < sum(counts[outcome] for outcome in outcomes[:81]) < 2200


def test_images_of_a_batch_are_changed_each_in_its_own_way():
    made = flip_crop(tf.constant(images(6)), tf.constant([3, 5])).numpy()

    forms = [every_outcome(image).index(one.tobytes()) for image, one in zip(images(6), made, strict=True)]
    assert len(set(forms)) > 3


def test_the_seed_decides_compiled_or_not():
    x, compiled = tf.constant(images(50)), tf.function(flip_crop, jit_compile=True)
    once, again, other = (flip_crop(x, tf.constant(seed)).numpy() for seed in ([1, 2], [1, 2], [1, 3]))

    assert np.array_equal(once, again)
    assert np.array_equal(once, compiled(x, tf.constant([1, 2])).numpy())
    assert not np.array_equal(once, other)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (DataSpec((32, 32, 3), is_image=False, classes=10), "is for images; the data are features of shape"),
        (DataSpec((4, 32, 1), is_image=True, classes=10), "too small"),
    ],
)
def test_what_cannot_be_mirrored_and_shifted_is_refused(spec, expected):
    with pytest.raises(ConfigError, match=expected):
        require_images(spec)


def test_without_augmentation_there_is_nothing_random_in_the_graph():
    model = keras.Sequential([keras.Input(SPEC.input_shape), keras.layers.Flatten(), keras.layers.Dense(10)])

    def draws_in_graph(**settings):
        sgd = LocalSgd(model, SPEC, RunConfig(**settings))
        return str(sgd._run.get_concrete_function().graph.as_graph_def()).count("StatelessRandomUniform")

    assert draws_in_graph() == 0
    assert draws_in_graph(augmentation="flip_crop") > 0


def test_a_run_on_features_does_not_start_with_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "table_of_zeros.py").write_text(
        "import numpy as np\n"
        "from engine.data import Dataset\n"
        "def load(part, parts, seed):\n"
        "    return Dataset(np.zeros((2, 5)), [0, 1], np.zeros((2, 5)), [0, 1])\n"
    )
    config = RunConfig(dataset="table_of_zeros:load", model="anything:at_all", augmentation="flip_crop")

    with pytest.raises(ConfigError, match="augmentation = 'flip_crop' is for images; the data are features"):
        open_trainer(config, client="1", part=0)


@pytest.mark.parametrize("jit", [False, True])
def test_training_meets_other_images_in_each_round_and_is_traced_once(jit):
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(10)]
    model = keras.Sequential([keras.Input(SPEC.input_shape), *layers])
    base = read_weights(model).vector
    examples = Examples(images(8), np.arange(8, dtype=np.int32))

    def trainer(augmentation):
        sgd = LocalSgd(model, SPEC, RunConfig(jit=jit, augmentation=augmentation))
        placed = sgd.place(examples)

        def train(number):
            rng = generator(1, number)
            return sgd.train(base, placed, plan_batches(8, 8, 1, generator(1)), rng).vector

        return sgd, train

    sgd, train = trainer("flip_crop")
    first, second, first_again = train(1), train(2), train(1)
    _, train_plainly = trainer("none")

    assert np.array_equal(first, first_again)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, train_plainly(1))
    assert np.allclose(train_plainly(1), train_plainly(2), rtol=0, atol=1e-6)
    assert sgd._run.experimental_get_tracing_count() == 1
