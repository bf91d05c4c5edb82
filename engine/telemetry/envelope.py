"""What every recorded line carries."""

from typing import ClassVar

import msgspec

VERSION = 1


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every line carries. `(origin, incarnation, seq)` is unique and orders the lines of one writer."""

    v: int
    ts: float
    """Wall-clock seconds since the epoch, for display; never used to decide anything."""
    run: str
    origin: str
    """`server` or `supervisor`."""
    incarnation: int
    """1 for the first process that wrote this file, one more for each successor."""
    seq: int
    type: str
    prev: str = ""
    """BLAKE3 (hex) of the line before, without its newline; empty in the first line and outside the chain."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", gc=False):
    """Base of everything that is recorded."""

    chained: ClassVar[bool] = True
