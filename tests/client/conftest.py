"""A server moved by hand, and a client that is turned by hand: only the clock is not real."""

import threading
import time
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from engine.client.federated_client import FederatedClient
from engine.config import RunConfig
from engine.core.update import ClientUpdate, TrainingMetrics
from engine.core.weights import Layout
from engine.protocol import messages
from engine.protocol.chunks import Assembler, CompleteTransfer
from engine.server.server_channel import ServerChannel
from engine.training.layouts import get_random_weights, static_layout
from engine.training.null import NullTrainer
from engine.transport.base import GLOBAL_MODEL, MODEL_UPDATES, PARTITIONS, TELEMETRY, Place
from engine.transport.memory import MemoryBroker, MemoryTransport

DEADLINE_S = 20.0
CONFIG = RunConfig(trainer="null", model="vector:500", clients=2, seed=7, run_id="run")


class HandClock:
    """Monotonic seconds that pass only when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class HandServer:
    """Speaks for the server, and reads what clients say."""

    def __init__(self, config: RunConfig, broker: MemoryBroker, *, epoch: int = 1) -> None:
        self.config, self.broker, self.epoch = config, broker, epoch
        self.transport = MemoryTransport(broker)
        self.transport.create_topics()
        self._channel = ServerChannel(self.transport, config.run_id, epoch)
        self._assembler = Assembler(1 << 30)
        self.weights = get_random_weights(config.model, seed=config.seed)
        self.base = self.weights.digest()
        self.heard: list[messages.Telemetry] = []
        self.updates: list[CompleteTransfer] = []
        self.update_records = 0
        self.transport.assign(
            {Place(t, n): 0 for t in (TELEMETRY, MODEL_UPDATES) for n in range(PARTITIONS[t])}
        )

    def say(self, kind: type, **fields: object) -> None:
        self._channel.say(kind(**({"run": self.config.run_id, "epoch": self.epoch} | fields)))

    def start(self) -> None:
        """Takes over and publishes the model."""
        self.say(messages.EpochStarted)
        self.publish(0)

    def publish(self, round_number: int) -> None:
        assert self._channel.publish_model(self.weights, self.base, round_number)

    def open(self, number: int = 1, *, cohort=("1", "2"), held=None) -> None:
        self.say(
            messages.RoundOpened, round=number, base=self.base, cohort=cohort, quorum=2, deadline_s=None,
            held=held or {},
        )  # fmt: skip

    def close(self, number: int, accepted=("1", "2")) -> None:
        self.say(messages.RoundClosed, round=number, accepted=accepted, digest="next")

    def answer(self, verdict: str = "held") -> None:
        """The receipt of the newest update."""
        header = self.updates[-1].header
        self.say(
            messages.Receipt,
            round=header.round,
            client=header.client,
            transfer=header.transfer,
            verdict=verdict,
        )

    def admit(self, join: messages.Join, part: int | None = 0, reason: str = "") -> None:
        self.say(
            messages.JoinAnswered, client=join.client, session=join.session, part=part, parts=2,
            reason=reason, mode=self.config.mode,
        )  # fmt: skip

    def listen(self) -> None:
        for record in self.transport.poll(0.0):
            if record.place.topic == TELEMETRY:
                self.heard.append(messages.decode_telemetry(record.value))
                continue
            self.update_records += 1
            whole = self._assembler.add(record.headers, record.value, record.place, record.offset, 0.0)
            if whole is not None:
                self.updates.append(whole)

    def told(self, kind: type) -> list:
        self.listen()
        return [message for message in self.heard if isinstance(message, kind)]


class Scene:
    """One client before one server."""

    def __init__(self, config: RunConfig) -> None:
        self.config, self.broker, self.clock = config, MemoryBroker(), HandClock()
        self.server = HandServer(config, self.broker)
        self.trainings: list[int] = []
        """Rounds that were trained."""
        self.may_train = threading.Event()
        self.may_train.set()
        self.client = self.connect()

    def connect(self, **options) -> FederatedClient:
        return FederatedClient(
            "memory://",
            MODEL_UPDATES,
            GLOBAL_MODEL,
            "1",
            config=self.config,
            transport=MemoryTransport(self.broker),
            open_trainer=options.pop("open_trainer", self._open_trainer),
            clock=self.clock,
            **options,
        )

    def _open_trainer(self, client: str, part: int) -> NullTrainer:
        scene = self

        class ObservedTrainer(NullTrainer):
            """The null trainer, counted, and held up where the test wants it."""

            def train(self, base, *, client, round_number, delta, repeat=0):
                scene.trainings.append(round_number)
                assert scene.may_train.wait(DEADLINE_S)
                return super().train(
                    base, client=client, round_number=round_number, delta=delta, repeat=repeat
                )

        return ObservedTrainer(self.config, part=part)

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.client._group.turn()

    def turn_until(self, condition: Callable[[], object], what: str = "the condition did not come true"):
        """Turns the client until it comes true; returns what it came to."""
        deadline = time.monotonic() + DEADLINE_S
        while not (value := condition()):
            assert time.monotonic() < deadline, what
            self.client._group.turn()
        return value

    def joined(self, part: int | None = 0) -> messages.Join:
        """Lets the client join; returns its join."""
        joins = self.turn_until(lambda: self.server.told(messages.Join), "it did not join")
        self.server.admit(joins[-1], part)
        self.turn_until(lambda: self.client._participant._is_joined)
        return joins[-1]

    def sent(self, count: int = 1) -> CompleteTransfer:
        """The newest update, once there are so many."""

        def arrived():
            self.server.listen()
            return len(self.server.updates) >= count

        self.turn_until(arrived, f"{count} updates did not come")
        return self.server.updates[-1]

    def idle(self) -> None:
        """Turns long enough for anything that is due to happen."""
        self.turn(4)
        self.server.listen()


@pytest.fixture
def scene_of():
    """Makes scenes with keys of their own; the server has taken over and published the model."""
    made: list[Scene] = []

    def make(**keys) -> Scene:
        made.append(Scene(msgspec.structs.replace(CONFIG, **keys)))
        made[-1].server.start()
        return made[-1]

    yield make
    for scene in made:
        scene.may_train.set()


@pytest.fixture
def scene(scene_of):
    return scene_of()


@pytest.fixture(scope="session")
def hand_server():
    """The class: a server with another epoch, or on a broker that came back."""
    return HandServer


@pytest.fixture
def config() -> RunConfig:
    return CONFIG


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def layout() -> Layout:
    return static_layout(CONFIG.model)


@pytest.fixture
def update(layout: Layout) -> ClientUpdate:
    """Of client 1 in round 1."""
    return ClientUpdate("1", 1, "ab" * 32, 10, np.ones(layout.size, np.float32), TrainingMetrics())
