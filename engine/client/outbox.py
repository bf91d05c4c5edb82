"""Keeps an update until its round is closed, and sends it until the server says that it holds it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.core.update import ClientUpdate
from engine.core.weights import Layout
from engine.errors import DigestMismatch
from engine.failpoints import reach
from engine.protocol.chunks import TRAIN_SECONDS_HEADER, TransferHeader, split
from engine.protocol.serialization import Bytes, FrameMetadata, encode_frame
from engine.transport.base import MODEL_UPDATES, Delivery, Transport, place_of

FIRST_PATIENCE_S = 10.0
LONGEST_PATIENCE_S = 120.0
DAMAGE_PAUSE_S = 1.0
"""Before an update is repeated that was damaged on its way."""


@dataclass(slots=True)
class _Parcel:
    frame: Bytes
    header: TransferHeader
    base_digest: str
    train_s: float
    patience_s: float = FIRST_PATIENCE_S
    send_again_at: float = 0.0
    is_held: bool = False
    deliveries: list[Delivery] = field(default_factory=list)


class Outbox:
    """At most one update: that of the newest round this client has trained for.

    Args:
        client: this client's id.
        run: the run's id.
        codec: how deltas are encoded.
        transport: where to send.
        clock: monotonic seconds.
    """

    def __init__(
        self, *, client: str, run: str, codec: str, transport: Transport, clock: Callable[[], float]
    ) -> None:
        self._client, self._run, self._codec = client, run, codec
        self._transport, self._clock = transport, clock
        self._place = place_of(MODEL_UPDATES, client)
        self._parcel: _Parcel | None = None
        self._buffer: Bytes | None = None

    def put(self, update: ClientUpdate, layout: Layout, epoch: int, train_s: float) -> None:
        """Encodes an update and sends it; the one before it is forgotten.

        Args:
            update: for the open round.
            layout: of the global model.
            epoch: of the server that opened the round.
            train_s: seconds of training; beside the frame, which holds no times.
        """
        about = FrameMetadata.of_update(update, layout, run=self._run, codec=self._codec)
        frame = encode_frame(about, update.delta, buffer=self._buffer)
        self._buffer = frame if frame.base is None else frame.base
        header = TransferHeader.of_frame(frame, about, epoch=epoch)
        self._parcel = _Parcel(frame, header, update.base_digest, train_s)
        self._send(self._parcel)

    @property
    def is_waiting(self) -> bool:
        """Whether an update has been sent that the server does not hold yet."""
        return self._parcel is not None and not self._parcel.is_held

    def has(self, round_number: int, base_digest: str) -> bool:
        """Whether it keeps the update of this round from this base."""
        parcel = self._parcel
        return parcel is not None and (parcel.header.round, parcel.base_digest) == (round_number, base_digest)

    def send_again(self) -> None:
        """The server does not hold what is kept: sends it at once."""
        if self._parcel is not None:
            self._parcel.is_held, self._parcel.patience_s = False, FIRST_PATIENCE_S
            self._send(self._parcel)

    def send_due(self) -> None:
        """Sends again what got no receipt in time or was not taken by the broker.

        Nothing is repeated while it is still on its way, however slow: time counts from its arrival.
        """
        parcel = self._parcel
        if parcel is None or parcel.is_held:
            return
        failed = any(delivery.error is not None for delivery in parcel.deliveries)
        if not failed and not all(delivery.done for delivery in parcel.deliveries):
            parcel.send_again_at = self._clock() + parcel.patience_s
        elif failed or self._clock() >= parcel.send_again_at:
            parcel.patience_s = min(2 * parcel.patience_s, LONGEST_PATIENCE_S)
            self._send(parcel)

    def note_receipt(self, transfer: str, verdict: str) -> bool:
        """Takes a receipt; True if the update was refused for good, and is forgotten."""
        parcel = self._parcel
        if parcel is None or parcel.header.transfer != transfer:
            return False
        if verdict in ("held", "duplicate"):
            parcel.is_held = True
            return False
        if verdict == DigestMismatch.reason:  # damaged on its way: what is kept here is whole
            parcel.send_again_at = min(parcel.send_again_at, self._clock() + DAMAGE_PAUSE_S)
            return False
        self._parcel = None
        return True

    def note_closed(self, round_number: int) -> None:
        """The checkpoint of a round is durable: its update is not needed any more."""
        if self._parcel is not None and self._parcel.header.round <= round_number:
            self._parcel = None

    def _send(self, parcel: _Parcel) -> None:
        parcel.send_again_at = self._clock() + parcel.patience_s
        parcel.deliveries.clear()
        train_s = (TRAIN_SECONDS_HEADER, b"%.6f" % parcel.train_s)
        for sequence, chunk in enumerate(split(parcel.frame, parcel.header)):
            if sequence == parcel.header.count // 2:
                reach(
                    "client.upload_half_sent", parcel.header.round, first=lambda: self._transport.flush(5.0)
                )
            delivery = self._transport.publish(
                self._place, chunk.value, headers=[*chunk.headers, train_s], key=self._client.encode()
            )
            parcel.deliveries.append(delivery)
