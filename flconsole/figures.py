"""Numbers as people read them, each form in as little room as its place has.

The axes of charts have forms of their own, which depend on the ticks beside them: `flconsole.charts.axis`.
"""

UNKNOWN = "-"
"""Stands for what nobody knows."""


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many digits after the point."""
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def seconds(value: float) -> str:
    """A time in a sentence: `0.12 s`, `42 s`, `3 min 05 s`, `2 h 07 min`."""
    if value < 10:
        return f"{value:.2f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def clock(value: float) -> str:
    """A time in seconds that is seen to go by: `0:07`, `12:34`, `1:02:03`; a long one in days."""
    days = int(value // 86_400)
    if days >= 10:
        return f"{days} days" if days < 10_000 else "over 10000 days"
    minutes, whole = divmod(int(max(0.0, value)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"


def short_seconds(value: float) -> str:
    """A time in at most three digits and a letter: `59s`, `59m`, `23h`, `12d`."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if value >= size:
            return f"{int(value // size)}{unit}"
    return f"{int(value)}s"


def byte_size(value: float) -> str:
    """A number of bytes in a sentence: `0 bytes`, `12 kB`, `150 MB`, `1.2 GB`."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            amount = value / size
            return f"{amount:.{1 if amount < 9.95 else 0}f} {unit}"
    return f"{value:.0f} bytes"


def short_bytes(value: float) -> str:
    """A number of bytes in three digits and a letter: `999`, `1.24k`, `24.8M`, `424M`."""
    if value < 999.5:
        return f"{value:.0f}"
    power = 1
    while value / 1000**power >= 999.5:
        power += 1
    value /= 1000**power
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}{'kMGTPEZY'[power - 1]}"
