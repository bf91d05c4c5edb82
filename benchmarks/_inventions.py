"""Plausible numbers and words for a made-up run. Pure: the random generator is an argument."""

import math
import random
import time
from collections.abc import Sequence

import msgspec

from engine import telemetry

_LONGEST_SIMILARITY = 32
_MIB = 2**20
_MEMORY_MIB = {"supervisor": 44, "broker": 12, "nursery": 642, "server": 371}
_CLIENT_MEMORY_MIB = 384
_GPU_MIB = 1_126
_WARNINGS = ("client_lost", "client_late", "client_refused", "update_rejected", "broker_lost", "error")


def digest(source: random.Random) -> str:
    """What stands for the digest of a model."""
    return source.randbytes(32).hex()


def learnt(source: random.Random, progress: float, talent: float = 0.0) -> tuple[float, float]:
    """Loss and accuracy after a share of the run: quick at first, noisy, and then hardly any better.

    Args:
        source: of the noise.
        progress: from 0 to 1.
        talent: added to the accuracy that can be reached.
    """
    gap = math.exp(-6.0 * progress)
    noise = source.gauss(0.0, 0.004 + 0.02 * gap)
    accuracy = min(0.999, max(0.05, 0.1 + (0.86 + talent) * (1.0 - gap) + noise))
    loss = max(0.01, 2.25 * math.exp(-4.5 * progress) + 0.11 - 0.5 * talent - noise)
    return round(loss, 6), round(accuracy, 6)


def similarity(
    source: random.Random, cohort: Sequence[str], progress: float
) -> list[list[float | None]] | None:
    """Cosines of the cohort's deltas: two groups that agree among themselves, less and less with each other.

    None for a cohort that is too large, as the server has it.
    """
    if len(cohort) > _LONGEST_SIMILARITY:
        return None
    matrix: list[list[float | None]] = [[1.0] * len(cohort) for _ in cohort]
    for row, one in enumerate(cohort):
        for column, other in enumerate(cohort[:row]):
            alike = (int(one) - int(other)) % 3 == 0
            mean = 0.85 - 0.15 * progress if alike else 0.65 - 0.45 * progress
            matrix[row][column] = matrix[column][row] = round(mean + source.gauss(0.0, 0.03), 3)
    return matrix


def process_sample(source: random.Random, name: str, age_s: float) -> telemetry.ProcessSample:
    """What a process uses.

    Args:
        source: of the noise.
        name: of the process.
        age_s: for how long it has run: what it has written grows with it.
    """
    is_client = name.startswith("client-")
    memory = _MEMORY_MIB.get(name, _CLIENT_MEMORY_MIB + 3 * (sum(map(ord, name)) % 17)) * _MIB
    busy = {"server": 9.0, "broker": 3.0, "supervisor": 1.0}.get(name, 88.0 if is_client else 0.0)
    return telemetry.ProcessSample(
        cpu_percent=round(busy * source.uniform(0.8, 1.1), 1),
        rss_bytes=memory + source.randrange(16) * 4096,
        private_bytes=memory // 3,
        gpu_bytes=_GPU_MIB * _MIB if is_client else None,
        gpu_percent=round(source.uniform(20.0, 34.0), 1) if is_client else None,
        read_bytes=8_077_312,
        written_bytes=round(4_096 * age_s),
    )


def in_words(event: telemetry.Event) -> str:
    """An event as the server says it in its log."""
    fields = {
        key: value for key, value in msgspec.to_builtins(event).items() if value not in (None, "", [], {})
    }
    name = fields.pop("type")
    return f"{name} {' '.join(f'{key}={value}' for key, value in fields.items())}"


def log_line(ts: float, process: str, words: str) -> str:
    """A line as `engine.logger` writes it; the time is UTC."""
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ts))
    level = "WARNING" if words.startswith(_WARNINGS) else "INFO"
    return f"{clock},{round(ts % 1 * 1000) % 1000:03} {level:<7} {process}: {words}"
