"""What the server tells of itself when it is asked: the open round, its rules, and what each member does."""

from typing import Any

import msgspec

from engine.server.history import History
from engine.server.members import Member, Members
from engine.server.round import Round
from engine.telemetry import ClientSample

MOST_MEMBERS = 1_000
"""The answer is one line, whose length is bounded; of more members only the first are told of."""


def inspect(current: Round | None, members: Members, history: History, now: float) -> dict[str, Any]:
    """The newest round and the members, as plain data.

    Args:
        current: the newest round; None before the first.
        members: who belongs.
        history: what has been recorded.
        now: monotonic seconds.
    """
    told = members.clients()[:MOST_MEMBERS]
    samples = {client: _sample(members[client], history.bytes_up.get(client, 0), now) for client in told}
    return {
        "round": current.number if current else None,
        "cohort": list(current.cohort[:MOST_MEMBERS]) if current else [],
        "accepted": sorted(current.heard())[:MOST_MEMBERS] if current else [],
        "parts": {client: members[client].part for client in told},
        "members": msgspec.to_builtins(samples),
    }


def _sample(member: Member, bytes_up: int, now: float) -> ClientSample:
    return ClientSample(
        state=member.state,
        round=member.round,
        bytes_up=bytes_up,
        bytes_down=member.bytes_down,
        silence_s=round(max(0.0, now - member.last_heard), 3),
        interval_s=member.interval_s,
    )
