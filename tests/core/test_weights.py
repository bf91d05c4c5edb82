"""A model as one vector and a layout."""

import numpy as np
import pytest

from engine.core.weights import Layout, Role, Tensor, Weights
from engine.errors import LayoutMismatch

LAYOUT = Layout(
    (
        Tensor("kernel", (2, 3)),
        Tensor("scale", ()),
        Tensor("empty", (0, 4)),
        Tensor("mean", (2,), Role.STATISTIC),
    )
)
ARRAYS = [np.arange(6.0).reshape(2, 3), np.float32(7), np.empty((0, 4)), np.array([8.0, 9.0])]


def test_tensors_lie_one_after_the_other_and_come_back_as_views():
    weights = Weights.from_arrays(LAYOUT, [np.asarray(a, np.float32) for a in ARRAYS])

    views = weights.views()

    assert weights.vector.tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    assert [v.tolist() for v in views] == [np.asarray(a).tolist() for a in ARRAYS]
    assert all(np.shares_memory(v, weights.vector) for v in views if v.size)


def test_a_transposed_array_is_copied_by_its_meaning_not_its_memory():
    layout = Layout((Tensor("kernel", (3, 2)),))
    transposed = np.arange(6, dtype=np.float32).reshape(2, 3).T

    assert Weights.from_arrays(layout, [transposed]).vector.tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize("vector", [np.zeros(8, np.float32), np.zeros(9), np.zeros((9, 1), np.float32)])
def test_a_vector_that_does_not_fit_is_refused(vector):
    with pytest.raises(LayoutMismatch, match="does not fit"):
        Weights(LAYOUT, vector)


@pytest.mark.parametrize("arrays", [ARRAYS[:3], [*ARRAYS, ARRAYS[0]], [ARRAYS[0].T, *ARRAYS[1:]]])
def test_arrays_that_do_not_fit_are_refused(arrays):
    with pytest.raises(LayoutMismatch):
        Weights.from_arrays(LAYOUT, [np.asarray(a, np.float32) for a in arrays])


def test_the_digest_tells_layouts_and_values_apart():
    vector = np.zeros(4, np.float32)
    other = vector.copy()
    other[3] = -0.0
    layouts = [Layout((Tensor("a", (4,)),)), Layout((Tensor("a", (2, 2)),)), Layout((Tensor("b", (4,)),))]

    digests = {Weights(layout, v).digest() for layout in layouts for v in (vector, other)}

    assert len(digests) == 6


def test_differences_name_the_tensor():
    kernel, bias = Tensor("kernel", (2, 3)), Tensor("bias", (3,))
    ours = Layout((kernel, bias))

    assert ours.differences(ours) == []
    assert ours.differences(Layout((kernel,))) == ["bias: missing"]
    assert Layout((kernel,)).differences(ours) == ["bias: unexpected"]
    assert "kernel: [3, 2]" in ours.differences(Layout((Tensor("kernel", (3, 2)), bias)))[0]
    assert "another order" in ours.differences(Layout((bias, kernel)))[0]
    assert "not floating" in ours.differences(Layout((kernel, bias), "00"))[0]
