"""Says of every update what becomes of it: a receipt to its client, an event, a place among the rejected."""

from engine import telemetry
from engine.core.update import ClientUpdate
from engine.errors import ProtocolError, UpdateRejected
from engine.protocol.chunks import TransferHeader
from engine.protocol.messages import Receipt
from engine.server.dead_letters import DeadLetters
from engine.server.gate import Gate
from engine.server.intake import Arrival, Refusal, Repetition
from engine.server.journal import Journal
from engine.server.round import Round
from engine.server.server_channel import ServerChannel
from engine.telemetry import UpdateId
from engine.transport.base import Record

HELD = "held"
LEFT_OUT = "left_out"
_NO_FAULT = ("duplicate", "counted", "round_closed")
"""Reasons that are no news: an answer was lost, or came late."""
_LONGEST_DETAIL = 300
"""Characters: an error can quote what the sender wrote, which may fill a whole frame."""


class UpdateHandler:
    """Judges arrivals against the open round and makes the verdicts known."""

    def __init__(
        self, gate: Gate, channel: ServerChannel, journal: Journal, dead_letters: DeadLetters
    ) -> None:
        self._gate, self._channel, self._journal = gate, channel, journal
        self._dead_letters = dead_letters

    def judge(
        self, arrival: Arrival, current: Round, part: int | None, *, quiet: bool
    ) -> ClientUpdate | None:
        """The update, if it may enter the round.

        Args:
            arrival: a whole transfer.
            current: the newest round; no update enters once it is closed.
            part: the part of the data of the client it names.
            quiet: a record from before the server's start; its client has had its answer, or will send again.
        """
        about = arrival.frame.metadata
        try:
            return self._gate.judge(arrival.frame, current, part)
        except UpdateRejected as rejection:
            if quiet:
                return None
            self._answer(arrival.header, rejection.reason)
            if rejection.reason not in _NO_FAULT:
                self._reject(arrival.record, about.client, about.round, rejection.reason, str(rejection))
        except ProtocolError as error:
            if not quiet:
                self.refuse(Refusal(arrival.header, arrival.record, error))
        return None

    def hold(self, arrival: Arrival) -> None:
        """The update is in the sum: tells its client."""
        self._answer(arrival.header, HELD)

    def repeat(self, repetition: Repetition) -> None:
        """The update is in the sum already: tells its client again."""
        self._answer(repetition.header, "duplicate")

    def refuse(self, refusal: Refusal) -> None:
        """A record that is not what the protocol says."""
        header = refusal.header
        client, round_number = (header.client, header.round) if header else ("", None)
        if header:
            self._answer(header, refusal.error.reason)
        self._reject(refusal.record, client, round_number, refusal.error.reason, str(refusal.error))

    def leave_out(self, update: UpdateId, transfer: str) -> None:
        """A program that steps the server by itself has not aggregated it."""
        self._say(update.round, update.client, transfer, LEFT_OUT)
        self._journal.record(
            telemetry.UpdateRejected(client=update.client, round=update.round, reason=LEFT_OUT)
        )

    def _answer(self, header: TransferHeader, verdict: str) -> None:
        self._say(header.round, header.client, header.transfer, verdict)

    def _say(self, round_number: int, client: str, transfer: str, verdict: str) -> None:
        receipt = Receipt(
            run=self._channel.run,
            epoch=self._channel.epoch,
            round=round_number,
            client=client,
            transfer=transfer,
            verdict=verdict,
        )
        self._channel.say(receipt)

    def _reject(
        self, record: Record, client: str, round_number: int | None, reason: str, detail: str
    ) -> None:
        detail = detail[:_LONGEST_DETAIL]
        self._channel.bury(record.value, reason, record.place, record.offset)
        self._dead_letters.keep(
            record, client=client, round_number=round_number, reason=reason, detail=detail
        )
        self._journal.record(
            telemetry.UpdateRejected(
                client=client,
                round=round_number,
                reason=reason,
                detail=detail,
                topic=record.place.topic,
                partition=record.place.partition,
                offset=record.offset,
            )
        )
