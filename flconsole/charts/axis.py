"""Axes for people: where they begin and end, where their ticks are, how a number is written on them. Pure."""

import math
from collections.abc import Sequence
from enum import StrEnum

import msgspec

_LEAST_SPAN = 1e-90
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
"""Steps between ticks of a time axis, from a second to a day."""


class Unit(StrEnum):
    """What a number counts, which decides how it is written."""

    NUMBER = "number"
    COUNT = "count"
    SECONDS = "seconds"
    BYTES = "bytes"


_SCALES = {
    Unit.SECONDS: ((7200.0, 3600.0, " h"), (120.0, 60.0, " min"), (0.0, 1.0, " s")),
    Unit.BYTES: (
        (1e12, 1e12, " TB"),
        (1e9, 1e9, " GB"),
        (1e6, 1e6, " MB"),
        (1e3, 1e3, " kB"),
        (0.0, 1.0, " B"),
    ),
}
"""From so much on, a number is divided by this and followed by that."""


class Axis(msgspec.Struct, frozen=True):
    """The stretch of numbers that is shown, and the ticks in it."""

    low: float
    high: float
    ticks: tuple[float, ...]
    labels: tuple[str, ...]


def linear_axis(low: float, high: float, *, ticks: int, unit: Unit, begins_at_low: bool = False) -> Axis:
    """An axis that holds both numbers and has about so many ticks.

    Its ends are rounded outwards to a quarter of the step between ticks: little room is wasted, and a
    curve that grows seldom moves what is already drawn.
    """
    if high - low < max(_LEAST_SPAN, 1e-9 * max(abs(low), abs(high))):
        room = max(abs(low) * 0.05, 1.0 if unit is Unit.COUNT or abs(low) < _LEAST_SPAN else 0.0)
        low, high = low if begins_at_low else low - room, high + room
    step = _step((high - low) / max(1, ticks), unit)
    grain = 1.0 if unit is Unit.COUNT and step < 4 else step / 4
    low = low if begins_at_low else math.floor(low / grain) * grain
    high = math.ceil(high / grain) * grain
    indices = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    positions = [index * step for index in indices]
    return Axis(low, high, tuple(positions), _labels(positions, step, unit))


def log_axis(low: float, high: float, *, ticks: int, unit: Unit) -> Axis:
    """An axis that holds two positive numbers; positions on it are their decimal logarithms."""
    bottom, top = math.floor(math.log10(low) * 10) / 10, math.ceil(math.log10(high) * 10) / 10
    top = max(top, bottom + 0.1)
    values = _log_ticks(bottom, top, ticks)
    if len(values) < 2:
        linear = linear_axis(low, high, ticks=ticks, unit=unit)
        values = [tick for tick in linear.ticks if tick > 0 and bottom <= math.log10(tick) <= top]
    labels = tuple(written(value, unit) if unit in _SCALES else f"{value:.6g}" for value in values)
    return Axis(bottom, top, tuple(map(math.log10, values)), labels)


def written(value: float, unit: Unit = Unit.NUMBER) -> str:
    """One number by itself: `0.5521`, `12`, `1.3 s`, `994 kB`."""
    if unit in _SCALES:
        factor, suffix = _scale(value, unit)
        return f"{value / factor:.3g}{suffix}"
    if unit is Unit.COUNT:
        return f"{value:.4g}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.3g}"


def _log_ticks(bottom: float, top: float, ticks: int) -> list[float]:
    """Powers of ten, and their double and half where there are few, between two logarithms."""
    powers = range(math.floor(bottom), math.ceil(top) + 1)
    dense = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    inside = [value for value in dense if bottom <= math.log10(value) <= top]
    if len(inside) <= max(2, ticks):
        return inside
    tens = range(math.ceil(bottom), math.floor(top) + 1)
    return [10.0**power for power in tens[:: math.ceil(len(tens) / max(1, ticks)) or 1]]


def _step(least: float, unit: Unit) -> float:
    """The smallest handy step that is at least so large."""
    if unit is Unit.SECONDS and 1 <= least <= _SECONDS[-1]:
        return float(next(step for step in _SECONDS if step >= least))
    power = 10.0 ** math.floor(math.log10(least))
    step = next((factor * power for factor in (1, 2, 5) if factor * power >= least * (1 - 1e-9)), 10 * power)
    return max(1.0, step) if unit is Unit.COUNT else step


def _scale(value: float, unit: Unit) -> tuple[float, str]:
    """By what a number is divided and what is written behind it."""
    scales = _SCALES.get(unit, ((0.0, 1.0, ""),))
    return next((factor, suffix) for least, factor, suffix in scales if abs(value) >= least)


def _labels(positions: Sequence[float], step: float, unit: Unit) -> tuple[str, ...]:
    """The ticks in one form, with as many digits as tell them apart."""
    largest = max(map(abs, positions), default=0.0)
    factor, suffix = _scale(largest, unit)
    digits = max(0, -math.floor(math.log10(step / factor) + 1e-9))
    form = f".{digits}f"
    if digits > 6 or largest / factor >= 1e7:
        form = f".{max(1, math.ceil(math.log10(max(largest, step) / step)) + 1)}g"
    return tuple(f"{position / factor:{form}}{suffix}" if position else "0" for position in positions)
