"""From the configuration to the examples of one process."""

import importlib
import logging
import textwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from engine.config import RunConfig
from engine.data import (
    Dataset,
    data_spec,
    load_cifar10_data,
    load_held_out,
    load_labels,
    load_part,
    partition_table,
    preprocess_data,
    resolve_dataset,
    split_local_test,
)
from engine.data.cifar10 import Cifar10
from engine.data.randomness import generator
from engine.errors import ConfigError, DataError


def images_of(examples):
    return sorted(image.tobytes() for image in examples.x)


@pytest.mark.parametrize("partition", ["iid", "shards", "dirichlet"])
@pytest.mark.parametrize("dataset", ["cifar10", "digits"])
def test_the_parts_together_are_the_training_set(cifar_folder, dataset, partition):
    config = RunConfig(dataset=dataset, clients=3, partition=partition)
    parts = [load_part(config, part) for part in range(3)]
    whole = load_part(RunConfig(dataset=dataset, clients=1), 0)

    assert sorted(image for part in parts for image in images_of(part)) == images_of(whole)
    assert [len(labels) for labels in load_labels(config)] == [len(part.y) for part in parts]
    assert partition_table(config).sum(axis=1).tolist() == [len(part.y) for part in parts]


def test_images_keep_their_labels(cifar_folder):
    x, y = load_part(RunConfig(dataset="cifar10", clients=2), 1)
    source = Cifar10(cifar_folder)
    label_of = {
        source.train_rows(np.array([i]))[0].tobytes(): label for i, label in enumerate(source.train_labels())
    }

    assert [label_of[image.tobytes()] for image in x] == y.tolist()


@pytest.mark.parametrize("dataset", ["cifar10", "digits"])
def test_no_client_sees_a_held_out_image(cifar_folder, dataset):
    config = RunConfig(dataset=dataset, clients=1)

    assert not set(images_of(load_held_out(config))) & set(images_of(load_part(config, 0)))


def test_subset_and_test_size_are_drawn_with_the_seed():
    def draw(seed):
        config = RunConfig(dataset="digits", clients=2, subset_size=100, test_size=30, seed=seed)
        return [
            images_of(part) for part in (load_part(config, 0), load_part(config, 1), load_held_out(config))
        ]

    assert [len(part) for part in draw(1)] == [50, 50, 30]
    assert draw(1) == draw(1)
    assert all(a != b for a, b in zip(draw(1), draw(2), strict=True))


@pytest.mark.parametrize("key", ["subset_size", "test_size"])
def test_more_than_there_is_names_the_key(key):
    config = RunConfig(dataset="digits", clients=1, **{key: 10_000})

    with pytest.raises(DataError, match=f"{key} = 10000, but there are"):
        load_held_out(config) if key == "test_size" else load_part(config, 0)


def test_a_part_that_does_not_exist_is_refused():
    with pytest.raises(DataError, match="part 3 of 3"):
        load_part(RunConfig(dataset="digits", clients=3), 3)


def test_auto_takes_cifar10_where_it_is(cifar_folder):
    assert resolve_dataset("auto") == ("cifar10", "")


def test_auto_downloads_where_that_is_wanted(no_data, tmp_path):
    asked = []

    assert resolve_dataset("auto", fetch=lambda: asked.append(1) or tmp_path) == ("cifar10", "")
    assert asked == [1]


def test_auto_falls_back_to_the_digits_and_says_why(no_data):
    def fetch():
        raise DataError("cannot be downloaded: no route to host")

    dataset, reason = resolve_dataset("auto", fetch=fetch)

    assert dataset == "digits"
    assert "not on disk and cannot be downloaded: no route to host" in reason
    assert "digits stand in" in reason


def test_cifar10_by_name_has_no_stand_in(no_data):
    with pytest.raises(
        DataError, match="put cifar-10-batches-py into a folder and name it in FLCONSOLE_DATA"
    ):
        resolve_dataset("cifar10")


def test_the_local_test_split_is_disjoint_and_leaves_something_to_train_on():
    train, apart = split_local_test(10, 0.25, generator(1))
    assert sorted([*train, *apart]) == list(range(10))
    assert len(apart) == 2

    train, apart = split_local_test(1, 0.9, generator(1))
    assert (len(train), len(apart)) == (1, 0)


def test_the_specification_loads_cifar10_and_tells_the_logger(cifar_folder, caplog):
    caplog.set_level(logging.INFO)

    dataset = load_cifar10_data(40, 10, logging.getLogger("test"))

    assert (len(dataset.y_train), len(dataset.y_test), dataset.name) == (40, 10, "cifar10")
    assert f"40 training and 10 test images from {cifar_folder}" in caplog.text


