"""Who belongs to the federation, on which part of the data, and when each was last heard of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from engine.protocol.messages import Join

_MOST_DIGITS = 9


class Admission(NamedTuple):
    """The answer to a join."""

    part: int | None
    reason: str
    """Why there is no part; empty otherwise."""
    is_new: bool
    came_back_after_s: float | None
    """How long a lost or restarted client had been away; None where it was not."""


@dataclass(slots=True)
class Member:
    """A client that has a part, whether it can be heard at the moment or not."""

    part: int
    session: str
    last_heard: float
    lost_since: float | None = None
    state: str | None = None
    """What it last said it does; None if it has not said."""
    round: int | None = None
    """The round that it does it for."""
    bytes_down: int = 0
    """Of the models that it said it has."""
    interval_s: float | None = None
    """Seconds from the start of a training to the next, as it says it; None where it does not."""


class Members:
    """The members of the federation. No clock inside: `now` is monotonic seconds.

    Args:
        num_parts: parts that the data are cut into; each belongs to one member at a time.
        timeout_s: silence after which a member counts as lost.
    """

    def __init__(self, num_parts: int, timeout_s: float) -> None:
        self._num_parts, self._timeout_s = num_parts, timeout_s
        self._members: dict[str, Member] = {}

    def __contains__(self, client: str) -> bool:
        return client in self._members

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, client: str) -> Member:
        return self._members[client]

    @property
    def parts(self) -> dict[str, int]:
        return {client: member.part for client, member in self._members.items()}

    def clients(self) -> tuple[str, ...]:
        """Everyone who belongs, in a fixed order: the next cohort."""
        return tuple(sorted(self._members, key=_numeric_first))

    def restore(self, parts: Mapping[str, int], now: float) -> None:
        """Members known from before a restart; they count as heard of now."""
        for client, part in parts.items():
            self._members[client] = Member(part, session="", last_heard=now)

    def join(self, message: Join, now: float) -> Admission:
        """Admits a client, new or again: on the part it asks for if that is free, else on another.

        One that insists on its part is refused where that is not free.
        """
        member = self._members.get(message.client)
        if member is None:
            part, refusal = self._part_for(message)
            if part is None:
                return Admission(None, refusal, False, None)
            self._members[message.client] = Member(part, message.session, now)
            return Admission(part, "", True, None)
        away = now - (member.lost_since if member.lost_since is not None else member.last_heard)
        is_back = member.lost_since is not None or member.session not in ("", message.session)
        member.session, member.last_heard, member.lost_since = message.session, now, None
        return Admission(member.part, "", False, away if is_back else None)

    def heard(self, client: str, now: float, state: str | None, round_number: int | None) -> float | None:
        """Notes what a member says it does; the seconds it had been lost, if it had been."""
        member = self._members.get(client)
        if member is None:
            return None
        away = None if member.lost_since is None else now - member.lost_since
        member.last_heard, member.lost_since = now, None
        member.state, member.round = state, round_number
        return away

    def received(self, client: str, num_bytes: int) -> None:
        """Notes that a member has a model of this size."""
        if client in self._members:
            self._members[client].bytes_down += num_bytes

    def delivered(self, client: str) -> None:
        """Notes that a member's update is in the sum: it has nothing left to do."""
        if client in self._members:
            self._members[client].state = "idle"

    def lose(self, client: str, now: float) -> bool:
        """Marks a member as lost; False if it is unknown or lost already."""
        member = self._members.get(client)
        if member is None or member.lost_since is not None:
            return False
        member.lost_since = now
        return True

    def silent(self, now: float) -> Sequence[str]:
        """Members not heard of for too long and not yet marked as lost."""
        return [
            client
            for client, member in self._members.items()
            if member.lost_since is None and now - member.last_heard > self._timeout_s
        ]

    def excuse_silence(self, now: float) -> None:
        """Counts everyone as heard of now: it was the broker that was silent."""
        for member in self._members.values():
            member.last_heard = max(member.last_heard, now)

    def remove(self, client: str) -> bool:
        """Takes a member out for good and frees its part; False if it is unknown."""
        return self._members.pop(client, None) is not None

    def _part_for(self, message: Join) -> tuple[int | None, str]:
        """A part that is free, if possible the one asked for; or why there is none."""
        holders = {part: client for client, part in self.parts.items()}
        free = set(range(self._num_parts)) - holders.keys()
        is_condition = message.insists and message.part is not None
        others = () if is_condition else (_number(message.client) - 1, min(free, default=-1))
        for wish in (message.part, *others):
            if wish in free:
                return wish, ""
        if not is_condition:
            return None, f"no data part is free: all {self._num_parts} are taken"
        if message.part in holders:
            return None, f"part {message.part} is taken by client {holders[message.part]}"
        return None, f"part {message.part} does not exist; the parts are 0 to {self._num_parts - 1}"


def _numeric_first(client: str) -> tuple[bool, int, str]:
    number = _number(client)
    return number < 0, number, client


def _number(client: str) -> int:
    """The number that a client id is, as this machine's ids are; -1 for any other id."""
    is_number = client.isascii() and client.isdigit() and len(client) <= _MOST_DIGITS
    return int(client) if is_number else -1
