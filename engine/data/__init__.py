"""Where examples come from and who gets which. numpy alone; a client keeps its own rows only."""

from engine.data.dataset import Dataset, DataSpec, Examples, preprocess_data
from engine.data.loading import (
    Resolution,
    data_spec,
    load_cifar10_data,
    load_held_out,
    load_labels,
    load_part,
    partition_table,
    resolve_dataset,
    split_local_test,
)
from engine.data.partition import create_data_partitions, write_partition

__all__ = [
    "DataSpec",
    "Dataset",
    "Examples",
    "Resolution",
    "create_data_partitions",
    "data_spec",
    "load_cifar10_data",
    "load_held_out",
    "load_labels",
    "load_part",
    "partition_table",
    "preprocess_data",
    "resolve_dataset",
    "split_local_test",
    "write_partition",
]
