"""A client of a federation: takes the global model, trains on its part of the data, sends its delta."""

import math
import time
from collections.abc import Callable

import numpy as np

from engine.client.client_group import ClientGroup
from engine.client.metrics import ClientMetrics
from engine.client.trainer_thread import OpenTrainer, Task
from engine.config import RunConfig
from engine.core.update import ClientUpdate, TrainingMetrics
from engine.core.weights import Weights
from engine.data.user import Data, data_function
from engine.errors import LayoutMismatch
from engine.library import complete_config, connect
from engine.training.base import ModelFunction, Trainer
from engine.training.factory import open_trainers
from engine.transport.base import Transport


class FederatedClient:
    """Takes part in a federation: on its own with `start`, or step by step.

        while (weights := client.receive_global_model()) is not None:
            client.send_model_update(client.train_local_model(weights))

    How rounds close, and into how many parts the data are cut, it learns from the server.

    Args:
        bootstrap_servers: `HOST:PORT[,HOST:PORT]`, or `memory://NAME` for a broker in this process.
        update_topic: what the broker calls the topic of the updates.
        model_topic: what it calls the topic of the global models.
        client_id: unique in the federation.
        config: how this client trains; the default is `RunConfig()`. What decides the data and the result
            (`seed`, `dataset`, `partition`, `model`) must be as the server has it.
        embedded: whether that Kafka is the embedded broker.
        transport: a connection to use instead of a new one; closed with the client.
        model: makes the model, as `model(input_shape, classes)`; None for the one that `config` names.
        data: this client's own data, or `data(part, parts, seed)`, which makes them; None for what `config`
            names.
        open_trainer: makes what trains, for a client and its part of the data, instead of `model` and `data`.
        part: the part to ask for; None for any.
        insists: whether no other part will do.
        clock: monotonic seconds.

    Raises:
        ConfigError: a topic cannot be called so.
        BrokerUnreachable: nothing answers within 5 s; BrokerRefused: it answers and says no.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        update_topic: str,
        model_topic: str,
        client_id: str,
        *,
        config: RunConfig | None = None,
        embedded: bool = False,
        transport: Transport | None = None,
        model: ModelFunction | None = None,
        data: Data | None = None,
        open_trainer: OpenTrainer | None = None,
        part: int | None = None,
        insists: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client_id, config = client_id, complete_config(config, model_topic)
        self._clock, self._model, self._data = clock, model, data_function(data)
        self._group = ClientGroup(
            config,
            {client_id: part},
            transport=transport
            or connect(
                bootstrap_servers,
                config,
                (model_topic, update_topic),
                embedded=embedded,
                name=f"client-{client_id}",
            ),
            open_trainer=open_trainer or self._open_trainer,
            insists=insists,
            clock=clock,
        )
        self._participant = self._group.participant(client_id)
        self._task: Task | None = None
        self._received_at = 0.0

    @property
    def config(self) -> RunConfig:
        """What this client works by; once it has been admitted, under the server's terms."""
        return self._participant.config

    @property
    def metrics(self) -> ClientMetrics:
        """How the trainings went."""
        return self._participant.metrics

    # --- all by itself

    def start(
        self, duration_minutes: float | None = None, training_interval_seconds: float | None = None
    ) -> str:
        """Takes part until the run ends.

        Args:
            duration_minutes: leave for good after this time; None for no limit.
            training_interval_seconds: least seconds from one training to the next, where the server's mode
                leaves the pace to its clients; None for the configuration's.

        Returns:
            Why it ended, in words.

        Raises:
            BrokerLost: the broker stayed away longer than `broker_timeout_s`.
            ConfigError: the server has no part of the data for this client.
            EngineError: training failed.
        """
        if training_interval_seconds is not None:
            self._participant.train_every(training_interval_seconds)
        return self._group.start(duration_minutes)

    def leave(self, reason: str, *, final: bool) -> None:
        """Says goodbye, so that the server need not wait.

        Args:
            reason: in words.
            final: whether it will not come back.
        """
        self._group.leave(reason, final=final)

    def close(self) -> None:
        """Lets go of the broker."""
        self._group.close()

    # --- step by step

    def receive_global_model(self, *, timeout_ms: float | None = None) -> Weights | None:
        """The model to train from. Blocks until the server has admitted this client and waits for its update.

        Args:
            timeout_ms: stop waiting after so long; None for no limit.

        Returns:
            The model; None once the run is over, or when the time is.

        Raises:
            BrokerLost: the broker stayed away longer than `broker_timeout_s`.
            ConfigError: the server has no part of the data for this client.
        """
        give_up_at = math.inf if timeout_ms is None else self._clock() + timeout_ms / 1000
        while not self._group.end_reason:
            self._group.stay_in_touch()
            self._task = self._participant.task_due()
            if self._task is not None:
                self._received_at = self._clock()
                return self._task.base
            if self._clock() >= give_up_at:
                break
        return None

    def train_local_model(self, global_weights: Weights) -> ClientUpdate:
        """Trains on this client's part of the data. Blocks until that is done.

        Args:
            global_weights: as `receive_global_model` returned them.

        Returns:
            The difference that training made, the examples behind it, and how it went.

        Raises:
            RuntimeError: no model has been received for which the server waits.
            BrokerLost: the broker stayed away longer than `broker_timeout_s`.
            EngineError: training failed.
        """
        self._participant.train(self._open_task()._replace(base=global_weights))
        while True:
            self._group.stay_in_touch()
            trained = self._group.trainer_thread.poll()
            done = None if trained is None else self._participant.take(trained)
            if done is not None:
                return done.update

    def send_model_update(self, weights: ClientUpdate | Weights, *, num_examples: int | None = None) -> None:
        """Sends what came of training. Blocks until the server has answered.

        It may answer that the round went on without this update; the log has the reason then.

        Args:
            weights: what `train_local_model` returned; or the local model, however it was trained.
            num_examples: the examples behind a local model: what it weighs in the mean.

        Raises:
            RuntimeError: no model has been received for which the server waits.
            ValueError: a local model without the number of examples.
            LayoutMismatch: a local model of another layout.
            BrokerLost: the broker stayed away longer than `broker_timeout_s`.
            TrainingError: the server refuses the update, and would refuse it again.
        """
        task = self._open_task()
        update = weights if isinstance(weights, ClientUpdate) else self._difference(weights, num_examples)
        self._participant.send(update, task.base.layout, self._clock() - self._received_at)
        self._task = None
        while self._participant.is_sending and not self._group.end_reason:
            self._group.stay_in_touch()

    def _difference(self, local: Weights, num_examples: int | None) -> ClientUpdate:
        base, (number, digest, repeat) = self._open_task().base, self._open_task().assignment
        if num_examples is None:
            raise ValueError("num_examples: how many examples are behind these weights?")
        if differences := base.layout.differences(local.layout):
            raise LayoutMismatch(f"the local model is not the global one: {'; '.join(differences[:5])}")
        delta = np.subtract(local.vector, base.vector)
        return ClientUpdate(self.client_id, number, digest, num_examples, delta, TrainingMetrics(), repeat)

    def _open_task(self) -> Task:
        if self._task is None:
            raise RuntimeError("receive_global_model comes first: there is no model that is to be trained")
        return self._task

    def _open_trainer(self, client: str, part: int) -> Trainer:
        """In a process with others, perhaps, that have taken the first GPU before."""
        return open_trainers(self.config, gpu=0, model=self._model, data=self._data)(client, part)
