"""The official layout, found where people keep it, and said precisely where it is not what it should be."""

import os
import pickle
import shutil

import numpy as np
import pytest

from engine.data import cifar10
from engine.data.cifar10 import Cifar10
from engine.errors import DataError


def rewrite(path, **changes):
    content = pickle.loads(path.read_bytes())  # noqa: S301 - written by this test
    content.update({key.encode(): value for key, value in changes.items()})
    path.write_bytes(pickle.dumps(content))


def test_the_folder_is_found_by_its_own_name_and_by_its_parents(cifar_folder, monkeypatch):
    assert cifar10.find() == cifar_folder

    monkeypatch.setenv("FLCONSOLE_DATA", str(cifar_folder))
    assert cifar10.find() == cifar_folder


@pytest.mark.parametrize("place", ["cifar-10-batches-py", "cifar-10-batches-py-target/cifar-10-batches-py"])
def test_the_folder_is_found_in_the_cache_of_keras(cifar_folder, tmp_path, monkeypatch, place):
    monkeypatch.delenv("FLCONSOLE_DATA")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    cached = tmp_path / "keras" / "datasets" / place
    shutil.copytree(cifar_folder, cached)

    assert cifar10.find() == cached


def test_where_it_is_not_nothing_is_found(no_data):
    assert cifar10.find() is None


def test_a_folder_that_was_named_must_exist(monkeypatch, tmp_path):
    monkeypatch.setenv("FLCONSOLE_DATA", str(tmp_path / "nowhere"))

    with pytest.raises(DataError, match="nowhere: no such folder"):
        cifar10.find()


def test_a_batch_as_python_2_wrote_it_is_read(tmp_path):
    """The published files: protocol 2, byte strings as text, numpy under its old module name."""
    path = tmp_path / "data_batch_1"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T\x00\x18\x00\x00"
        + bytes(3072)
        + b"\xff" * 3072
        + b"tb"
    )
    path.write_bytes(b"\x80\x02}(U\x04data" + array + b"U\x06labels](K\x03K\x07eu.")

    x, y = cifar10.read_batch(path)

    assert (x.min(axis=(1, 2, 3)).tolist(), x.max(axis=(1, 2, 3)).tolist()) == ([0, 255], [0, 255])
    assert y.tolist() == [3, 7]


def test_rows_become_images_with_channels_last(cifar_folder):
    raw = pickle.loads((cifar_folder / "data_batch_2").read_bytes())[b"data"]  # noqa: S301 - a fixture's file

    image = Cifar10(cifar_folder).train_rows(np.array([23]))[0]

    assert image.shape == (32, 32, 3)
    assert np.array_equal(image.transpose(2, 0, 1).reshape(-1), raw[3])


def test_rows_come_in_the_order_asked_for_across_batches(cifar_folder):
    source = Cifar10(cifar_folder)
    wanted = np.array([99, 0, 41, 40, 7])

    together = source.train_rows(wanted)

    assert all(np.array_equal(together[i], source.train_rows(wanted[i : i + 1])[0]) for i in range(5))
    assert source.train_labels()[wanted].tolist() == [9, 0, 1, 0, 7]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"data": np.zeros((20, 3071), np.uint8)}, r"data is of shape \(20, 3071\); expected bytes"),
        ({"data": np.zeros((20, 3072), np.float32)}, "an array that is not of bytes"),
        ({"data": [1, 2]}, "data is a list"),
        ({"labels": [0] * 19}, "20 images and 19 labels"),
        ({"labels": [10] * 20}, "expected a list of numbers from 0 to 9"),
        ({"labels": "text"}, "labels are a str"),
    ],
)
def test_a_batch_of_another_shape_names_path_and_expectation(cifar_folder, changes, expected):
    rewrite(cifar_folder / "data_batch_3", **changes)

    with pytest.raises(DataError, match=f"data_batch_3: .*{expected}"):
        Cifar10(cifar_folder).train_labels()


def test_a_batch_without_labels_is_not_one(cifar_folder):
    (cifar_folder / "test_batch").write_bytes(pickle.dumps({b"data": np.zeros((1, 3072), np.uint8)}))

    with pytest.raises(DataError, match="test_batch: has no 'labels'"):
        Cifar10(cifar_folder).held_out()


def test_a_missing_batch_is_named(cifar_folder):
    (cifar_folder / "data_batch_5").unlink()

    with pytest.raises(DataError, match="data_batch_5: No such file"):
        Cifar10(cifar_folder).train_labels()


@pytest.mark.skipif("FLCONSOLE_DATA" not in os.environ, reason="FLCONSOLE_DATA does not name CIFAR-10")
def test_the_real_data_set_has_five_thousand_images_of_each_class():
    folder = cifar10.find()
    assert folder is not None
    source = Cifar10(folder)

    assert np.bincount(source.train_labels()).tolist() == [5000] * 10
    assert np.bincount(source.held_out().y).tolist() == [1000] * 10
