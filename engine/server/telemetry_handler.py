"""Takes in what clients say on `telemetry` and keeps the membership current."""

from collections.abc import Mapping

from engine import telemetry
from engine.config import Mode
from engine.protocol import messages
from engine.server.journal import Journal
from engine.server.members import Members
from engine.server.server_channel import ServerChannel


class TelemetryHandler:
    """The server's ear for everything but updates. No clock inside: `now` is monotonic seconds.

    Args:
        members: who belongs; changed here alone.
        channel: what the server writes to.
        journal: told who joined, was lost, came back or left.
        num_parts: parts that the data are cut into.
        mode: how rounds close.
        examples_by_part: size of each part of the data; empty where it is not known.
    """

    def __init__(
        self,
        *,
        members: Members,
        channel: ServerChannel,
        journal: Journal,
        num_parts: int,
        mode: Mode = "sync",
        examples_by_part: Mapping[int, int],
    ) -> None:
        self.members = members
        self._channel, self._journal = channel, journal
        self._num_parts, self._mode, self._examples_by_part = num_parts, mode, examples_by_part
        self._round = 0
        self._expelled: dict[str, str] = {}
        """Clients that are out while their process goes on, and why."""
        self.left: set[str] = set()
        """Clients that have left this server for good."""
        self.downloads = 0
        """Clients that said they have the model of the newest round."""

    def hear(self, message: messages.Telemetry, now: float) -> bool:
        """Takes one message; True if it asks for the model to be published again."""
        if message.run != self._channel.run:
            return False
        match message:
            case messages.Join():
                self._admit(message, now)
            case messages.Leave(final=True):
                self.dismiss(message.client, message.reason, failed=message.failed)
            case messages.Leave():
                self.lose(message.client, message.reason, now)
            case messages.Have():
                self.downloads += message.round == self._round
                self._alive(message.client, now, "training", message.round)
                self.members.received(message.client, self._channel.frame_bytes)
            case messages.Sending():
                self._alive(message.client, now, "sending", message.round)
            case messages.Heartbeat():
                state = message.state if message.state in messages.CLIENT_STATES else None
                self._alive(message.client, now, state, message.round)
                if message.client in self.members:
                    self.members[message.client].interval_s = message.interval_s
            case messages.RepublishRequested():
                return True
        return False

    def check_silence(self, now: float) -> None:
        """Marks as lost whoever has been silent for too long."""
        for client in self.members.silent(now):
            silence = now - self.members[client].last_heard
            self.lose(client, f"silent for {silence:.0f} s", now)

    def lose(self, client: str, reason: str, now: float) -> None:
        """A member is away; it still belongs, and is waited for."""
        if self.members.lose(client, now):
            self._journal.record(telemetry.ClientLost(client=client, reason=reason))

    def dismiss(self, client: str, reason: str, *, failed: bool = False) -> None:
        """A member is out for good, perhaps by an error; its part of the data is free again."""
        if self.members.remove(client):
            self.left.add(client)
            self._journal.record(telemetry.ClientLeft(client=client, reason=reason, failed=failed))

    def expel(self, client: str, reason: str) -> None:
        """A client is out for good, and its process is not: it is told so, and again if it wants to join."""
        self._expelled[client] = reason
        if client in self.members:
            self._tell_expelled(client, self.members[client].session)
        self.dismiss(client, reason)

    def note_exit(self, client: str) -> None:
        """The process of a client has ended: whoever joins under its id is another one."""
        self._expelled.pop(client, None)

    def follow_round(self, round_number: int) -> None:
        """A round is opened: counts its downloads from now on."""
        self._round, self.downloads = round_number, 0

    def _tell_expelled(self, client: str, session: str) -> None:
        self._channel.say(
            messages.Dismissed(
                run=self._channel.run,
                epoch=self._channel.epoch,
                client=client,
                session=session,
                reason=self._expelled[client],
            )
        )

    def _admit(self, message: messages.Join, now: float) -> None:
        if message.client in self._expelled:
            self._tell_expelled(message.client, message.session)
            return
        admission = self.members.join(message, now)
        if admission.part is None:
            refused = telemetry.ClientRefused(
                client=message.client, host=message.host, reason=admission.reason
            )
            self._journal.record(refused)
        elif admission.is_new:
            self.left.discard(message.client)
            self._journal.record(
                telemetry.ClientJoined(
                    client=message.client,
                    host=message.host,
                    pid=message.pid,
                    part=admission.part,
                    examples=self._examples_by_part.get(admission.part),
                )
            )
        elif admission.came_back_after_s is not None:
            self._back(message.client, admission.came_back_after_s)
        self._channel.say(
            messages.JoinAnswered(
                run=self._channel.run,
                epoch=self._channel.epoch,
                client=message.client,
                session=message.session,
                part=admission.part,
                parts=self._num_parts,
                reason=admission.reason,
                mode=self._mode,
            )
        )

    def _alive(self, client: str, now: float, state: str | None, round_number: int | None) -> None:
        away_s = self.members.heard(client, now, state, round_number)
        if away_s is not None:
            self._back(client, away_s)

    def _back(self, client: str, away_s: float) -> None:
        self._journal.record(telemetry.ClientBack(client=client, away_s=round(away_s, 3)))
