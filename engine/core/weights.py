"""A model is one flat float32 vector and a layout that says where each tensor lies in it.

Serialisation is then one copy, aggregation one multiply-add, clipping one norm. Floating non-trainables
(batch-normalisation statistics) are in the vector with their role, so that a server optimizer can leave
them alone. Variables that are not floating stay as in the initial model; their hash is in the layout.
"""

import enum
import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from engine.errors import LayoutMismatch

Vector = NDArray[np.float32]


class Role(enum.StrEnum):
    """What a tensor is for."""

    TRAINABLE = "trainable"
    STATISTIC = "statistic"


class Tensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tensor of a model: its name, its shape and its role."""

    name: str
    shape: tuple[int, ...]
    role: Role = Role.TRAINABLE

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """The tensors of a model in the order in which they lie in its vector."""

    tensors: tuple[Tensor, ...]
    fixed_digest: str = ""
    """BLAKE3 (hex) of the variables that are not in the vector; empty where there are none."""

    @functools.cached_property
    def size(self) -> int:
        """Number of float32 values in the vector."""
        return sum(tensor.size for tensor in self.tensors)

    @property
    def num_bytes(self) -> int:
        return 4 * self.size

    @functools.cached_property
    def canonical(self) -> bytes:
        """The layout as canonical JSON, the form that is hashed."""
        return msgspec.json.encode(self, order="deterministic")

    @functools.cached_property
    def digest(self) -> str:
        return blake3(self.canonical).hexdigest()

    @functools.cached_property
    def slices(self) -> tuple[slice, ...]:
        """Where each tensor lies in the vector."""
        stops = list(np.cumsum([tensor.size for tensor in self.tensors], dtype=np.int64))
        return tuple(
            slice(int(stop) - t.size, int(stop)) for t, stop in zip(self.tensors, stops, strict=True)
        )

    def differences(self, other: "Layout") -> list[str]:
        """One line for each tensor that is not the same in both; empty when the layouts agree."""
        ours, theirs = ({t.name: t for t in layout.tensors} for layout in (self, other))
        lines = [f"{name}: missing" for name in ours if name not in theirs]
        lines += [f"{name}: unexpected" for name in theirs if name not in ours]
        lines += [
            f"{name}: {list(theirs[name].shape)} {theirs[name].role} instead of {list(t.shape)} {t.role}"
            for name, t in ours.items()
            if name in theirs and theirs[name] != t
        ]
        if not lines and [t.name for t in self.tensors] != [t.name for t in other.tensors]:
            lines.append("the same tensors in another order")
        if not lines and self.fixed_digest != other.fixed_digest:
            lines.append("the variables that are not floating differ")
        return lines


@dataclass(frozen=True, slots=True)
class Weights:
    """A model's values: one contiguous float32 vector of `layout.size` values.

    Raises:
        LayoutMismatch: the vector has another length, dtype or dimension than the layout says.
    """

    layout: Layout
    vector: Vector

    def __post_init__(self) -> None:
        if self.vector.shape != (self.layout.size,) or self.vector.dtype != np.float32:
            raise LayoutMismatch(
                f"a vector of {self.vector.shape} {self.vector.dtype} does not fit a layout of "
                f"{self.layout.size} float32 values"
            )

    @classmethod
    def from_arrays(cls, layout: Layout, arrays: Iterable[NDArray[np.floating]]) -> "Weights":
        """Copies `arrays`, given in the layout's order, into one vector.

        Raises:
            LayoutMismatch: an array is missing, left over, or has another shape.
        """
        given = list(arrays)
        wrong = [
            f"{t.name}: {list(a.shape)} instead of {list(t.shape)}"
            for t, a in zip(layout.tensors, given, strict=False)
            if tuple(a.shape) != t.shape
        ]
        if wrong or len(given) != len(layout.tensors):
            raise LayoutMismatch("; ".join(wrong) or f"{len(given)} arrays instead of {len(layout.tensors)}")
        vector = np.empty(layout.size, np.float32)
        for where, array in zip(layout.slices, given, strict=True):
            vector[where] = array.reshape(-1)
        return cls(layout, vector)

    def views(self) -> Sequence[Vector]:
        """The tensors as views of the vector, shaped."""
        return [
            self.vector[where].reshape(tensor.shape)
            for where, tensor in zip(self.layout.slices, self.layout.tensors, strict=True)
        ]

    def digest(self) -> str:
        """Unkeyed BLAKE3 (hex) over the canonical layout and the vector: the model's identity."""
        hasher = blake3(self.layout.canonical)
        hasher.update(np.ascontiguousarray(self.vector).view(np.uint8).data)
        return hasher.hexdigest()
