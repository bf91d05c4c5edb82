"""Turns records of `model_updates` into whole, verified frames, and knows from where to read again."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from engine.core.weights import Layout
from engine.errors import ProtocolError, TransferConflict, TransferError
from engine.protocol.chunks import (
    BUDGET_BYTES,
    EXPIRY_S,
    TRAIN_SECONDS_HEADER,
    Assembler,
    CompleteTransfer,
    TransferHeader,
)
from engine.protocol.serialization import Frame, max_frame_bytes, parse_frame
from engine.spill import file_allocator
from engine.transport.base import MODEL_UPDATES, PARTITIONS, Place, Record

_LONGEST_TRAINING_S = 1e9
UPDATE_PLACES = tuple(Place(MODEL_UPDATES, n) for n in range(PARTITIONS[MODEL_UPDATES]))


class Arrival(NamedTuple):
    """A whole transfer whose digest matches."""

    header: TransferHeader
    frame: Frame
    record: Record
    """The record that completed it."""
    num_bytes: int
    first_offset: int
    """Lowest offset of its records."""

    @property
    def train_s(self) -> float | None:
        """Seconds of training, as the client says; None if it does not say, or says nonsense."""
        try:
            seconds = float(self.record.headers[TRAIN_SECONDS_HEADER])
        except (KeyError, ValueError):
            return None
        return seconds if 0 <= seconds < _LONGEST_TRAINING_S else None


class Repetition(NamedTuple):
    """The last record of a transfer that is held already: its client missed the receipt."""

    header: TransferHeader
    record: Record


class Refusal(NamedTuple):
    """A record, or the transfer it completed, that is not what the protocol says."""

    header: TransferHeader | None
    """None where nobody can be told: the record belongs to no whole transfer, or its headers lie."""
    record: Record
    error: ProtocolError


class WaitingRoom:
    """Whole updates for which no round is open, oldest first.

    There is room for as much as the assembler may hold. What comes beyond that is not kept: its client gets
    no receipt, and sends it again.
    """

    def __init__(self) -> None:
        self._arrivals: deque[Arrival] = deque()
        self._bytes = 0

    def __iter__(self) -> Iterator[Arrival]:
        return iter(self._arrivals)

    def put(self, arrival: Arrival) -> bool:
        """False where there is no room."""
        if self._arrivals and self._bytes + arrival.num_bytes > BUDGET_BYTES:
            return False
        self._arrivals.append(arrival)
        self._bytes += arrival.num_bytes
        return True

    def get(self) -> Arrival | None:
        """The one that has waited longest; None where there is none."""
        if not self._arrivals:
            return None
        arrival = self._arrivals.popleft()
        self._bytes -= arrival.num_bytes
        return arrival


class Intake:
    """Assembles updates.

    Args:
        layout: of the global model; bounds every allocation.
        spill_dir: where buffers beyond the memory budget lie.
        clock: monotonic seconds.
        key: of the frames; None for none.
        reserved_bytes: left free on the disk of `spill_dir`.
    """

    def __init__(
        self,
        layout: Layout,
        spill_dir: Path,
        clock: Callable[[], float],
        *,
        key: bytes | None = None,
        reserved_bytes: int = 0,
    ) -> None:
        self._clock, self._key = clock, key
        self._payload_bytes = layout.num_bytes
        self._assembler = Assembler(
            max_frame_bytes(layout), BUDGET_BYTES, EXPIRY_S, spill=file_allocator(spill_dir, reserved_bytes)
        )
        self.bytes_taken = 0
        """Bytes of updates read since the broker was last empty."""
        self.positions: dict[Place, int] = dict.fromkeys(UPDATE_PLACES, 0)
        """The next offset of each partition."""

    def start_at(self, positions: Mapping[Place, int]) -> None:
        """Forgets everything and reads from `positions` on."""
        self._assembler.clear()
        self.positions = dict.fromkeys(UPDATE_PLACES, 0) | dict(positions)
        self.bytes_taken = 0

    def take(self, record: Record) -> Arrival | Repetition | Refusal | None:
        """Takes one record; None while its transfer is unfinished."""
        self.positions[record.place] = record.offset + 1
        self.bytes_taken += len(record.value)
        whole = None
        try:
            whole = self._assembler.add(
                record.headers, record.value, record.place, record.offset, self._clock()
            )
            if whole is None:
                return self._repeated(record)
            frame = parse_frame(whole.frame, key=self._key, max_payload_bytes=self._payload_bytes)
            _check_agreement(whole.header, frame)
        except ProtocolError as error:
            return self._refuse(whole, record, error)
        return Arrival(whole.header, frame, record, whole.frame.nbytes, whole.first_offset)

    def _refuse(self, whole: CompleteTransfer | None, record: Record, error: ProtocolError) -> Refusal:
        if whole is None:
            return Refusal(None, record, error)
        self._assembler.forget(whole.header.transfer)
        return Refusal(None if isinstance(error, TransferError) else whole.header, record, error)

    def forget(self, arrival: Arrival) -> None:
        """The update was not used: if it is sent again, it is looked at again."""
        self.forget_transfer(arrival.header.transfer)

    def forget_transfer(self, transfer: str) -> None:
        """If this transfer is sent again, it is looked at again."""
        self._assembler.forget(transfer)

    def _repeated(self, record: Record) -> Repetition | None:
        header, seq = TransferHeader.from_record_headers(record.headers)
        is_last = seq == header.count - 1
        return (
            Repetition(header, record) if is_last and self._assembler.has_finished(header.transfer) else None
        )

    def expire(self) -> None:
        """Gives up on transfers that stopped coming."""
        self._assembler.expire(self._clock())

    def safe_offsets(self, waiting: Iterable[Arrival] = ()) -> dict[str, int]:
        """Partition -> the lowest offset from which nothing that is not aggregated would be missed.

        Args:
            waiting: whole transfers that are in no round yet.
        """
        unfinished = self._assembler.first_offsets()
        safe = {
            place: min(position, unfinished.get(place, position))
            for place, position in self.positions.items()
        }
        for arrival in waiting:
            place = arrival.record.place
            safe[place] = min(safe[place], arrival.first_offset)
        return {str(place.partition): offset for place, offset in safe.items()}


def _check_agreement(header: TransferHeader, frame: Frame) -> None:
    """Refuses a transfer that says of its frame what the frame does not say of itself."""
    for name in ("run", "kind", "round", "client", "codec"):
        said, is_so = getattr(header, name), getattr(frame.metadata, name)
        if said != is_so:
            raise TransferConflict(f"the headers say {name} = {said!r}, the frame says {is_so!r}")
