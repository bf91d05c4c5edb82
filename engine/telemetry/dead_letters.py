"""What is kept of a record that was rejected: one line of `dead_letters.jsonl`."""

import msgspec

from engine import untrusted_json


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A rejected record. `client` and `round` are what it says of itself: nobody has vouched for them."""

    v: int
    ts: float
    """Wall-clock seconds since the epoch, for display."""
    reason: str
    detail: str = ""
    """What was expected and what came."""
    client: str = ""
    """Empty where the record belongs to nobody who could be told."""
    round: int | None = None
    topic: str
    partition: int
    offset: int
    size: int
    """Bytes of the record."""
    head: bytes = b""
    """Its first 4096 bytes, in Base64."""


_decoder = msgspec.json.Decoder(DeadLetter)


def decode_dead_letter(line: bytes) -> DeadLetter:
    """Reads one line of the file.

    Raises:
        msgspec.DecodeError: it is none, or torn.
    """
    return untrusted_json.decode(_decoder, line)
