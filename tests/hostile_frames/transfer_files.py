"""How the corpus keeps the records of a transfer: JSON, long runs of one byte written as their length."""

import itertools
from collections.abc import Sequence

import msgspec

from engine.transport.base import MODEL_UPDATES, Place, Record

_LONG_RUN = 64


class RecordOnDisk(msgspec.Struct, frozen=True):
    """One record. Header values are Latin-1, one character for each byte."""

    partition: int
    offset: int
    headers: dict[str, str]
    value: tuple[tuple[str, int], ...]
    """Pieces: bytes in hex, and how often they are repeated."""


def encode_records(records: Sequence[Record]) -> bytes:
    """The file with these records of `model_updates`."""
    on_disk = [
        RecordOnDisk(
            record.place.partition,
            record.offset,
            {name: value.decode("latin-1") for name, value in record.headers.items()},
            tuple(_pieces(record.value)),
        )
        for record in records
    ]
    return msgspec.json.format(msgspec.json.encode(on_disk), indent=1) + b"\n"


def decode_records(content: bytes) -> list[Record]:
    """The records in such a file."""
    return [
        Record(
            Place(MODEL_UPDATES, record.partition),
            record.offset,
            b"".join(bytes.fromhex(piece) * times for piece, times in record.value),
            {name: value.encode("latin-1") for name, value in record.headers.items()},
        )
        for record in msgspec.json.decode(content, type=list[RecordOnDisk])
    ]


def _pieces(value: bytes) -> list[tuple[str, int]]:
    pieces: list[tuple[str, int]] = []
    unrepeated = b""
    for byte, run in itertools.groupby(value):
        length = sum(1 for _ in run)
        if length < _LONG_RUN:
            unrepeated += bytes([byte]) * length
            continue
        if unrepeated:
            pieces.append((unrepeated.hex(), 1))
            unrepeated = b""
        pieces.append((f"{byte:02x}", length))
    return [*pieces, (unrepeated.hex(), 1)] if unrepeated else pieces
