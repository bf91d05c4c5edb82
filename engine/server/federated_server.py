"""The server of a federation: opens rounds, takes updates in, aggregates, checkpoints, publishes, evaluates.

The order at the end of a round is what makes every death harmless (`docs/adr/0006-the-end-of-a-round.md`):
aggregate, digest, checkpoint, `round_closed`, model and manifest, evaluation, `round_finished`.
"""

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from engine import telemetry
from engine.config import RunConfig
from engine.core.exact_sum import ExactSum
from engine.core.projection import sketch
from engine.core.update import ClientUpdate
from engine.core.weights import Weights
from engine.errors import TooFewClients
from engine.failpoints import reach
from engine.protocol import messages
from engine.server.checkpoint import Checkpoint, CheckpointHeader, RoundSummary
from engine.server.counted import CountedUpdates
from engine.server.finisher import Finisher
from engine.server.intake import Arrival
from engine.server.message_loop import MessageLoop
from engine.server.metrics import ServerMetrics, rewrite_rows
from engine.server.round import MOST_COMPARED, Contribution, Round
from engine.server.selection import draw_cohort
from engine.server.takeover import Takeover, take_over
from engine.strategies import open_strategy
from engine.strategies.fedbuff import staleness_scale
from engine.telemetry import UpdateId
from engine.training.base import Evaluator
from engine.transport.base import Transport

Clock = Callable[[], float]


