"""The server of a federation: opens rounds, takes updates in, aggregates, checkpoints, publishes, evaluates.

The order at the end of a round is what makes every death harmless (`docs/adr/0006-the-end-of-a-round.md`):
aggregate, digest, checkpoint, `round_closed`, model and manifest, evaluation, `round_finished`.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from engine import telemetry
from engine.config import RunConfig
from engine.core.projection import sketch
from engine.core.update import ClientUpdate
from engine.core.weights import Weights
from engine.data.dataset import Dataset
from engine.data.user import Data, data_function
from engine.errors import ConfigError
from engine.library import complete_config, connect, make_run_dir, with_rules
from engine.protocol import messages
from engine.server.aggregation import Aggregator, Step
from engine.server.checkpoint import read_checkpoint
from engine.server.commit import RoundCommitter
from engine.server.counted import CountedUpdates
from engine.server.finisher import Finisher
from engine.server.intake import Arrival
from engine.server.message_loop import MessageLoop
from engine.server.metrics import ServerMetrics, rewrite_rows
from engine.server.planning import RoundPlanner, require_reachable
from engine.server.round import MOST_COMPARED
from engine.server.round_report import contribution
from engine.server.takeover import take_over
from engine.strategies import open_strategy
from engine.training.base import Evaluator, ModelFunction
from engine.training.factory import open_evaluator
from engine.transport.base import Transport


class FederatedServer:
    """Runs a federation: a round is the step from one global model to the next, and closes as its mode says.

    On its own with `start`, or step by step:

        for _ in range(rounds):
            server.aggregate_model_updates(server.receive_model_updates(timeout_ms=60_000))
            server.send_global_model()

    Args:
        bootstrap_servers: `HOST:PORT[,HOST:PORT]`, or `memory://NAME` for a broker in this process.
        model_topic: what the broker calls the topic of the global models.
        update_topic: what it calls the topic of the updates.
        config: what the run computes; the default is `RunConfig()`: three clients, five rounds, `sync`.
        run_dir: its directory; taken over from an earlier server if there was one. The default is a new one
            in `runs_dir`.
        embedded: whether that Kafka is the embedded broker.
        transport: a connection to use instead of a new one; closed with the server.
        model: makes the model, as `model(input_shape, classes)`; None for the one that `config` names.
        data: held-out examples, in a `Dataset`, or `data(part, parts, seed)`, which makes all there is; None
            for what `config` names.
        evaluator: the initial model and held-out evaluation, instead of `model` and `data`.
        socket_path: where the supervisor's commands are taken; None for a server on its own.
        clock: monotonic seconds.

    Raises:
        ConfigError: a topic cannot be called so, or the model cannot be built.
        DataError: the held-out examples cannot be loaded.
        BrokerUnreachable: nothing answers within 5 s; BrokerRefused: it answers and says no.
        RunDirectoryError, CheckpointError: the run cannot be taken over.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        model_topic: str,
        update_topic: str,
        *,
        config: RunConfig | None = None,
        run_dir: Path | None = None,
        embedded: bool = False,
        transport: Transport | None = None,
        model: ModelFunction | None = None,
        data: Data | None = None,
        evaluator: Evaluator | None = None,
        socket_path: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        config = complete_config(config, model_topic)
        self._clock, self._socket_path = clock, socket_path
        self._transport = transport or connect(
            bootstrap_servers, config, (model_topic, update_topic), embedded=embedded, name="server"
        )
        with contextlib.ExitStack() as undo:
            undo.callback(self._transport.close)
            self._evaluator = evaluator or open_evaluator(
                config,
                read_checkpoint=lambda path: read_checkpoint(path).weights,
                model=model,
                data=data_function(data),
            )
            self._knows_parts = not isinstance(data, Dataset)
            self.run_dir = make_run_dir(run_dir, config)
            self._adopt(config, undo)
            undo.pop_all()

    def _adopt(self, config: RunConfig, undo: contextlib.ExitStack) -> None:
        """Takes the run over as its directory has it."""
        self.metrics, self._strategy = ServerMetrics(), open_strategy(config.strategy)
        takeover = take_over(config, self.run_dir, self._transport, self._evaluator, self._strategy)
        self._takeover, self._lock, self._journal = takeover, takeover.lock, takeover.journal
        undo.callback(os.close, self._lock)
        undo.callback(self._journal.close)
        header = takeover.checkpoint.header
        self._weights, self._digest = takeover.checkpoint.weights, header.digest
        self._strategy_state = takeover.checkpoint.strategy_state
        self._rounds_done = header.round
        rewrite_rows(self.run_dir / "metrics.csv", self.run_dir / "events.jsonl")
        self._step: Step | None = None
        self._last_tick: float | None = None
        self._has_begun = False
        self._set_up(config)

    def _set_up(self, config: RunConfig) -> None:
        """What works by the configuration; `start` may change it before anything is said."""
        self.config = config
        size = self._weights.layout.size
        self._aggregator = Aggregator(config.mode, self._strategy, size, self._clock)
        counted = CountedUpdates(config.max_staleness, self._takeover.checkpoint.header.counted)
        self._loop = MessageLoop(
            config,
            self._transport,
            self._takeover,
            counted=counted,
            run_dir=self.run_dir,
            examples_by_part=self._evaluator.examples_by_part() if self._knows_parts else {},
            socket_path=self._socket_path,
            clock=self._clock,
        )
        self._committer = RoundCommitter(config, self._takeover, counted, self._loop)
        self._finisher = Finisher(
            config,
            self.run_dir,
            journal=self._journal,
            store=self._takeover.store,
            metrics=self.metrics,
            evaluator=self._evaluator,
            clock=self._clock,
        )

    @property
    def global_model(self) -> Weights:
        """The current model."""
        return self._weights

    # --- the life of a run

    def start(
        self,
        duration_minutes: float | None = None,
        aggregation_interval_seconds: float | None = None,
        min_updates_per_aggregation: int | None = None,
    ) -> str:
        """Runs rounds until the run is over.

        Args:
            duration_minutes: stop after the round in which this time has passed; None for the
                configuration's.
            aggregation_interval_seconds: seconds from one aggregation to the next; makes the mode `timed`.
            min_updates_per_aggregation: updates without which none takes place; makes `sync` `timed`.

        Returns:
            Why it is over, in words.

        Raises:
            ConfigError: the configuration does not go with these, or the run has begun without them.
            TooFewClients: no round can reach its quorum any more.
            BrokerLost: the broker stayed away longer than `broker_timeout_s`.
            Overtaken: another server took the run over.
        """
        config = with_rules(
            self.config,
            duration_minutes=duration_minutes,
            aggregation_interval_seconds=aggregation_interval_seconds,
            min_updates_per_aggregation=min_updates_per_aggregation,
        )
        if config != self.config:
            if self._has_begun:
                raise ConfigError("start: the run has begun; its rules come with `config`, or `start` alone")
            self._finisher.close()
            self._loop.operators.close()
            self._set_up(config)
        self._begin()
        while not (reason := self._reason_to_end()):
            self._run_round()
        self.conclude(reason)
        return reason

    def conclude(self, reason: str) -> None:
        """Ends the run: its last model is evaluated and saved, and the clients are told. `start` does it.

        Args:
            reason: in words.
        """
        self._begin()
        self._await_evaluation()
        self._evaluator.save_model(self._weights.vector, str(self.run_dir / "final.keras"))
        self._journal.record(telemetry.FederationEnded(reason=reason))
        self._loop.say(messages.RunEnded(run=self.config.run_id, epoch=self._epoch, reason=reason))
        self._loop.flush()

    def close(self) -> None:
        """Lets go of the broker and the run directory. A run that was not concluded can be taken over."""
        self._finisher.close()
        self._loop.close()
        self._journal.close()
        os.close(self._lock)

    def _begin(self) -> None:
        """Says that this server leads now, and publishes the model it found. Once."""
        if self._has_begun:
            return
        self._has_begun, history = True, self._journal.history
        self._end_at = self._clock() + 60 * (self.config.duration_minutes or math.inf)
        self._planner = RoundPlanner(
            self.config,
            history,
            self._loop,
            has_begun=bool(self._rounds_done or history.opened),
            clock=self._clock,
        )
        header, self._epoch = self._takeover.checkpoint.header, self._takeover.epoch
        del self._takeover  # and with it the first model
        self._loop.announce_takeover(self._rounds_done, self._weights, self._digest)
        if self._rounds_done > history.finished:  # an earlier server did not live to do the rest
            if self._rounds_done > history.closed:
                self._committer.say_closed(header.round, header.accepted, header.digest)
            self._finisher.submit(header.round, header.summary, header.digest, self._weights.vector)

    def _reason_to_end(self) -> str:
        if self.config.round_limit is not None and self._rounds_done >= self.config.round_limit:
            return f"all {self.config.round_limit} rounds are done"
        if self._loop.operators.stop_after_round:
            return f"stopped by an operator after round {self._rounds_done}"
        if self._clock() >= self._end_at:
            return f"{self.config.duration_minutes:g} minutes have passed"
        if self.config.target_accuracy is not None:
            self._await_evaluation()
            accuracy = self._journal.history.last_accuracy
            if accuracy is not None and accuracy >= self.config.target_accuracy:
                return f"accuracy {accuracy:.4f} has reached the target of {self.config.target_accuracy:g}"
        return ""

    # --- one round

    def _run_round(self) -> None:
        """One round from its opening to its model; or, while it cannot be opened, one turn."""
        if not (self._loop.has_open_round or self._open_round()):
            return
        self._aggregator.add_up(self.receive_model_updates(), self._rounds_done + 1)
        if self._loop.the_round().has_enough:  # or else it was cut short
            self._make_step()
            self.send_global_model()

    def _open_round(self) -> bool:
        """Opens the next round; while it cannot be opened, takes one turn."""
        if not self._planner.awaits_the_first():
            self._loop.recycle_broker_if_large(self._idle)
        planned = self._planner.next_round(self._rounds_done + 1, self._digest, self._last_tick)
        if planned is None:
            self._idle()
            self._finisher.poll()
            return False
        self._loop.open_round(planned)
        return True

    def receive_model_updates(
        self, max_updates: int | None = None, timeout_ms: float | None = None
    ) -> Iterator[ClientUpdate]:
        """Yields the updates that enter the open round, as they come, until it may close.

        Opens the next round if none is open; before that, waits for the clients. An update that is yielded
        is held: its client has been told so.

        Args:
            max_updates: stop after so many; None for no limit.
            timeout_ms: stop after so long; None for no limit.

        Raises:
            TooFewClients: no round can be opened, or so many left that this one can never close.
            BrokerLost: the broker stayed away longer than `broker_timeout_s`.
            Overtaken: another server took the run over.
        """
        self._begin()
        give_up_at = math.inf if timeout_ms is None else self._clock() + timeout_ms / 1000
        while not self._loop.has_open_round:
            if not self._open_round() and self._clock() >= give_up_at:
                return
        current, left = self._loop.the_round(), math.inf if max_updates is None else max_updates
        # The round before is finished first; whatever comes meanwhile is still taken.
        while left > 0 and (self._finisher.is_busy or not current.may_close(self._clock())):
            for arrival, update in self._loop.turn():
                self._hold(arrival, update)
                yield update
                left -= 1
                if left <= 0:
                    break
            self._finisher.poll()
            if self._clock() >= give_up_at or self._is_cut_short():
                return
            require_reachable(current)

    def aggregate_model_updates(self, updates: Iterable[ClientUpdate]) -> Weights:
        """The next global model: the strategy's step along the mean delta, weighted by examples.

        Streams: however many updates there are, one sum is held. The result does not depend on their order.
        `send_global_model` makes it the current one.

        Args:
            updates: any iterable of updates from the current model.

        Raises:
            OutOfRange: there are none, or a delta is beyond what the exact sum can hold.
        """
        self._aggregator.add_up(updates, self._rounds_done + 1)
        return self._make_step().weights

    def send_global_model(self) -> None:
        """Publishes the current model, and after it its manifest.

        One that has just been aggregated becomes the current one: its round is closed, and cannot be undone
        from then on. Blocks until the broker has all of it; if the broker is away, it is sent later.

        Raises:
            ValueError: it was made of an update that did not come from `receive_model_updates` in this round.
            RunDirectoryError: the checkpoint cannot be written.
        """
        if self._step is not None:
            self._close_round(self._step)
        elif self._has_begun:
            self._loop.publish_model(self._weights, self._digest, self._rounds_done)
        self._begin()

    def _make_step(self) -> Step:
        self._step = self._aggregator.step(self._weights, self._strategy_state)
        self.metrics.aggregation_times.append(self._step.seconds)
        return self._step

    def _is_cut_short(self) -> bool:
        """In `timed` and `buffered`, where a round may never close: the run is to end."""
        is_over = self._clock() >= self._end_at or self._loop.operators.stop_after_round
        return is_over and self.config.mode != "sync" and not self._finisher.is_busy

    def _hold(self, arrival: Arrival, update: ClientUpdate) -> None:
        current = self._loop.the_round()
        scale = self._aggregator.scale(update, current.number)
        norm = float(np.linalg.norm(update.delta))
        held = contribution(arrival, update, at=self._clock(), scale=scale)
        current.contributions[update.id] = held
        self.metrics.client_updates.append((update.round, update.client, update.num_examples, norm))
        self._loop.acknowledge(arrival, update, held, norm)
        if len(current.cohort) <= MOST_COMPARED:  # two passes over the delta for which no client has to wait
            current.sketches[update.client] = sketch(update.delta, self.config.seed)

    def _close_round(self, step: Step) -> None:
        current = self._loop.the_round()
        if foreign := step.updates - current.contributions.keys():
            raise ValueError(f"not received in round {current.number}: {sorted(u.client for u in foreign)}")
        self._loop.leave_out(current, current.contributions.keys() - step.updates)
        current.is_closed = True
        self._await_evaluation()
        digest = step.weights.digest()
        summary = self._loop.summarise(current, step.seconds)
        self._last_tick = current.tick_at(self._clock())
        self._committer.commit(current, step.weights, digest, step.strategy_state, summary)
        self._weights, self._strategy_state, self._digest = step.weights, step.strategy_state, digest
        self._rounds_done, self._step = current.number, None
        self.metrics.update_counts.append(len(current.contributions))
        started = self._clock()
        self._loop.publish_model(self._weights, self._digest, self._rounds_done)
        summary.parts["publishing"] = self._clock() - started
        self.metrics.note_weights(self._weights.vector)  # a pass for which no client has to wait
        self._finisher.submit(current.number, summary, digest, self._weights.vector)

    def _await_evaluation(self) -> None:
        while self._finisher.is_busy:
            self._finisher.poll()
            if self._finisher.is_busy:
                self._idle()

    def _idle(self) -> None:
        """One turn in which no update can enter a round."""
        for _ in self._loop.turn():
            pass
