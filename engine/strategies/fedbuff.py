"""What an update is worth that started from an older model.

Nguyen, Malik, Zhan, Yousefpour, Rabbat, Malek, Huba: Federated Learning with Buffered Asynchronous
Aggregation, AISTATS 2022, section 5. The scaled deltas are then averaged as in `fedavg`: by what they would
weigh unscaled, so that a step made of stale updates is a shorter one.
"""

import math


def staleness_scale(staleness: int) -> float:
    """What the delta is multiplied by: 1 / sqrt(1 + staleness).

    Args:
        staleness: models published since the one that the update was trained from.
    """
    return 1 / math.sqrt(1 + staleness)
