"""How training examples are divided among clients: disjoint, covering, seeded, no part empty."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.config import MAX_TOTAL_EXAMPLES
from engine.data.dataset import Examples, Features, Images, Indices, Labels
from engine.data.randomness import generator
from engine.errors import DataError

Scheme = Literal["iid", "shards", "dirichlet"]


def split(
    labels: Labels,
    parts: int,
    rng: np.random.Generator,
    *,
    scheme: Scheme = "iid",
    dirichlet_alpha: float = 0.5,
    shards_per_client: int = 2,
) -> list[Indices]:
    """Divides the examples by one of the schemes below; each part's indices ascend.

    Raises:
        DataError: there are too few examples for every part to get one.
    """
    needed = parts * (shards_per_client if scheme == "shards" else 1)
    if len(labels) < needed:
        raise DataError(
            f"{len(labels)} examples are too few for {parts} parts, {scheme} needs at least {needed}"
        )
    if scheme == "iid":
        divided = iid(len(labels), parts, rng)
    elif scheme == "shards":
        divided = label_shards(labels, parts, rng, shards_per_client)
    else:
        divided = dirichlet(labels, parts, rng, dirichlet_alpha)
    return [np.sort(part) for part in divided]


def iid(num_examples: int, parts: int, rng: np.random.Generator) -> list[Indices]:
    """Shuffled and cut into parts whose sizes differ by one at most."""
    return np.array_split(rng.permutation(num_examples), parts)


def label_shards(
    labels: Labels, parts: int, rng: np.random.Generator, shards_per_client: int
) -> list[Indices]:
    """Sorted by label, cut into equal shards, `shards_per_client` to each part (McMahan et al. 2017)."""
    shuffled = rng.permutation(len(labels))
    by_label = shuffled[np.argsort(labels[shuffled], kind="stable")]
    shards = np.array_split(by_label, parts * shards_per_client)
    dealt = rng.permutation(len(shards)).reshape(parts, shards_per_client)
    return [np.concatenate([shards[shard] for shard in hand]) for hand in dealt]


def dirichlet(labels: Labels, parts: int, rng: np.random.Generator, alpha: float) -> list[Indices]:
    """Each class divided by proportions from Dirichlet(alpha) (Hsu et al. 2019); a small alpha skews.

    A part that came out empty gets one example of the part that is largest at that moment.
    """
    hands: list[list[Indices]] = [[] for _ in range(parts)]
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        cuts = np.cumsum(rng.dirichlet(np.full(parts, alpha)))[:-1] * len(members)
        for hand, piece in zip(hands, np.split(members, np.rint(cuts).astype(np.int64)), strict=True):
            hand.append(piece)
    divided = [np.concatenate(hand) for hand in hands]
    for empty in [number for number, part in enumerate(divided) if len(part) == 0]:
        largest = max(range(parts), key=lambda number: len(divided[number]))
        divided[empty], divided[largest] = divided[largest][:1], divided[largest][1:]
    return divided


def draw(available: int, wanted: int, rng: np.random.Generator, *, what: str) -> Indices:
    """`wanted` of `available` indices without repetition, ascending.

    Raises:
        DataError: fewer are available; names the key `what`.
    """
    if wanted > available:
        raise DataError(f"{what} = {wanted}, but there are {available} examples")
    return np.sort(rng.permutation(available)[:wanted])


def check_total(num_examples: int) -> None:
    """Refuses more examples than a round can weigh.

    Raises:
        DataError: there are more; says which key helps.
    """
    if num_examples > MAX_TOTAL_EXAMPLES:
        raise DataError(
            f"{num_examples} training examples are more than the {MAX_TOTAL_EXAMPLES} a round can weigh; "
            "set subset_size"
        )


def create_data_partitions(
    X: Images | Features,  # noqa: N803 - the specification's name
    y: Labels,
    num_clients: int,
    *,
    scheme: Scheme = "iid",
    rng: np.random.Generator | None = None,
) -> list[Examples]:
    """Divides examples and labels among clients.

    Args:
        X: images or features, (n, ...).
        y: labels, (n,).
        num_clients: number of parts.
        scheme: see `split`.
        rng: source of randomness; by default seeded with 0.

    Raises:
        DataError: there are too few examples for every part to get one.
    """
    rng = rng or generator(0, "partition")
    return [Examples(X[part], y[part]) for part in split(y, num_clients, rng, scheme=scheme)]


def count_labels(parts: Sequence[Labels], classes: int) -> NDArray[np.int64]:
    """The table of a partition: one row for each part, one column for each class."""
    return np.stack([np.bincount(labels, minlength=classes) for labels in parts])


def write_partition(table: NDArray[np.int64], path: Path) -> None:
    """Writes a partition's table as CSV: part, examples, then the count of each label."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["part", "examples", *(f"label_{label}" for label in range(table.shape[1]))])
        for part, row in enumerate(table.tolist()):
            writer.writerow([part, sum(row), *row])
