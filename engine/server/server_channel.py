"""All that the server writes to the broker: `control`, in order, models on `global_model`, `dead_letter`."""

from engine.core.weights import Weights
from engine.failpoints import reach
from engine.protocol.chunks import TransferHeader, split
from engine.protocol.messages import ControlMessage, ModelPublished, Receipt, encode
from engine.protocol.serialization import FrameMetadata, encode_frame
from engine.server.dead_letters import HEAD_BYTES
from engine.transport.base import CONTROL, DEAD_LETTER, GLOBAL_MODEL, Delivery, Headers, Place, Transport

_CONTROL = Place(CONTROL)
_MODELS = Place(GLOBAL_MODEL)
_DEAD_LETTERS = Place(DEAD_LETTER)
_FLUSH_SLICES, _FLUSH_SLICE_S = 60, 1.0


class ServerChannel:
    """The one writer of the server's topics.

    Args:
        transport: where to speak.
        run: the run's id.
        epoch: this server's epoch, in every record it writes.
        codec: how models are written.
        key: of the frames; None for none.
    """

    def __init__(
        self, transport: Transport, run: str, epoch: int, *, codec: str = "none", key: bytes | None = None
    ) -> None:
        self._transport, self.run, self.epoch = transport, run, epoch
        self._codec, self._key = codec, key
        self._manifest_offset = -1
        self._unconfirmed: list[tuple[Delivery, ControlMessage]] = []
        self.bytes_sent = 0
        """Bytes of models published since the broker was last empty."""
        self.frame_bytes = 0
        """Size of the newest model's frame."""

    def forget(self) -> None:
        """The broker is another one: what was published is gone."""
        self._manifest_offset, self.bytes_sent = -1, 0
        self._unconfirmed.clear()

    def say(self, message: ControlMessage) -> Delivery:
        """Says one thing on `control`. All but receipts are repeated until the broker has them."""
        headers = [("epoch", b"%d" % self.epoch), ("manifest", b"%d" % self._manifest_offset)]
        delivery = self._transport.publish(_CONTROL, encode(message), headers=headers)
        if not isinstance(message, Receipt):  # a client that misses its receipt sends again
            self._unconfirmed.append((delivery, message))
        return delivery

    def repeat_failed(self) -> None:
        """Says again what the broker did not take."""
        waiting, self._unconfirmed = self._unconfirmed, []
        for delivery, message in waiting:
            if delivery.error is not None:
                self.say(message)
            elif not delivery.done:
                self._unconfirmed.append((delivery, message))

    def publish_model(self, weights: Weights, digest: str, round_number: int) -> bool:
        """Publishes a model: its chunks first, and once the broker has them all, its manifest.

        Returns:
            Whether the broker has it; if not, it must be published again.
        """
        about = FrameMetadata.of_model(
            weights.layout, run=self.run, round_number=round_number, codec=self._codec
        )
        frame = encode_frame(about, weights.vector, key=self._key)
        header = TransferHeader.of_frame(frame, epoch=self.epoch)
        chunks = [
            self._transport.publish(_MODELS, chunk.value, headers=chunk.headers)
            for chunk in split(frame, header)
        ]
        self.flush()
        self.frame_bytes = frame.nbytes
        self.bytes_sent += frame.nbytes
        if chunks[0].offset is None or any(chunk.offset is None for chunk in chunks):
            return False
        reach("server.chunks_published", round_number)
        manifest = self.say(
            ModelPublished(
                run=self.run,
                epoch=self.epoch,
                round=round_number,
                digest=digest,
                transfer=header.transfer,
                first_offset=chunks[0].offset,
                size=frame.nbytes,
            )
        )
        self.flush()
        if manifest.offset is None:
            return False
        self._manifest_offset = manifest.offset
        return True

    def bury(self, value: bytes, reason: str, place: Place, offset: int) -> None:
        """Keeps the head of a rejected record in `dead_letter`."""
        headers: Headers = [
            ("reason", reason.encode()),
            ("topic", place.topic.encode()),
            ("partition", b"%d" % place.partition),
            ("offset", b"%d" % offset),
        ]
        self._transport.publish(_DEAD_LETTERS, value[:HEAD_BYTES], headers=headers)

    def flush(self) -> None:
        """Waits until the broker has what was written, at most a minute, and not for one that is silent."""
        for _ in range(_FLUSH_SLICES):  # once the broker was replaced, each ends at once
            if self._transport.flush(_FLUSH_SLICE_S) or self._transport.health().lost_for_s is not None:
                return