@pytest.fixture
def user_module(tmp_path, monkeypatch):
    """Writes a module into the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name, source):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))

    return write


def test_the_users_function_is_called_for_its_part(user_module):
    user_module(
        "my_data",
        """
        import numpy as np
        from engine.data import Dataset

        def load(part, parts, seed):
            x = np.full((parts, 4, 4, 1), part, np.uint8)
            return Dataset(x, np.full(parts, seed), x[:1] + 100, [0], name="mine", classes=8)
        """,
    )
    config = RunConfig(dataset="my_data:load", clients=3, seed=7)

    assert [part.tolist() for part in load_labels(config)] == [[7, 7, 7]] * 3
    assert load_part(config, 2).x.max() == 2
    assert load_held_out(config).x.max() == 100
    assert partition_table(config)[:, 7].tolist() == [3, 3, 3]


@pytest.mark.parametrize(
    ("body", "error", "expected"),
    [
        ("return 3", DataError, "returned a int; expected engine.data.Dataset"),
        ("raise OSError('disk on fire')", DataError, "part 0: OSError: disk on fire"),
        ("raise SystemExit(7)", DataError, "part 0: SystemExit: 7"),
    ],
)
def test_what_the_users_function_does_wrong_is_said(user_module, body, error, expected):
    name = f"bad_data_{len(body)}"
    user_module(name, f"def load(part, parts, seed):\n    {body}\n")

    with pytest.raises(error, match=expected):
        load_part(RunConfig(dataset=f"{name}:load"), 0)


COUNTING = """
    import numpy as np
    from engine.data import Dataset

    asked = []

    def load(part, parts, seed):
        asked.append(part)
        x = np.full((5, 3), part, np.float32)
        return Dataset(x, np.full(5, part), x[:1], [0], classes=9)
    """


def test_the_server_asks_for_each_part_once_and_a_client_for_its_own_alone(user_module):
    user_module("counting_data", COUNTING)
    config = RunConfig(dataset="counting_data:load", clients=4)
    asked = importlib.import_module("counting_data").asked

    load_held_out(config)
    assert data_spec(config) == ((3,), False, 9)
    assert [len(labels) for labels in load_labels(config)] == [5] * 4
    assert partition_table(config)[3].tolist() == [0, 0, 0, 5, 0, 0, 0, 0, 0]
    assert asked == [0, 1, 2, 3]

    another = RunConfig(dataset="counting_data:load", clients=4, seed=2)
    asked.clear()
    load_part(another, 2)
    data_spec(another)
    assert asked == [2]


def test_a_subset_that_leaves_a_part_without_examples_is_refused(user_module):
    user_module("small_subset", COUNTING)

    with pytest.raises(DataError, match="subset_size = 1 is too few for 2 parts"):
        load_labels(RunConfig(dataset="small_subset:load", clients=2, subset_size=1))


def test_parts_of_different_images_or_classes_are_refused(user_module):
    user_module(
        "uneven",
        """
        import numpy as np
        from engine.data import Dataset

        def load(part, parts, seed):
            x = np.zeros((2, 8 + part, 8, 1), np.uint8)
            return Dataset(x, [0, 1], x, [0, 1])
        """,
    )

    with pytest.raises(DataError, match=r"\(9, 8, 1\) in 10 classes in part 1, images of shape \(8, 8, 1\)"):
        load_labels(RunConfig(dataset="uneven:load", clients=2))


def test_a_module_that_ends_the_process_is_a_configuration_error(user_module):
    user_module("quits", "raise SystemExit(0)")

    with pytest.raises(ConfigError, match=r"dataset = 'quits:load': SystemExit: 0"):
        load_part(RunConfig(dataset="quits:load"), 0)


def test_a_module_that_does_not_exist_is_a_configuration_error():
    with pytest.raises(ConfigError, match=r"dataset = 'no_such_module:load': ModuleNotFoundError"):
        load_part(RunConfig(dataset="no_such_module:load"), 0)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (np.zeros((2, 4, 4, 3), int), [0], "examples of shape"),
        (np.zeros(2), [0, 1], "examples of shape"),
        (np.zeros((2, 0)), [0, 1], "examples of shape"),
        (np.zeros((2, 16), int), [0, 1], "or features as floating numbers of any shape"),
        (np.zeros((2, 4, 4, 3, 1), int), [0, 1], "or features as floating numbers of any shape"),
        (np.zeros((2, 4, 4), bool), [0, 1], "examples of type bool"),
        (np.full((1, 4, 4, 3), 256), [0], "image values from 256"),
        (np.full((1, 4, 4), -1), [0], "image values from -1"),
        (np.array([[0.0, np.nan]]), [0], "NaN or Inf"),
        (np.array([[0.0, -np.inf]]), [0], "NaN or Inf"),
        (np.array([[0.0, 1e39]]), [0], "NaN or Inf in float32"),
        (np.zeros((1, 4)), [0.5], "labels of type float64"),
        (np.zeros((1, 4)), [-1], "whole numbers from 0"),
        (np.zeros((1, 4)), [2**32], "whole numbers from 0"),
    ],
)
def test_what_is_no_set_of_labelled_examples_is_refused(x, y, expected):
    with pytest.raises(DataError, match=expected):
        preprocess_data(x, y)


def test_integers_are_images_bytes_with_a_channel_and_labels_are_flat():
    x, y = preprocess_data(np.full((2, 4, 4), 7), np.array([[1], [2]]))

    assert (x.shape, x.dtype, x.max()) == ((2, 4, 4, 1), np.uint8, 7)
    assert (y.tolist(), y.dtype) == ([1, 2], np.int32)


@given(
    npst.arrays(
        np.float32,
        npst.array_shapes(min_dims=2, max_dims=5, max_side=4),
        elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
    )
)
def test_floats_are_features_kept_to_the_last_bit(values):
    labels = np.zeros(len(values), np.int32)

    assert preprocess_data(values.astype(np.float64), labels).x.tobytes() == values.tobytes()
    assert preprocess_data(values, labels).x is values


def test_what_is_in_its_form_is_not_copied():
    images, labels = np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2, np.int32)
    kept = preprocess_data(images, labels)

    assert kept.x is images
    assert np.shares_memory(kept.y, labels)


def test_a_test_set_of_another_kind_is_refused():
    with pytest.raises(DataError, match=r"has images of shape \(4, 4, 1\).*the test set features of shape"):
        Dataset(np.zeros((1, 4, 4, 1), int), [0], np.zeros((1, 4, 4, 1)), [0])


def test_a_label_beyond_the_classes_is_refused():
    x = np.zeros((1, 4, 4, 1), np.uint8)

    with pytest.raises(DataError, match="mine, test set: label 3 is not below classes = 3"):
        Dataset(x, [0], x, [3], name="mine", classes=3)
