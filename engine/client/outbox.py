"""Keeps updates until a checkpoint holds them, and sends each until the server says that it holds it."""

from collections.abc import Callable, Collection
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
HELD = ("held", "duplicate")
"""Verdicts that mean: the server has it."""
COUNTED = "counted"
"""The verdict that means: it is in a model already."""
DAMAGE_PAUSE_S = 1.0
"""Before an update is repeated that was damaged on its way; doubles each time, up to the longest patience."""


@dataclass(slots=True, eq=False)
class _Parcel:
    frame: Bytes
    header: TransferHeader
    base_digest: str
    train_s: float
    patience_s: float = FIRST_PATIENCE_S
    damage_pause_s: float = DAMAGE_PAUSE_S
    send_again_at: float = 0.0
    is_held: bool = False
    deliveries: list[Delivery] = field(default_factory=list)


class Outbox:
    """The newest updates of one client, oldest first.

    Args:
        client: this client's id.
        run: the run's id.
        codec: how deltas are encoded.
        key: of the frames; None for none.
        most: updates that are kept; one more pushes the oldest out. May be changed later.
        transport: where to send.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        *,
        client: str,
        run: str,
        codec: str,
        key: bytes | None = None,
        most: int = 1,
        transport: Transport,
        clock: Callable[[], float],
    ) -> None:
        self._client, self._run, self.most = client, run, most
        self._codec, self._key = codec, key
        self._transport, self._clock = transport, clock
        self._place = place_of(MODEL_UPDATES, client)
        self._parcels: list[_Parcel] = []
        self._spare: Bytes | None = None
        """Memory of a frame that is not kept any more."""

    def put(self, update: ClientUpdate, layout: Layout, epoch: int, train_s: float) -> None:
        """Encodes an update and sends it.

        Args:
            update: from the newest model that this client has.
            layout: of the global model.
            epoch: of the server that published it.
            train_s: seconds of training; beside the frame, which holds no times.
        """
        self._keep(self._parcels[-self.most + 1 :] if self.most > 1 else [])
        about = FrameMetadata.of_update(update, layout, run=self._run, codec=self._codec)
        frame = encode_frame(about, update.delta, key=self._key, buffer=self._spare)
        self._spare = None
        header = TransferHeader.of_frame(frame, epoch=epoch)
        parcel = _Parcel(frame, header, update.base_digest, train_s)
        self._parcels.append(parcel)
        self._send(parcel)

    @property
    def is_waiting(self) -> bool:
        """Whether an update has been sent that the server does not hold yet."""
        return any(not parcel.is_held for parcel in self._parcels)

    @property
    def num_kept(self) -> int:
        """Updates that are in no checkpoint yet, as far as this client knows."""
        return len(self._parcels)

    def has(self, round_number: int, base_digest: str) -> bool:
        """Whether it keeps an update of this round from this base."""
        return any((p.header.round, p.base_digest) == (round_number, base_digest) for p in self._parcels)

    def send_again(self, held: Collection[str] = ()) -> None:
        """Sends at once what is kept, but for the transfers that the server holds."""
        for parcel in self._parcels:
            parcel.is_held, parcel.patience_s = parcel.header.transfer in held, FIRST_PATIENCE_S
            if not parcel.is_held:
                self._send(parcel)

    def send_held_again(self) -> None:
        """Sends at once what the server said it held and has not counted, so that it says what became of it.

        After the death of a client whose trainings do not repeat bit for bit, the server may hold another
        frame of the same update, and count that.
        """
        for parcel in self._parcels:
            if parcel.is_held:
                parcel.is_held, parcel.patience_s = False, FIRST_PATIENCE_S
                self._send(parcel)

    def send_due(self) -> None:
        """Sends again what got no receipt in time or was not taken by the broker.

        Nothing is repeated while it is still on its way, however slow: time counts from its arrival.
        """
        for parcel in self._parcels:
            if not parcel.is_held:
                self._send_if_due(parcel)

    def note_receipt(self, transfer: str, verdict: str) -> bool:
        """Takes a receipt; True if the update was refused for good, and is forgotten."""
        parcel = next((p for p in self._parcels if p.header.transfer == transfer), None)
        if parcel is None:
            return False
        if verdict in HELD:
            parcel.is_held = True
            return False
        if verdict == COUNTED:
            self.forget((transfer,))
            return False
        if verdict == DigestMismatch.reason:  # damaged on its way: what is kept here is whole
            parcel.send_again_at = min(parcel.send_again_at, self._clock() + parcel.damage_pause_s)
            parcel.damage_pause_s = min(2 * parcel.damage_pause_s, LONGEST_PATIENCE_S)
            return False
        self.forget((transfer,))
        return True

    def forget(self, transfers: Collection[str]) -> None:
        """These updates are in a checkpoint, or refused: they are not needed any more."""
        self._keep([parcel for parcel in self._parcels if parcel.header.transfer not in transfers])

    def forget_until(self, round_number: int) -> None:
        """No update of this round, or of one before it, is needed any more."""
        self._keep([parcel for parcel in self._parcels if parcel.header.round > round_number])

    def _keep(self, parcels: list[_Parcel]) -> None:
        for parcel in self._parcels:
            if parcel not in parcels:
                self._spare = parcel.frame if parcel.frame.base is None else parcel.frame.base
        self._parcels = parcels

    def _send_if_due(self, parcel: _Parcel) -> None:
        failed = any(delivery.error is not None for delivery in parcel.deliveries)
        if not failed and not all(delivery.done for delivery in parcel.deliveries):
            parcel.send_again_at = self._clock() + parcel.patience_s
        elif failed or self._clock() >= parcel.send_again_at:
            parcel.patience_s = min(2 * parcel.patience_s, LONGEST_PATIENCE_S)
            self._send(parcel)

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
