"""The rows of the table that every benchmark returns."""

from typing import TypedDict


class Row(TypedDict):
    """One figure."""

    name: str
    value: float
    unit: str
    target: str | None
    """In words; None where there is none."""
    ok: bool | None
    """Whether the target is met; None without one."""


def row(
    name: str, value: float, unit: str, *, at_least: float | None = None, at_most: float | None = None
) -> Row:
    """One figure, with the one bound it has, if any."""
    if at_least is not None:
        return Row(name=name, value=value, unit=unit, target=f">= {at_least:g}", ok=value >= at_least)
    if at_most is not None:
        return Row(name=name, value=value, unit=unit, target=f"<= {at_most:g}", ok=value <= at_most)
    return Row(name=name, value=value, unit=unit, target=None, ok=None)
