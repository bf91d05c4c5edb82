"""What a client process hears: the server's words on `control`, and the newest model."""

import time
from collections.abc import Callable
from typing import NamedTuple

from engine.client.model_receiver import ModelReceiver
from engine.config import RunConfig
from engine.errors import BrokerLost, BrokerReset, BrokerUnreachable, MessageInvalid
from engine.frame_key import read_frame_key
from engine.protocol import messages
from engine.transport.base import CONTROL, GLOBAL_MODEL, Place, Record, Transport
from engine.transport.last_record import read_last_record

_CONTROL = Place(CONTROL)
_MODELS = Place(GLOBAL_MODEL)


class Heard(NamedTuple):
    """One message of the server that leads."""

    message: messages.Control
    is_news: bool
    """False for one that was said before this process had come."""


class Downlink:
    """Follows the server through restarts of the broker; nothing older than the current model is read.

    Args:
        config: what the run computes.
        name: of this process, for its log.
        transport: connected to the run's broker.
        clock: monotonic seconds.

    Raises:
        ConfigError: `frame_key_file` cannot be used.
    """

    def __init__(
        self,
        config: RunConfig,
        name: str,
        *,
        transport: Transport,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._transport, self._clock = config, transport, clock
        self.frame_key = read_frame_key(config.frame_key_file)
        """Of the frames that this process reads and writes; None for none."""
        self.model = ModelReceiver(name, config.run_id, clock, key=self.frame_key)
        self.epoch = 0
        """Of the server that leads."""
        self.connections = 0
        """How often reading has begun, with one broker or another."""
        self._is_connected = False
        self._position = 0
        self._first_news = 0
        """Offset of the first record of `control` that was written after this process had come."""
        self._reads_models = False

    def listen(self, wait_s: float) -> list[Heard]:
        """What has come; waits for it at most `wait_s`.

        Raises:
            BrokerLost: the broker stayed away longer than `broker_timeout_s`.
            ConfigError: the server's models are made with another key.
        """
        self._check_broker()
        try:
            if not self._is_connected:
                self._connect()
                return []
            records = self._transport.poll(wait_s)
        except BrokerReset:
            self._is_connected = False
            return []
        self._position = max([self._position, *(r.offset + 1 for r in records if r.place == _CONTROL)])
        heard = []
        for record in records:
            if record.place != _CONTROL:
                self.model.take(record)
                continue
            message = self._understand(record)
            if message is not None:
                heard.append(Heard(message, record.offset >= self._first_news))
        return heard

    @property
    def is_connected(self) -> bool:
        return self._is_connected

    def has_model(self, digest: str) -> bool:
        """Whether the newest whole model is the one of this digest."""
        return self.model.weights is not None and self.model.digest == digest

    def _check_broker(self) -> None:
        health = self._transport.health()
        if health.lost_for_s is not None and health.lost_for_s > self._config.broker_timeout_s:
            raise BrokerLost(f"the broker has been silent for {health.lost_for_s:.0f} s: {health.reason}")

    def _connect(self) -> None:
        """Finds the current manifest and reads on from there."""
        if not self._transport.wait_for_topics(1.0):
            return
        try:
            end = self._transport.end_offsets(CONTROL)[_CONTROL]
        except BrokerUnreachable:
            return
        self._first_news = end
        self._position = self._manifest_offset(end)
        self._transport.assign({_CONTROL: self._position})
        self._reads_models, self.epoch = False, 0
        self.model.start_over()
        self.connections += 1
        self._is_connected = True

    def _manifest_offset(self, end: int) -> int:
        """Offset of the current manifest, as the last record of `control` says it; 0 where there is none."""
        record = read_last_record(self._transport, _CONTROL, end, clock=self._clock)
        if record is None:
            return 0
        if isinstance(_decode(record), messages.ModelPublished):
            return record.offset
        return max(0, messages.header_number(record.headers, "manifest"))

    def _understand(self, record: Record) -> messages.Control | None:
        """The message, unless it is of another run, or of a server that has been overtaken."""
        message = _decode(record)
        if message is None or message.run != self._config.run_id or message.epoch < self.epoch:
            return None
        self.epoch = message.epoch
        if isinstance(message, messages.ModelPublished):
            self._note_manifest(message)
        return message

    def _note_manifest(self, manifest: messages.ModelPublished) -> None:
        self.model.note_manifest(manifest)
        if not self._reads_models:
            self._reads_models = True
            self._transport.assign({_CONTROL: self._position, _MODELS: manifest.first_offset})


def _decode(record: Record) -> messages.Control | None:
    """The message in a control record; None for one that this version does not know."""
    try:
        return messages.decode_control(record.value)
    except MessageInvalid:
        return None
