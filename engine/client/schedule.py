"""When a client trains, and what becomes of its updates: once for each round, or at its own pace."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from engine.client.outbox import HELD, Outbox
from engine.client.pace import Pace
from engine.config import MAX_KEPT_UPDATES, RunConfig
from engine.protocol import messages


class Assignment(NamedTuple):
    """A training that is to begin now, from the model `base`."""

    round: int
    base: str
    repeat: int = 0


class Schedule(Protocol):
    """What a client makes of the rounds."""

    @property
    def opened(self) -> messages.RoundOpened | None:
        """The open round, as far as it concerns this client."""
        ...

    @property
    def interval_s(self) -> float | None:
        """Seconds from the start of a training to the next; None where the server sets the pace."""
        ...

    def start_over(self) -> None:
        """The broker is another one."""
        ...

    def note_takeover(self) -> None:
        """The server is another one, or has lost what it held."""
        ...

    def note_opened(self, opened: messages.RoundOpened) -> None: ...

    def note_closed(self, closed: messages.RoundClosed) -> None: ...

    def note_receipt(self, receipt: messages.Receipt) -> bool:
        """Takes a receipt of this client's; True if its update was refused for good."""
        ...

    def assignment(self, *, has_model: Callable[[str], bool], is_training: bool) -> Assignment | None:
        """Sends again what the server should hold and does not; returns a training that is due."""
        ...

    def wants(self, assignment: Assignment) -> bool:
        """Whether the update of a training that has ended is still of use."""
        ...

    def note_training(self, seconds: float) -> None:
        """A training has ended after so long."""
        ...


def open_schedule(config: RunConfig, client: str, outbox: Outbox, clock: Callable[[], float]) -> Schedule:
    """The schedule of a run's mode."""
    if config.mode == "sync":
        return RoundByRound(client, outbox)
    return OwnPace(config, client, outbox, clock)


class RoundByRound:
    """`sync`: trains once for each round whose cohort it is in, and keeps that update until the round closes.

    Args:
        client: this client's id.
        outbox: keeps the update.
    """

    def __init__(self, client: str, outbox: Outbox) -> None:
        self._client, self._outbox = client, outbox
        self.interval_s: float | None = None
        self.opened: messages.RoundOpened | None = None
        self._takes_part = self._is_new = False
        self._held_round = 0
        """The newest round of which the server has said that it holds this client's update."""

    def start_over(self) -> None:
        """See `Schedule.start_over`."""
        self.opened = None

    def note_takeover(self) -> None:
        """It opens the round again, and says what it holds."""

    def note_opened(self, opened: messages.RoundOpened) -> None:
        self.opened, self._is_new = opened, True
        self._takes_part = self._client in opened.cohort

    def note_closed(self, closed: messages.RoundClosed) -> None:
        self._outbox.forget_until(closed.round)
        if self.opened is not None and self.opened.round <= closed.round:
            self.opened = None

    def note_receipt(self, receipt: messages.Receipt) -> bool:
        """See `Schedule.note_receipt`."""
        if receipt.verdict in HELD:
            self._held_round = receipt.round
        is_current = self.opened is not None and self._outbox.has(self.opened.round, self.opened.base)
        is_refused = self._outbox.note_receipt(receipt.transfer, receipt.verdict)
        if is_refused and is_current:
            self.opened = None  # until the server opens it, or another, again
        return is_refused

    def assignment(self, *, has_model: Callable[[str], bool], is_training: bool) -> Assignment | None:
        """See `Schedule.assignment`."""
        opened = self.opened
        if opened is None or not self._takes_part:
            return None
        is_new, self._is_new = self._is_new, False
        if is_new and self._held_round == opened.round and self._client not in opened.held:
            self._held_round = 0  # a server that lost it opens the round again
        if self._client in opened.held or self._held_round == opened.round:
            return None
        if self._outbox.has(opened.round, opened.base):
            if is_new:
                self._outbox.send_again()
            return None
        is_due = not is_training and has_model(opened.base)
        return Assignment(opened.round, opened.base) if is_due else None

    def wants(self, assignment: Assignment) -> bool:
        """See `Schedule.wants`."""
        opened = self.opened
        return opened is not None and (opened.round, opened.base) == (assignment.round, assignment.base)

    def note_training(self, seconds: float) -> None:
        """The pace is the server's."""


class OwnPace:
    """`timed` and `buffered`: trains from the newest model whenever it is due, and sends what comes of it.

    It keeps each update until a checkpoint holds it. While it keeps too many, or the server does not hold the
    newest, it does not train.

    Args:
        config: the mode and its intervals.
        client: this client's id.
        outbox: keeps the updates.
        clock: monotonic seconds.
    """

    def __init__(self, config: RunConfig, client: str, outbox: Outbox, clock: Callable[[], float]) -> None:
        self._client, self._outbox, self._clock = client, outbox, clock
        self._pace = Pace(config)
        self.opened: messages.RoundOpened | None = None
        self._takes_part = False
        self._is_unsure = False
        """Whether the server may have lost what it held, until it opens a round and says what it holds."""
        self._trained_for = 0
        self._repeats = 0
        """Trainings from the base of the round `_trained_for`."""

    def start_over(self) -> None:
        """See `Schedule.start_over`."""
        self.opened, self._is_unsure = None, True

    def note_takeover(self) -> None:
        self._is_unsure = True

    def note_opened(self, opened: messages.RoundOpened) -> None:
        if opened.round != self._trained_for:
            self._trained_for, self._repeats = opened.round, 0
        self._pace.note_opened(opened.interval_s)
        self.opened, self._takes_part = opened, self._client in opened.cohort
        if self._is_unsure:
            self._is_unsure = False
            self._outbox.send_again(held=opened.held.get(self._client, ()))

    def note_closed(self, closed: messages.RoundClosed) -> None:
        self._outbox.forget(closed.accepted)
        self._outbox.send_held_again()
        if self.opened is not None and self.opened.round <= closed.round:
            self.opened = None

    def note_receipt(self, receipt: messages.Receipt) -> bool:
        """See `Schedule.note_receipt`."""
        return self._outbox.note_receipt(receipt.transfer, receipt.verdict)

    def assignment(self, *, has_model: Callable[[str], bool], is_training: bool) -> Assignment | None:
        """See `Schedule.assignment`."""
        opened = self.opened
        if opened is None or not self._takes_part:
            return None
        # A server that has not taken the last one yet would only see the next grow stale as well.
        has_room = self._outbox.num_kept < MAX_KEPT_UPDATES and not self._outbox.is_waiting
        is_due = has_room and not is_training and self._pace.is_due(self._clock())
        if not is_due or not has_model(opened.base):
            return None
        self._pace.note_start(self._clock())
        self._repeats += 1
        return Assignment(opened.round, opened.base, self._repeats - 1)

    def wants(self, assignment: Assignment) -> bool:  # noqa: ARG002 - the signature is Schedule's
        """Always: a stale update is an update."""
        return True

    def note_training(self, seconds: float) -> None:
        """See `Schedule.note_training`."""
        self._pace.note_end(seconds)

    @property
    def interval_s(self) -> float | None:
        return self._pace.interval_s
