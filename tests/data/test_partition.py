"""However examples are divided: every one goes to one part, no part is empty, the same seed divides alike."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.partition import count_labels, create_data_partitions, dirichlet, split, write_partition
from engine.data.randomness import generator
from engine.errors import DataError

SCHEMES = ["iid", "shards", "dirichlet"]


@st.composite
def divisions(draw):
    parts = draw(st.integers(1, 12))
    shards = draw(st.integers(1, 4))
    labels = draw(st.lists(st.integers(0, 9), min_size=parts * shards, max_size=200))
    return np.array(labels, np.int32), parts, shards


@pytest.mark.parametrize("scheme", SCHEMES)
@given(division=divisions(), seed=st.integers(0, 2**32 - 1), alpha=st.sampled_from([1e-3, 0.1, 1.0, 100.0]))
def test_parts_are_disjoint_cover_everything_and_none_is_empty(scheme, division, seed, alpha):
    labels, parts, shards = division

    divided = split(
        labels, parts, generator(seed), scheme=scheme, dirichlet_alpha=alpha, shards_per_client=shards
    )

    assert len(divided) == parts
    assert all(len(part) > 0 for part in divided)
    assert np.array_equal(np.sort(np.concatenate(divided)), np.arange(len(labels)))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_seed_decides_the_division(scheme):
    labels = np.arange(300, dtype=np.int32) % 10

    def divide(seed):
        return [part.tolist() for part in split(labels, 5, generator(seed), scheme=scheme)]

    assert divide(1) == divide(1)
    assert divide(1) != divide(2)


def test_iid_parts_differ_in_size_by_one_at_most():
    sizes = [len(part) for part in split(np.zeros(103, np.int32), 4, generator(1), scheme="iid")]

    assert sorted(sizes) == [25, 26, 26, 26]


def test_two_shards_give_a_part_few_labels():
    labels = np.repeat(np.arange(10, dtype=np.int32), 100)

    divided = split(labels, 10, generator(1), scheme="shards", shards_per_client=2)

    assert all(len(np.unique(labels[part])) <= 2 for part in divided)


def test_a_small_alpha_skews_more_than_a_large_one():
    labels = np.repeat(np.arange(10, dtype=np.int32), 500)

    def largest_share(alpha):
        table = count_labels([labels[part] for part in dirichlet(labels, 5, generator(1), alpha)], 10)
        return (table.max(axis=0) / table.sum(axis=0)).mean()

    assert largest_share(0.1) > 0.6
    assert largest_share(100) < 0.3


@pytest.mark.parametrize(("scheme", "needed"), [("iid", 4), ("shards", 8), ("dirichlet", 4)])
def test_too_few_examples_say_how_many_are_needed(scheme, needed):
    with pytest.raises(
        DataError, match=f"3 examples are too few for 4 parts, {scheme} needs at least {needed}"
    ):
        split(np.zeros(3, np.int32), 4, generator(1), scheme=scheme)


def test_the_specification_divides_images_together_with_their_labels():
    x = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    y = np.arange(10, dtype=np.int32)

    parts = create_data_partitions(x, y, 3)

    assert all(np.array_equal(part.x.reshape(-1), part.y) for part in parts)
    assert sorted(np.concatenate([part.y for part in parts]).tolist()) == list(range(10))


def test_the_table_is_written_with_one_row_for_each_part(tmp_path):
    table = count_labels([np.array([0, 0, 2]), np.array([1])], 3)

    write_partition(table, tmp_path / "partition.csv")

    with (tmp_path / "partition.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["part", "examples", "label_0", "label_1", "label_2"],
            ["0", "3", "2", "0", "1"],
            ["1", "1", "0", "1", "0"],
        ]
