"""The small messages: what the server says on `control`, what everyone says on `telemetry`.

JSON objects with a `type`. Every control record also carries two headers: `epoch`, and `manifest`, the offset
of the control record with the current `ModelPublished` (-1 before there is one), so that a joiner reads the
last record and seeks instead of replaying.
"""

from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from engine import untrusted_json
from engine.config import MAX_INTERVAL_S, Mode
from engine.errors import MessageInvalid
from engine.protocol import MAX_RECORD_BYTES

MAX_MESSAGE_BYTES = MAX_RECORD_BYTES
"""A message is one record."""
_MOST_DIGITS = 18
_MOST_LETTERS = 500


Words = Annotated[str, Meta(max_length=_MOST_LETTERS, pattern=r"^[^\x00-\x1f\x7f-\x9f]*\Z")]
"""Text from elsewhere that will be shown and logged: bounded, without control characters."""


class ControlMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Base of what the server, and only the server, says."""

    run: str
    epoch: int


class EpochStarted(ControlMessage, frozen=True, tag="epoch_started"):
    """A server took over. Everyone joins again; a server with a lower epoch stops."""


class ModelPublished(ControlMessage, frozen=True, tag="model_published"):
    """The manifest of a model: all its chunks are in `global_model`, the first at `first_offset`."""

    round: int
    """Rounds in the model: 0 for the initial one."""
    digest: str
    """Digest of the weights (`Weights.digest`)."""
    transfer: str
    """Transfer id (hex) of its chunks."""
    first_offset: int
    size: int
    """Bytes of the frame."""


class RoundOpened(ControlMessage, frozen=True, tag="round_opened"):
    """Whoever is in `cohort` and not in `held` trains from `base`, or sends again what it has."""

    round: int
    base: str
    cohort: tuple[str, ...]
    quorum: int
    deadline_s: float | None
    held: dict[str, tuple[str, ...]]
    """Client -> transfer ids (hex) of the updates that the server holds."""
    interval_s: float | None = None
    """With `timed`: seconds between the moments at which it may close."""


class RoundClosed(ControlMessage, frozen=True, tag="round_closed"):
    """The checkpoint with these updates is on disk: their clients may forget the frames."""

    round: int
    accepted: tuple[str, ...]
    """Transfer ids (hex)."""
    digest: str
    """Digest of the new model."""


class Receipt(ControlMessage, frozen=True, tag="receipt"):
    """What became of one update. `held` and `duplicate`: the server has it, though not durably."""

    round: int
    client: str
    transfer: str
    verdict: str
    """`held`, `duplicate`, or the reason of a rejection."""


class JoinAnswered(ControlMessage, frozen=True, tag="join_answered"):
    """The answer to one `Join`: a part of the data, or why not."""

    client: str
    session: str
    part: int | None
    parts: int
    reason: str = ""
    mode: Mode = "sync"
    """How rounds close here: what the client's own pace follows from."""


class Dismissed(ControlMessage, frozen=True, tag="dismissed"):
    """A client is out of the federation for good, while the process that it lives in goes on."""

    client: str
    session: str
    """Of the client that is meant, not of one that is started later under its id."""
    reason: str


class RunEnded(ControlMessage, frozen=True, tag="run_ended"):
    """There will be no further round."""

    reason: str


class TelemetryMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Base of what clients say beside their updates."""

    run: Words
    client: Words


class Join(TelemetryMessage, frozen=True, tag="join"):
    """A client is there, new or again."""

    session: Words
    """Random name of this client process."""
    host: Words
    pid: int
    part: int | None
    """The part it already works on, or asks for; None for any."""
    insists: bool = False
    """Whether no other part will do."""


class Have(TelemetryMessage, frozen=True, tag="have"):
    """A client has a model and starts its first training from it."""

    round: int
    digest: Words


class Sending(TelemetryMessage, frozen=True, tag="sending"):
    """A client has trained and starts to send."""

    round: int


class RepublishRequested(TelemetryMessage, frozen=True, tag="republish_requested"):
    """The model of the current manifest cannot be read any more."""

    digest: Words


CLIENT_STATES = ("joining", "idle", "training", "sending")


class Heartbeat(TelemetryMessage, frozen=True, tag="heartbeat"):
    """Every few seconds."""

    session: Words
    state: Words
    """One of `CLIENT_STATES`."""
    round: int | None
    interval_s: Annotated[float, Meta(ge=0, le=MAX_INTERVAL_S)] | None = None
    """Seconds from the start of a training to the next, as it wants it now; None in `sync`."""


class Leave(TelemetryMessage, frozen=True, tag="leave"):
    """A client goes for good (`final`), or ends and may come back."""

    session: Words
    reason: Words
    final: bool
    failed: bool = False
    """Whether an error is the reason."""


Control = (
    EpochStarted | ModelPublished | RoundOpened | RoundClosed | Receipt | JoinAnswered | Dismissed | RunEnded
)
Telemetry = Join | Have | Sending | RepublishRequested | Heartbeat | Leave

_Message = TypeVar("_Message")

_control_decoder: "msgspec.json.Decoder[Control]" = msgspec.json.Decoder(Control)
_telemetry_decoder: "msgspec.json.Decoder[Telemetry]" = msgspec.json.Decoder(Telemetry)


def header_number(headers: Mapping[str, bytes], name: str) -> int:
    """The `epoch` or `manifest` of a control record; -1 where it is missing or no plain number."""
    value = headers.get(name, b"")
    return int(value) if value.isdigit() and len(value) <= _MOST_DIGITS else -1


def words(text: str) -> str:
    """A text of any kind as `Words`: one line, printable, shortened."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:_MOST_LETTERS]


def encode(message: ControlMessage | TelemetryMessage) -> bytes:
    """The record's value."""
    return msgspec.json.encode(message)


def decode_control(value: bytes) -> Control:
    """Reads a control record.

    Raises:
        MessageInvalid: too long, not JSON, or not a message this version knows.
    """
    return _decode(value, _control_decoder)


def decode_telemetry(value: bytes) -> Telemetry:
    """Reads a telemetry record.

    Raises:
        MessageInvalid: too long, not JSON, or not a message this version knows.
    """
    return _decode(value, _telemetry_decoder)


def _decode(value: bytes, decoder: "msgspec.json.Decoder[_Message]") -> _Message:
    if len(value) > MAX_MESSAGE_BYTES:
        raise MessageInvalid(f"a message of {len(value)} bytes; the most is {MAX_MESSAGE_BYTES}")
    try:
        return untrusted_json.decode(decoder, value)
    except msgspec.DecodeError as error:
        raise MessageInvalid(str(error)) from None
