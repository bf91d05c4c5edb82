"""How alike updates are, told from a sketch of each, so that no update has to be kept for it.

A sketch is a random projection: every value of a delta is added, with a random sign, to one of `SIZE` sums.
Since the signs are independent, the inner product of two sketches is on average that of the deltas (the
"tug of war" of Alon, Matias and Szegedy 1996, one for each sum, as in the count sketch of Charikar, Chen and
Farach-Colton 2002), and a cosine has an error of about 1 / sqrt(SIZE) = 1/16 where deltas are unlike, less
where they are alike (Johnson and Lindenstrauss 1984).

Which sum a value goes to is its position modulo `SIZE`. That is a prime: whatever the width of a layer, the
values of one column of it go to all sums alike.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.core.weights import Vector

SIZE: Final = 257
"""Values of a sketch."""
DIGITS: Final = 3
"""Decimals of a cosine: more than the sketches can tell."""

_ROWS: Final = 512
_BLOCK: Final = _ROWS * SIZE
"""Values handled at a time: the scratch stays in the cache. Divisible by 8, the signs in a byte."""

Sketch = NDArray[np.float64]


def sketch(delta: Vector, seed: int) -> Sketch:
    """Projects a delta; sketches of the same seed can be compared.

    Args:
        delta: shape (n,).
        seed: decides the signs.

    Returns:
        Shape (SIZE,).
    """
    signs = np.random.default_rng(seed)
    sums = np.zeros(SIZE)
    products = np.empty(_BLOCK, np.float32)
    for start in range(0, delta.size, _BLOCK):
        block = delta[start : start + _BLOCK]
        bits = np.unpackbits(np.frombuffer(signs.bytes(_BLOCK // 8), np.uint8))
        np.subtract(bits, np.float32(0.5), out=products)  # minus or plus one half: a cosine has no scale
        products[: block.size] *= block
        products[block.size :] = 0
        sums += products.reshape(_ROWS, SIZE).sum(axis=0)
    return sums


def cosines(sketches: Sequence[Sketch]) -> list[list[float | None]]:
    """The cosine of each pair, between -1 and 1; null beside a delta that is zero and has no direction.

    Args:
        sketches: k of them, of the same seed.

    Returns:
        k rows of k, symmetric, 1 on the diagonal.
    """
    stacked = np.array(sketches).reshape(len(sketches), SIZE)
    lengths = np.linalg.norm(stacked, axis=1)
    directions = stacked / np.where(lengths == 0, 1, lengths)[:, np.newaxis]
    products = np.clip(directions @ directions.T, -1, 1).round(DIGITS).tolist()
    return [
        [cosine if one and other else None for cosine, other in zip(row, lengths, strict=True)]
        for row, one in zip(products, lengths, strict=True)
    ]
