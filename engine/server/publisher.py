"""Keeps the current model and the open round published: what every client must be able to learn."""

from collections.abc import Callable

from engine import telemetry
from engine.core.weights import Weights
from engine.failpoints import reach
from engine.protocol.messages import RoundOpened
from engine.server.journal import Journal
from engine.server.round import Round
from engine.server.server_channel import ServerChannel

_REPUBLISH_PAUSE_S = 5.0


class Publisher:
    """Publishes the model, then the round; again whenever the broker lost them or did not take them.

    Args:
        channel: what the server writes to.
        journal: told of a round when it is first announced.
        clock: monotonic seconds.
    """

    def __init__(self, channel: ServerChannel, journal: Journal, clock: Callable[[], float]) -> None:
        self._channel, self._journal, self._clock = channel, journal, clock
        self._model: tuple[Weights, str, int] | None = None
        self._is_published = self._is_announced = False
        self._published_at = 0.0
        self.round: Round | None = None
        """The newest round."""

    def set_model(self, weights: Weights, digest: str, round_number: int) -> None:
        """Makes this the current model; `publish` makes it known."""
        self._model, self._is_published = (weights, digest, round_number), False

    def open_round(self, current: Round) -> None:
        """Makes this the open round; `renew` announces it."""
        self.round, self._is_announced = current, False

    def announce_again(self) -> None:
        """Somebody has come who may take part in the open round."""
        self._is_announced = False

    def renew(self) -> None:
        """Publishes what the broker has not taken, then announces the round."""
        if not self._is_published:
            self.publish()
        if self._is_published and not self._is_announced:
            self._announce()

    def forget(self) -> None:
        """The broker is another one, and empty: everything has to be said again."""
        self._channel.forget()
        self._is_published = self._is_announced = False
        if self.round is not None:
            self.round.forget_announcement()

    def publish_on_request(self) -> None:
        """A client cannot read the model any more; not more often than every few seconds."""
        if self._clock() - self._published_at > _REPUBLISH_PAUSE_S:
            self.publish()

    def publish(self) -> None:
        """Publishes the current model, and after it its manifest; blocks until the broker has them."""
        if self._model is None:
            return
        self._published_at, self._is_announced = self._clock(), False
        self._is_published = self._channel.publish_model(*self._model)
        if self._is_published:
            reach("server.model_published", self._model[2])

    def _announce(self) -> None:
        current = self.round
        if current is None or current.is_closed:
            return
        self._is_announced = True
        if current.announce(self._clock()):
            self._journal.record(
                telemetry.RoundOpened(
                    round=current.number,
                    cohort=list(current.cohort),
                    quorum=current.required,
                    deadline_s=current.rule.deadline_s,
                    goal=current.rule.goal,
                    interval_s=current.rule.interval_s,
                    base=current.base_digest,
                    reopened=current.resumed,
                    held=list(current.held()),
                )
            )
        self._channel.say(
            RoundOpened(
                run=self._channel.run,
                epoch=self._channel.epoch,
                round=current.number,
                base=current.base_digest,
                cohort=current.waited_for(),
                quorum=current.required,
                deadline_s=current.rule.deadline_s,
                held=current.held(),
                interval_s=current.rule.interval_s,
            )
        )
