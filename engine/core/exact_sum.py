"""A weighted mean of updates that is the same, bit for bit, in whatever order they come.

Each product n * delta is rounded, half to even, to a multiple of 2^-36 and added as a 64-bit integer. Integer
addition is associative, and the bounds below keep it from overflowing: |delta| <= 2^6 and fewer than 2^21
examples in total give sums below 2^27, which is 2^63 steps of the grid.

The rounding is one addition (after Dekker 1971): between 2^16 and 2^17 a float64 is a multiple of 2^-36, so
adding 1.5 * 2^16 rounds, and the bits of the result, read as an integer, count steps of the grid from the
bits of that constant. The accumulator adds these bits as they are and takes the constants off at the end.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.config import MAX_TOTAL_EXAMPLES
from engine.core.weights import Vector
from engine.errors import LayoutMismatch, OutOfRange

MAX_ABS_DELTA: Final = 64.0
"""Largest |value| of an update that the sum can hold."""
GRID: Final = 2.0**-36
"""Step of the sum; with n examples behind each update the mean is exact to GRID / (2n), before float32."""

_BLOCK: Final = 1 << 18
"""Values handled at a time: the scratch stays in the cache, and memory is read in long runs."""
_MAGIC: Final = 1.5 * 2.0**16
_MAGIC_BITS: Final = int(np.float64(_MAGIC).view(np.int64))
_MAGIC_RANGE: Final = 2.0**15
"""|x| up to which _MAGIC + x stays between 2^16 and 2^17."""


def peak(delta: Vector) -> float:
    """Largest absolute value; NaN if any value is not finite, 0 for an empty vector."""
    if delta.size == 0:
        return 0.0
    largest = abs(float(max(delta.max(), -delta.min())))
    return largest if np.isfinite(largest) else float("nan")


class ExactSum:
    """Sum of updates, each weighted by its number of examples.

    Takes the memory of two models and a block, however many updates are added.

    Args:
        size: number of values in an update.
    """

    def __init__(self, size: int) -> None:
        self._steps: NDArray[np.int64] = np.zeros(size, np.int64)
        self._constants = np.zeros(-(-size // _BLOCK), np.int64)
        """How often each block has had _MAGIC_BITS added."""
        self._scratch = np.empty(min(size, _BLOCK), np.float64)
        self._count = 0
        self._num_examples = 0

    @property
    def count(self) -> int:
        """Updates in the sum."""
        return self._count

    @property
    def num_examples(self) -> int:
        """Examples behind the updates in the sum."""
        return self._num_examples

    def add(self, delta: Vector, num_examples: int, scale: float = 1.0) -> None:
        """Adds num_examples * scale * delta.

        Args:
            delta: of the sum's size.
            num_examples: what the update weighs; the mean is divided by their total, whatever the scale.
            scale: from 0 to 1, for example what FedBuff makes of a stale update.

        Raises:
            OutOfRange: a value is not finite or beyond MAX_ABS_DELTA, the scale is not from 0 to 1, or the
                examples are less than one or together more than MAX_TOTAL_EXAMPLES. The sum is as it was.
            LayoutMismatch: the update has another size.
        """
        if delta.shape != self._steps.shape:
            raise LayoutMismatch(f"an update of {delta.shape} values for a sum of {self._steps.shape}")
        if num_examples < 1 or self._num_examples + num_examples > MAX_TOTAL_EXAMPLES:
            raise OutOfRange(
                f"{num_examples} examples beside {self._num_examples}; 1 to {MAX_TOTAL_EXAMPLES} in total"
            )
        if not 0 <= scale <= 1:
            raise OutOfRange(f"a scale of {scale}; 0 to 1 is allowed")
        weight = num_examples * scale
        for start in range(0, delta.size, _BLOCK):
            largest = peak(delta[start : start + _BLOCK])
            if not largest <= MAX_ABS_DELTA:
                self._take_back(delta[:start], weight)
                raise OutOfRange(f"a value of {largest} in an update; at most {MAX_ABS_DELTA} is allowed")
            steps, constants = self._to_steps(delta[start : start + _BLOCK], weight, largest)
            total = self._steps[start : start + _BLOCK]
            total += steps
            self._constants[start // _BLOCK] += constants
        self._count += 1
        self._num_examples += num_examples

    def mean(self, out: Vector | None = None) -> Vector:
        """The sum divided by the number of examples, rounded to float32.

        Args:
            out: where to write it; a new vector if None.

        Raises:
            OutOfRange: nothing has been added.
        """
        if self._num_examples == 0:
            raise OutOfRange("there is no mean of no updates")
        result = np.empty(self._steps.size, np.float32) if out is None else out
        for block, start in enumerate(range(0, self._steps.size, _BLOCK)):
            total, part = self._steps[start : start + _BLOCK], result[start : start + _BLOCK]
            steps = self._scratch[: total.size].view(np.int64)
            np.subtract(total, _wrap(int(self._constants[block]) * _MAGIC_BITS), out=steps)
            np.divide(steps, self._num_examples / GRID, out=part, casting="same_kind")
        return result

    def reset(self) -> None:
        """Empties the sum and keeps its memory."""
        self._steps.fill(0)
        self._constants.fill(0)
        self._count = 0
        self._num_examples = 0

    def _to_steps(self, block: Vector, weight: float, largest: float) -> tuple[NDArray[np.int64], int]:
        """Steps of the grid in weight * block, and how often _MAGIC_BITS is in them."""
        product = self._scratch[: block.size]
        np.copyto(product, block)
        product *= weight  # Exact for a whole number: 24 and 21 bits fit in the 53 of a float64.
        if largest * weight <= _MAGIC_RANGE:
            product += _MAGIC
            return product.view(np.int64), 1
        product /= GRID
        return np.rint(product, out=product).astype(np.int64), 0

    def _take_back(self, delta: Vector, weight: float) -> None:
        """Undoes the blocks of a refused update that were already added; integers leave no trace."""
        for start in range(0, delta.size, _BLOCK):
            block = delta[start : start + _BLOCK]
            steps, constants = self._to_steps(block, weight, peak(block))
            total = self._steps[start : start + _BLOCK]
            total -= steps
            self._constants[start // _BLOCK] -= constants


def _wrap(value: int) -> np.int64:
    """The value modulo 2^64, as the accumulator holds it."""
    return np.int64((value + 2**63) % 2**64 - 2**63)