class FederatedServer:
    """Runs a federation: a round is the step from one global model to the next, and closes as its mode says.

    Args:
        config: what the run computes.
        run_dir: its directory; taken over from an earlier server if there was one.
        transport: connected to the run's broker.
        evaluator: the initial model and held-out evaluation.
        socket_path: where the supervisor's commands are taken; None for a server on its own.
        clock: monotonic seconds.

    Raises:
        RunDirectoryError, CheckpointError: the run cannot be taken over.
    """

    def __init__(
        self,
        config: RunConfig,
        run_dir: Path,
        *,
        transport: Transport,
        evaluator: Evaluator,
        socket_path: Path | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.config, self.run_dir = config, run_dir
        self.metrics = ServerMetrics()
        self._clock, self._evaluator = clock, evaluator
        self._started_at = clock()
        self._strategy = open_strategy(config.strategy)
        takeover = take_over(config, run_dir, transport, evaluator, self._strategy)
        self._adopt(takeover)
        rewrite_rows(run_dir / "metrics.csv", run_dir / "events.jsonl")
        self._loop = MessageLoop(
            config,
            transport,
            takeover,
            counted=self._counted,
            run_dir=run_dir,
            examples_by_part=evaluator.examples_by_part(),
            socket_path=socket_path,
            clock=clock,
        )
        self._finisher = Finisher(
            config,
            run_dir,
            journal=self._journal,
            store=self._store,
            metrics=self.metrics,
            evaluator=evaluator,
            clock=clock,
        )
        self._sum = ExactSum(self._weights.layout.size)
        self._last_tick: float | None = None
        self._end_at = math.inf
        has_begun = self._rounds_done or self._journal.history.opened
        self._patient_until = self._started_at + (config.start_timeout_s if has_begun else 0.0)
        """Until then a run that was taken over waits for clients to be added, or its quorum to be lowered."""

    def _adopt(self, takeover: Takeover) -> None:
        header = takeover.checkpoint.header
        self._store, self._journal, self._epoch = takeover.store, takeover.journal, takeover.epoch
        self._lock = takeover.lock
        self._weights, self._digest = takeover.checkpoint.weights, header.digest
        self._strategy_state = takeover.checkpoint.strategy_state
        self._rounds_done, self._last_summary = header.round, header.summary
        self._accepted_last = header.accepted
        self._counted = CountedUpdates(self.config.max_staleness, header.counted)

    # --- the life of a run

    def start(self, duration_minutes: float | None = None) -> str:
        """Runs rounds until the run is over.

        Args:
            duration_minutes: overrides the configuration; counted from this server's start.

        Returns:
            Why it is over, in words.

        Raises:
            TooFewClients: no round can reach its quorum any more.
            BrokerLost: the broker stayed away longer than `broker_timeout_s`.
            Overtaken: another server took the run over.
        """
        minutes = duration_minutes or self.config.duration_minutes
        self._end_at = math.inf if minutes is None else self._started_at + 60 * minutes
        self._loop.announce_takeover(self._rounds_done, self._weights, self._digest)
        self._complete_last_round()
        if not self._reason_to_end():
            self._wait_for_clients()
        while not (reason := self._reason_to_end()):
            self._run_round()
        self._conclude(reason)
        return reason

    def close(self) -> None:
        """Lets go of the broker and the run directory."""
        self._finisher.close()
        self._loop.close()
        self._journal.close()
        os.close(self._lock)

    def _reason_to_end(self) -> str:
        if self.config.round_limit is not None and self._rounds_done >= self.config.round_limit:
            return f"all {self.config.round_limit} rounds are done"
        if self._loop.operators.stop_after_round:
            return f"stopped by an operator after round {self._rounds_done}"
        if self._clock() >= self._end_at:
            return f"{(self._end_at - self._started_at) / 60:g} minutes have passed"
        if self.config.target_accuracy is not None:
            self._await_evaluation()
            accuracy = self._journal.history.last_accuracy
            if accuracy is not None and accuracy >= self.config.target_accuracy:
                return f"accuracy {accuracy:.4f} has reached the target of {self.config.target_accuracy:g}"
        return ""

    def _complete_last_round(self) -> None:
        """Does what the newest checkpoint implies and an earlier server did not live to do."""
        history, done = self._journal.history, self._rounds_done
        if done == 0 or history.finished >= done:
            return
        if history.closed < done:
            self._say_closed(done, self._accepted_last)
        self._finisher.submit(done, self._last_summary, self._digest, self._weights.vector)

    def _wait_for_clients(self) -> None:
        """Until all `--clients` have joined, or the start timeout."""
        if self._rounds_done or self._journal.history.opened:
            return
        deadline = self._clock() + self.config.start_timeout_s
        while self._clock() < deadline and self._loop.is_somebody_awaited():
            self._idle()

    def _conclude(self, reason: str) -> None:
        self._await_evaluation()
        self._evaluator.save_model(self._weights.vector, str(self.run_dir / "final.keras"))
        self._journal.record(telemetry.FederationEnded(reason=reason))
        self._loop.say(messages.RunEnded(run=self.config.run_id, epoch=self._epoch, reason=reason))
        self._loop.flush()

    # --- one round

    def _run_round(self) -> None:
        """One round from its opening to its model; or, while a pause keeps it from opening, one turn."""
        self._loop.recycle_broker_if_large(self._idle)
        current = self._next_round()
        if current is None:
            self._idle()
            self._finisher.poll()
            return
        self._loop.open_round(current)
        self._add_up(self.receive_model_updates())
        if current.has_enough:
            self._close_round(self._step())

    def _next_round(self) -> Round | None:
        """The round to open, or to go on with; None while a pause keeps it shut, or help may still come.

        Raises:
            TooFewClients: the members, paused or not, do not reach the quorum.
        """
        number, members = self._rounds_done + 1, self._loop.members.clients()
        pauses = self._loop.operators.pauses
        interrupted = self._journal.history.cohort_of(number)
        drawn = draw_cohort(self.config, pauses.cohort(members), number)
        planned = self._plan_round(interrupted or drawn, resumed=interrupted is not None)
        if not interrupted and pauses.of_federation:
            return None
        if planned.is_reachable():
            return planned
        if not interrupted and self._plan_round(members).is_reachable():
            return None
        if self._clock() < self._patient_until:
            return None
        there = len(interrupted or members)
        raise TooFewClients(
            f"round {planned.number} needs {max(1, planned.required)} clients and {there} are there; "
            f"resume, then add clients or lower the quorum within {self.config.start_timeout_s:g} s"
        )

    def _plan_round(self, cohort: tuple[str, ...], *, resumed: bool = False) -> Round:
        return Round(
            number=self._rounds_done + 1,
            base_digest=self._digest,
            cohort=cohort,
            rule=self._loop.operators.rules.closing_rule(),
            last_tick=self._last_tick,
            resumed=resumed,
        )

    def receive_model_updates(
        self, max_updates: int | None = None, timeout_ms: float | None = None
    ) -> Iterator[ClientUpdate]:
        """Yields the updates that enter the open round, as they come, until it may close.

        An update counts as held, and its client is told so, when the next one is asked for.

        Args:
            max_updates: stop after the look in which so many have come; None for no limit.
            timeout_ms: stop after so long; None for no limit.

        Raises:
            TooFewClients: so many left that the round can never close.
        """
        current = self._loop.the_round()
        give_up_at = math.inf if timeout_ms is None else self._clock() + timeout_ms / 1000
        received, most = 0, math.inf if max_updates is None else max_updates
        # The round before is finished first; whatever comes meanwhile is still taken.
        while self._finisher.is_busy or not current.may_close(self._clock()):
            for arrival, update in self._loop.turn():
                yield update
                self._hold(arrival, update)
                received += 1
            self._finisher.poll()
            if received >= most or self._clock() >= give_up_at or self._is_cut_short():
                return
            if not current.is_reachable():
                raise TooFewClients(
                    f"round {current.number} can no longer reach {max(1, current.required)} updates: "
                    f"of its {len(current.cohort)} clients {len(current.waited_for())} are left"
                )

    def aggregate_model_updates(self, updates: Iterable[ClientUpdate]) -> Weights:
        """The next global model: the strategy's step along the mean delta, weighted by examples.

        Streams: however many updates there are, one sum is held. The result does not depend on their order.

        Args:
            updates: any iterable of updates from the current model.

        Raises:
            OutOfRange: a delta that the exact sum cannot hold.
        """
        self._add_up(updates)
        return self._step()

    def _is_cut_short(self) -> bool:
        """In `timed` and `buffered`, where a round may never close: the run is to end."""
        is_over = self._clock() >= self._end_at or self._loop.operators.stop_after_round
        return is_over and self.config.mode != "sync" and not self._finisher.is_busy

    def _add_up(self, updates: Iterable[ClientUpdate]) -> None:
        self._sum.reset()
        for update in updates:
            self._sum.add(update.delta, update.num_examples, self._scale(update))

    def _scale(self, update: ClientUpdate) -> float:
        is_buffered = self.config.mode == "buffered"
        return staleness_scale(self._rounds_done + 1 - update.round) if is_buffered else 1.0

    def _step(self) -> Weights:
        started = self._clock()
        layout = self._weights.layout
        self._strategy_state, vector = self._strategy.apply(
            self._strategy_state, self._weights.vector, self._sum.mean(), layout
        )
        self.metrics.aggregation_times.append(self._clock() - started)
        return Weights(layout, vector)

    def send_global_model(self) -> None:
        """Publishes the current model, and after it its manifest."""
        self._loop.publish_model(self._weights, self._digest, self._rounds_done)

    def _hold(self, arrival: Arrival, update: ClientUpdate) -> None:
        current = self._loop.the_round()
        norm = float(np.linalg.norm(update.delta))
        contribution = Contribution(
            transfer=arrival.header.transfer,
            num_examples=update.num_examples,
            metrics=update.metrics,
            num_bytes=arrival.num_bytes,
            codec=arrival.frame.metadata.codec,
            accepted_at=self._clock(),
            scale=self._scale(update),
            train_s=arrival.train_s,
        )
        current.contributions[update.id] = contribution
        self.metrics.client_updates.append((update.round, update.client, update.num_examples, norm))
        self._loop.acknowledge(arrival, update, contribution, norm)
        if len(current.cohort) <= MOST_COMPARED:  # two passes over the delta for which no client has to wait
            current.sketches[update.client] = sketch(update.delta, self.config.seed)

    def _close_round(self, weights: Weights) -> None:
        current = self._loop.the_round()
        current.is_closed = True
        digest = weights.digest()
        summary = self._loop.summarise(current, self.metrics.aggregation_times[-1])
        self._last_tick = current.tick_at(self._clock())
        self._counted.add(current.contributions if self.config.mode != "sync" else (), current.number)
        accepted = {c.transfer: update for update, c in current.contributions.items()}
        reach("server.before_checkpoint", current.number)
        self._store.write(self._checkpoint(current, accepted, weights, digest, summary))
        reach("server.after_checkpoint", current.number)
        self._weights, self._digest, self._rounds_done = weights, digest, current.number
        self.metrics.update_counts.append(len(current.contributions))
        self._say_closed(current.number, accepted)
        self._loop.note_counted(accepted)
        started = self._clock()
        self.send_global_model()
        summary.parts["publishing"] = self._clock() - started
        self.metrics.note_weights(weights.vector)  # a pass over the model for which no client has to wait
        self._finisher.submit(current.number, summary, digest, weights.vector)

    def _checkpoint(
        self,
        current: Round,
        accepted: Mapping[str, UpdateId],
        weights: Weights,
        digest: str,
        summary: RoundSummary,
    ) -> Checkpoint:
        header = CheckpointHeader(
            run=self.config.run_id,
            round=current.number,
            epoch=self._epoch,
            digest=digest,
            layout=weights.layout,
            accepted=accepted,
            counted=self._counted.to_checkpoint(),
            summary=summary,
            members=self._loop.members.parts,
            incarnation=self._loop.incarnation,
            safe_offsets=self._loop.safe_offsets(),
            strategy_arrays=tuple((name, array.size) for name, array in self._strategy_state.items()),
        )
        return Checkpoint(header, weights, self._strategy_state)

    def _say_closed(self, number: int, accepted: Mapping[str, UpdateId]) -> None:
        """Records and announces the updates of a closed round, by their transfer ids."""
        closed = telemetry.RoundClosed(
            round=number, updates=len(accepted), digest=self._digest, accepted=list(accepted.values())
        )
        self._journal.record(closed)
        self._loop.say(
            messages.RoundClosed(
                run=self.config.run_id,
                epoch=self._epoch,
                round=number,
                accepted=tuple(accepted),
                digest=self._digest,
            )
        )
        reach("server.round_closed", number)

    def _await_evaluation(self) -> None:
        while self._finisher.is_busy:
            self._finisher.poll()
            if self._finisher.is_busy:
                self._idle()

    def _idle(self) -> None:
        """One turn in which no update can enter a round."""
        for _ in self._loop.turn():
            pass
