"""The types of everything a run records about itself. `docs/events.md` is their specification.

Three files follow them: `events.jsonl` (written by the server), `processes.jsonl` and `samples.jsonl`
(written by the supervisor). A reader tolerates unknown fields and types; a number that nobody knows is null.
"""

import msgspec

from engine import untrusted_json
from engine.telemetry.dead_letters import DeadLetter, decode_dead_letter
from engine.telemetry.envelope import (
    VERSION,
    Envelope,
    Event,
)
from engine.telemetry.federation import (
    TOLD_TO_END,
    BrokerBack,
    BrokerLost,
    BrokerRecycled,
    ClientBack,
    ClientJoined,
    ClientLate,
    ClientLeft,
    ClientLost,
    ClientPaused,
    ClientRefused,
    ClientResumed,
    Failure,
    FederationEnded,
    FederationPaused,
    FederationResumed,
    RoundClosed,
    RoundFinished,
    RoundOpened,
    RulesChanged,
    SecondsByPart,
    ServerStarted,
    UpdateAccepted,
    UpdateId,
    UpdateRejected,
)
from engine.telemetry.processes import (
    KILLED_BY_OPERATOR,
    RECYCLED,
    RESTARTED_BY_OPERATOR,
    STOPPED_WITH_RUN,
    Command,
    DiskLow,
    ProcessExited,
    ProcessStarted,
    RunEnded,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
)
from engine.telemetry.samples import (
    ClientSample,
    ProcessSample,
    Sample,
)

__all__ = [
    "KILLED_BY_OPERATOR",
    "RECYCLED",
    "RESTARTED_BY_OPERATOR",
    "STOPPED_WITH_RUN",
    "TOLD_TO_END",
    "VERSION",
    "AnyEvent",
    "BrokerBack",
    "BrokerLost",
    "BrokerRecycled",
    "ClientBack",
    "ClientJoined",
    "ClientLate",
    "ClientLeft",
    "ClientLost",
    "ClientPaused",
    "ClientRefused",
    "ClientResumed",
    "ClientSample",
    "Command",
    "DeadLetter",
    "DiskLow",
    "Envelope",
    "Event",
    "Failure",
    "FederationEnded",
    "FederationPaused",
    "FederationResumed",
    "ProcessExited",
    "ProcessSample",
    "ProcessStarted",
    "RoundClosed",
    "RoundFinished",
    "RoundOpened",
    "RulesChanged",
    "RunEnded",
    "RunFailed",
    "RunFinished",
    "RunStarted",
    "RunStopped",
    "Sample",
    "SecondsByPart",
    "ServerStarted",
    "UpdateAccepted",
    "UpdateId",
    "UpdateRejected",
    "decode_dead_letter",
    "decode_line",
]

AnyEvent = (
    ServerStarted | ClientJoined | ClientRefused | ClientLate | ClientLost | ClientBack | ClientLeft
    | FederationPaused | FederationResumed | ClientPaused | ClientResumed
    | RoundOpened | RulesChanged | UpdateAccepted | UpdateRejected | RoundClosed | RoundFinished
    | BrokerLost | BrokerBack | BrokerRecycled | FederationEnded | Failure
    | RunStarted | ProcessStarted | ProcessExited | Command | DiskLow | RunFinished | RunFailed | RunStopped
    | Sample
)  # fmt: skip

_envelope_decoder = msgspec.json.Decoder(Envelope)
_event_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def decode_line(line: bytes) -> tuple[Envelope, AnyEvent | None]:
    """Reads one line of any of the three files; the event is None where its type is not known.

    Raises:
        msgspec.DecodeError: not JSON in UTF-8, or not an envelope (a torn line).
    """
    return untrusted_json.decode(_envelope_decoder, line), _decode_event(line)


def _decode_event(line: bytes) -> AnyEvent | None:
    try:
        return untrusted_json.decode(_event_decoder, line)
    except msgspec.ValidationError:
        return None
