"""Transfers: a frame cut into records that every Kafka takes, and put together again.

The assembler takes records in any order and any number of times, and bounds what a sender can make it hold.
It has no clock and no broker: times and places are arguments. `docs/protocol.md` is the specification.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.errors import (
    ChunkSizeMismatch,
    RunDirectoryError,
    TransferConflict,
    TransferDigestMismatch,
    TransferHeaderInvalid,
    TransferTooLarge,
)
from engine.protocol import MAX_RECORD_BYTES
from engine.protocol.serialization import (
    DIGEST_BYTES,
    MAX_NAME_LENGTH,
    MIN_FRAME_BYTES,
    Kind,
    read_metadata,
)

CHUNK_BYTES = MAX_RECORD_BYTES
"""Bytes of a frame in each record but the last, which may have fewer."""
TRANSFER_ID_BYTES = 16
"""So many bytes from the start of a frame's digest name its transfer."""
MAX_OPEN_TRANSFERS_PER_CLIENT = 2
"""Unfinished transfers of one kind from one client."""
MAX_OPEN_TRANSFERS = 1000
"""Unfinished transfers altogether: small ones cost more than their bytes."""
REMEMBERED_TRANSFERS = 1024
"""Finished transfers whose late duplicates are still recognised."""
BUDGET_BYTES = 512_000_000
EXPIRY_S = 60.0

TRAIN_SECONDS_HEADER = "train_s"
"""Beside an update's own headers: seconds of its training, for display. A frame holds no times."""

_HEADER_VERSION = b"1"
_MAX_DIGITS = 18

Bytes = NDArray[np.uint8]
Allocator = Callable[[int], Bytes]
"""Returns a writable uint8 array of so many bytes."""


class TransferHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What each record of a transfer says about the whole."""

    run: str
    kind: Kind
    round: int
    epoch: int
    client: str
    """Empty in a model."""
    transfer: str
    """First 16 bytes of the frame's digest, 32 hex digits."""
    size: int
    """Bytes of the frame."""
    codec: str

    @property
    def count(self) -> int:
        """Number of records."""
        return -(-self.size // CHUNK_BYTES)

    def chunk(self, seq: int) -> slice:
        """Where record `seq` lies in the frame."""
        return slice(seq * CHUNK_BYTES, min((seq + 1) * CHUNK_BYTES, self.size))

    @classmethod
    def of_frame(cls, frame: Bytes, *, epoch: int) -> Self:
        """Says of a frame from `encode_frame` what it says of itself."""
        metadata = read_metadata(frame)
        return cls(
            run=metadata.run,
            kind=metadata.kind,
            round=metadata.round,
            epoch=epoch,
            client=metadata.client,
            transfer=_transfer_id(frame),
            size=frame.size,
            codec=metadata.codec,
        )

    def to_record_headers(self, seq: int) -> list[tuple[str, bytes]]:
        """Headers of record `seq`."""
        values = {**msgspec.structs.asdict(self), "seq": seq, "count": self.count}
        return [("v", _HEADER_VERSION), *((name, str(value).encode()) for name, value in values.items())]

    @classmethod
    def from_record_headers(cls, headers: Mapping[str, bytes]) -> tuple[Self, int]:
        """Reads the headers of one record: the transfer's header and the record's `seq`.

        Raises:
            TransferHeaderInvalid: one is missing, malformed, or contradicts another.
        """
        if headers.get("v") != _HEADER_VERSION:
            raise TransferHeaderInvalid(f"v = {headers.get('v')!r}; this software speaks {_HEADER_VERSION!r}")
        kind = _text(headers, "kind")
        if kind not in ("model", "update"):
            raise TransferHeaderInvalid(f"kind = {kind!r} is neither model nor update")
        header = cls(
            run=_text(headers, "run"),
            kind=cast("Kind", kind),
            round=_integer(headers, "round"),
            epoch=_integer(headers, "epoch"),
            client=_text(headers, "client"),
            transfer=_hex(headers, "transfer"),
            size=_integer(headers, "size"),
            codec=_text(headers, "codec"),
        )
        seq = _integer(headers, "seq")
        header._check(seq, _integer(headers, "count"))
        return header, seq

    def _check(self, seq: int, count: int) -> None:
        if self.size < MIN_FRAME_BYTES:
            raise TransferHeaderInvalid(f"size = {self.size}; the smallest frame has {MIN_FRAME_BYTES} bytes")
        if count != self.count or seq >= count:
            raise TransferHeaderInvalid(f"record {seq} of {count}; {self.size} bytes take {self.count}")
        if bool(self.client) != (self.kind == "update"):
            raise TransferHeaderInvalid(f"a transfer of kind {self.kind} from client {self.client!r}")


class Chunk(NamedTuple):
    """One record of a transfer, ready to be published."""

    headers: list[tuple[str, bytes]]
    value: bytes


def split(frame: Bytes, header: TransferHeader) -> Iterator[Chunk]:
    """Cuts a frame into records, one copy of at most `CHUNK_BYTES` at a time."""
    for seq in range(header.count):
        yield Chunk(header.to_record_headers(seq), frame[header.chunk(seq)].tobytes())


@dataclass(frozen=True, slots=True)
class CompleteTransfer:
    """A transfer of which every record is there. Its frame has still to be parsed."""

    header: TransferHeader
    frame: Bytes
    place: Hashable
    """Partition it came from."""
    first_offset: int
    """Lowest offset of its records there."""
    started_at: float
    """When its first record was added."""


@dataclass(slots=True)
class _OpenTransfer:
    header: TransferHeader
    frame: Bytes
    spilled: bool
    place: Hashable
    first_offset: int
    started_at: float
    progressed_at: float
    seen: bytearray = field(init=False)
    missing: int = field(init=False)

    def __post_init__(self) -> None:
        self.seen = bytearray(self.header.count)
        self.missing = self.header.count


def _in_memory(size: int) -> Bytes:
    return np.empty(size, np.uint8)


class Assembler:
    """Puts transfers together from their records.

    Args:
        max_frame_bytes: the largest frame that is taken; larger ones are refused unallocated. May be raised
            later, when more is known.
        budget_bytes: most memory that open transfers take together.
        expiry_s: seconds without a new chunk after which an open transfer is dropped.
        allocate: makes the buffer of a transfer within the budget.
        spill: makes it beyond the budget; without it such a transfer is refused.
    """

    def __init__(
        self,
        max_frame_bytes: int,
        budget_bytes: int = BUDGET_BYTES,
        expiry_s: float = EXPIRY_S,
        *,
        allocate: Allocator = _in_memory,
        spill: Allocator | None = None,
    ) -> None:
        self.max_frame_bytes = max_frame_bytes
        self._budget_bytes = budget_bytes
        self._expiry_s = expiry_s
        self._allocate = allocate
        self._spill = spill
        self._open: dict[str, _OpenTransfer] = {}
        self._finished: OrderedDict[str, None] = OrderedDict()

    @property
    def open_bytes(self) -> int:
        """Memory of the open transfers, without what was spilled."""
        return sum(transfer.header.size for transfer in self._open.values() if not transfer.spilled)

    def add(
        self, record_headers: Mapping[str, bytes], value: bytes, place: Hashable, offset: int, now: float
    ) -> CompleteTransfer | None:
        """Takes one record; returns its transfer if this was the last one missing.

        Args:
            record_headers: headers as they came.
            value: the chunk.
            place: the partition it came from, whatever names it.
            offset: its offset there.
            now: seconds on any steady clock.

        Raises:
            TransferError: the subclass, and its `reason`, say what is wrong. Only `TransferDigestMismatch`
                drops what the transfer already had.
        """
        header, seq = TransferHeader.from_record_headers(record_headers)
        where = header.chunk(seq)
        if len(value) != where.stop - where.start:
            raise ChunkSizeMismatch(
                f"record {seq} has {len(value)} bytes instead of {where.stop - where.start}"
            )
        if header.transfer in self._finished:
            return None
        transfer = self._open.get(header.transfer) or self._start(header, place, offset, now)
        _check_same(transfer, header, place)
        transfer.first_offset = min(transfer.first_offset, offset)
        if transfer.seen[seq]:
            return None
        transfer.frame[where] = np.frombuffer(value, np.uint8)
        transfer.seen[seq] = 1
        transfer.missing -= 1
        transfer.progressed_at = now
        return None if transfer.missing else self._finish(transfer)

    def has_finished(self, transfer: str) -> bool:
        """True if this transfer was completed lately; whoever repeats it missed the answer."""
        return transfer in self._finished

    def forget(self, transfer: str) -> None:
        """Lets a finished transfer be sent again, after its frame turned out to be altered."""
        self._finished.pop(transfer, None)

    def expire(self, now: float) -> list[TransferHeader]:
        """Drops the transfers that stand still, and returns their headers."""
        stale = [t.header for t in self._open.values() if now - t.progressed_at >= self._expiry_s]
        for header in stale:
            del self._open[header.transfer]
        return stale

    def first_offsets(self) -> dict[Hashable, int]:
        """The lowest offset of an unfinished transfer in each place that has one."""
        lowest: dict[Hashable, int] = {}
        for transfer in self._open.values():
            lowest[transfer.place] = min(
                transfer.first_offset, lowest.get(transfer.place, transfer.first_offset)
            )
        return lowest

    def clear(self) -> None:
        """Forgets everything, finished transfers too: the broker is another one."""
        self._open.clear()
        self._finished.clear()

    def _start(self, header: TransferHeader, place: Hashable, offset: int, now: float) -> _OpenTransfer:
        if header.size > self.max_frame_bytes:
            raise TransferTooLarge(
                f"{header.size} bytes; the largest frame of this run has {self.max_frame_bytes}"
            )
        self._evict_for(header)
        if len(self._open) >= MAX_OPEN_TRANSFERS:
            raise TransferTooLarge(f"{len(self._open)} transfers are open; that is the most")
        spilled = self.open_bytes + header.size > self._budget_bytes
        if spilled and self._spill is None:
            raise TransferTooLarge(
                f"{header.size} bytes beside {self.open_bytes} open; at most {self._budget_bytes}"
            )
        allocate = self._spill if spilled and self._spill else self._allocate
        try:
            frame = allocate(header.size)
        except RunDirectoryError as error:
            raise TransferTooLarge(f"no room beside {self.open_bytes} bytes open: {error}") from None
        transfer = _OpenTransfer(header, frame, spilled, place, offset, now, now)
        self._open[header.transfer] = transfer
        return transfer

    def _evict_for(self, header: TransferHeader) -> None:
        """Makes room among the transfers of this client, of which the first is the oldest."""
        siblings = [t.header for t in self._open.values() if _owner(t.header) == _owner(header)]
        superseded = [other for other in siblings if _key(other) == _key(header)]
        kept = [other for other in siblings if other not in superseded]
        for other in superseded + kept[: max(0, len(kept) - MAX_OPEN_TRANSFERS_PER_CLIENT + 1)]:
            del self._open[other.transfer]

    def _finish(self, transfer: _OpenTransfer) -> CompleteTransfer:
        header = transfer.header
        del self._open[header.transfer]
        if _transfer_id(transfer.frame) != header.transfer:
            raise TransferDigestMismatch(
                f"transfer {header.transfer} ends with {_transfer_id(transfer.frame)}"
            )
        self._finished[header.transfer] = None
        while len(self._finished) > REMEMBERED_TRANSFERS:
            self._finished.popitem(last=False)
        return CompleteTransfer(
            header, transfer.frame, transfer.place, transfer.first_offset, transfer.started_at
        )


def _owner(header: TransferHeader) -> tuple[str, str]:
    return header.kind, header.client


def _key(header: TransferHeader) -> tuple[str, str, str, int]:
    return header.kind, header.run, header.client, header.round


def _check_same(transfer: _OpenTransfer, header: TransferHeader, place: Hashable) -> None:
    """Refuses a record that disagrees with its transfer; another epoch is no disagreement."""
    if header.epoch != transfer.header.epoch:
        header = msgspec.structs.replace(header, epoch=transfer.header.epoch)
    if header != transfer.header or place != transfer.place:
        raise TransferConflict(f"a record of {header.transfer} contradicts those before it")


def _transfer_id(frame: Bytes) -> str:
    return frame[frame.size - DIGEST_BYTES :][:TRANSFER_ID_BYTES].tobytes().hex()


def _text(headers: Mapping[str, bytes], name: str) -> str:
    value = headers.get(name)
    if value is None:
        raise TransferHeaderInvalid(f"header {name!r} is missing")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise TransferHeaderInvalid(f"header {name!r} is not UTF-8") from None
    if len(text) > MAX_NAME_LENGTH or not text.isprintable():
        raise TransferHeaderInvalid(f"header {name!r} is too long or not printable")
    return text


def _integer(headers: Mapping[str, bytes], name: str) -> int:
    text = _text(headers, name)
    plain = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    if not plain or text != str(int(text)):
        raise TransferHeaderInvalid(f"header {name!r} = {text!r} is not a plain decimal number")
    return int(text)


def _hex(headers: Mapping[str, bytes], name: str) -> str:
    text = _text(headers, name)
    if len(text) != 2 * TRANSFER_ID_BYTES or not set(text) <= set("0123456789abcdef"):
        raise TransferHeaderInvalid(f"header {name!r} is not {2 * TRANSFER_ID_BYTES} hex digits")
    return text
