"""Who trains in a round of `sync`: everyone, or a few who are drawn with the seed."""

import math
from collections.abc import Sequence

from engine.config import RunConfig
from engine.data.randomness import generator


def draw_cohort(config: RunConfig, members: Sequence[str], round_number: int) -> tuple[str, ...]:
    """The cohort, in the order of `members`: uniform and without repetition, a function of seed and round.

    Over-selection (Bonawitz et al. 2019, section 4.3): more train than are wanted, so that the slow and the
    dead do not hold the round up.

    Args:
        config: how many are wanted, how many times more train, and the seed.
        members: who could take part.
        round_number: the round.
    """
    if config.clients_per_round is None:
        return tuple(members)
    size = math.ceil(config.over_selection * config.clients_per_round)
    order = generator(config.seed, "cohort", round_number).permutation(len(members))
    drawn = {members[index] for index in order[:size]}
    return tuple(client for client in members if client in drawn)
