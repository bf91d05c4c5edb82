"""A pickle may hold arrays and plain containers; anything it could call is refused before it is called."""

import io
import os
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import restricted_pickle
from engine.errors import DataError


class Malicious:
    """Runs a command when a plain unpickler meets it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def read_or_refuse(path):
    """Any other exception, and any other kind of value, fails the test."""
    try:
        content = restricted_pickle.load(path)
    except DataError as error:
        problem = str(error)
    else:
        assert_plain(content)
        problem = str(path)
    assert problem.startswith(str(path))


def assert_plain(value):
    stand_in = (
        type(value).__module__ == restricted_pickle.__name__ or value in restricted_pickle._ALLOWED.values()
    )
    assert stand_in or value is None or type(value).__module__ == "builtins"
    assert stand_in or not callable(value)
    if isinstance(value, dict | list | tuple | set | frozenset):
        for item in value:
            assert_plain(item)


def test_arrays_and_plain_containers_are_read(tmp_path):
    path = tmp_path / "batch"
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    path.write_bytes(pickle.dumps({b"data": array, "labels": [1, 2], "names": ("a", b"b")}))

    content = restricted_pickle.load(path)

    assert np.array_equal(content[b"data"].values, array)
    assert (content["labels"], content["names"]) == ([1, 2], ("a", b"b"))


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_pickle_that_would_run_a_command_is_refused_and_runs_nothing(tmp_path, protocol):
    path, trace = tmp_path / "batch", tmp_path / "it-ran"
    path.write_bytes(pickle.dumps({b"data": Malicious(trace)}, protocol=protocol))

    with pytest.raises(DataError, match=r"batch: .*system, not allowed"):
        restricted_pickle.load(path)
    assert not trace.exists()


def test_the_array_protocol_cannot_be_used_to_reach_other_callables(tmp_path):
    path = tmp_path / "batch"
    path.write_bytes(b"cnumpy._core.multiarray\nfromfile\n(S'/etc/passwd'\ntR.")

    with pytest.raises(DataError, match="not allowed"):
        restricted_pickle.load(path)


def test_an_array_of_python_objects_is_refused(tmp_path):
    path, trace = tmp_path / "batch", tmp_path / "it-ran"
    array = np.empty(1, object)
    array[0] = Malicious(trace)
    path.write_bytes(pickle.dumps(array))

    with pytest.raises(DataError, match="not allowed"):
        restricted_pickle.load(path)
    assert not trace.exists()


@pytest.mark.parametrize("array", [np.zeros(3), np.asfortranarray(np.zeros((2, 2), np.uint8))])
def test_an_array_of_anything_but_bytes_in_rows_is_refused(tmp_path, array):
    path = tmp_path / "batch"
    path.write_bytes(pickle.dumps(array))

    with pytest.raises(DataError, match="not of bytes in row-major order"):
        restricted_pickle.load(path)


def test_a_truncated_pickle_names_its_path(tmp_path):
    path = tmp_path / "batch"
    path.write_bytes(pickle.dumps(np.zeros(1000, np.uint8))[:-50])

    with pytest.raises(DataError, match="batch: not a readable pickle"):
        restricted_pickle.load(path)


def test_a_file_that_is_far_too_large_is_not_opened(tmp_path):
    path = tmp_path / "batch"
    with path.open("wb") as file:
        file.truncate(restricted_pickle.MAX_FILE_BYTES + 1)

    with pytest.raises(DataError, match="this is not a CIFAR-10 batch"):
        restricted_pickle.load(path)


def test_a_missing_file_names_its_path(tmp_path):
    with pytest.raises(DataError, match="nothing: No such file"):
        restricted_pickle.load(tmp_path / "nothing")


def test_a_bytearray_that_announces_a_terabyte_is_refused_unallocated(tmp_path):
    path = tmp_path / "batch"
    path.write_bytes(pickle.PROTO + b"\5" + pickle.BYTEARRAY8 + (1 << 40).to_bytes(8, "little") + b".")
    tracemalloc.start()
    with pytest.raises(DataError, match="bytearray"):
        restricted_pickle.load(path)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most_bytes < 100_000


@given(st.binary(max_size=200))
def test_any_bytes_give_plain_values_or_a_data_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("hostile") / "batch"
    path.write_bytes(content)

    read_or_refuse(path)


@given(st.data())
def test_a_damaged_batch_gives_plain_values_or_a_data_error(tmp_path_factory, data):
    stream = io.BytesIO()
    pickle.dump({b"data": np.zeros((2, 3), np.uint8), b"labels": [1, 2]}, stream)
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "batch"
    path.write_bytes(bytes(content))

    read_or_refuse(path)
