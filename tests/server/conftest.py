"""A run that no process stands behind: its configuration, its broker in memory, a clock set by hand."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engine import telemetry
from engine.commands import Answer, Inspect, Message, ServerLine, encode
from engine.config import RunConfig
from engine.core.update import ClientUpdate, TrainingMetrics
from engine.core.weights import Layout
from engine.errors import BrokerReset
from engine.event_log import read_events
from engine.protocol import messages
from engine.protocol.chunks import Assembler, TransferHeader, split
from engine.protocol.serialization import FrameMetadata, encode_frame, parse_frame
from engine.server.federated_server import FederatedServer
from engine.training.factory import open_evaluator
from engine.training.layouts import static_layout
from engine.training.null import NullTrainer
from engine.transport.base import (
    CONTROL,
    DEAD_LETTER,
    GLOBAL_MODEL,
    MODEL_UPDATES,
    TELEMETRY,
    Place,
    Record,
)
from engine.transport.memory import MemoryBroker, MemoryTransport

DEADLINE_S = 20.0


def wait_until(condition: Callable[[], object], what: str = "the condition did not come true") -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)


class Killed(BaseException):
    """The server's process ends here, without a word."""


class HandClock:
    """Monotonic seconds that pass only when the test says so; can kill the thread that reads it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._doomed: threading.Thread | None = None

    def __call__(self) -> float:
        if self._doomed is threading.current_thread():
            raise Killed
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds

    def kill(self, thread: threading.Thread) -> None:
        self._doomed = thread


def frame_and_header(config, update: ClientUpdate, **changes):
    """An update as it travels; `changes` overwrite fields of its metadata."""
    about = FrameMetadata.of_update(update, static_layout(config.model), run=config.run_id)
    about = FrameMetadata(**{**{f: getattr(about, f) for f in about.__struct_fields__}, **changes})
    frame = encode_frame(about, update.delta)
    return frame, TransferHeader.of_frame(frame, epoch=1)


class Peer:
    """A client moved by hand: it speaks the protocol and does nothing by itself."""

    def __init__(self, config: RunConfig, broker: MemoryBroker, client: str, partition: int = 0) -> None:
        self.config, self.client = config, client
        self.transport = MemoryTransport(broker)
        self._updates, self._telemetry = Place(MODEL_UPDATES, partition), Place(TELEMETRY, partition)
        self._assembler = Assembler(1 << 30)
        self.models: dict[str, object] = {}
        """Transfer id -> weights."""
        self.records: list[Record] = []
        self.heard: list[messages.Control] = []
        self.start_reading()

    def start_reading(self) -> None:
        """Reads everything the server has said on this broker."""
        self.records.clear()
        self.heard.clear()
        self.transport.assign({Place(CONTROL): 0, Place(GLOBAL_MODEL): 0})

    def reconnect(self) -> None:
        """Takes notice that another broker is there."""
        wait_until(lambda: self.transport.health().lost_for_s is None)
        with pytest.raises(BrokerReset):
            self.transport.poll(1.0)
        self.start_reading()

    def listen(self, timeout_s: float = 0.0) -> None:
        for record in self.transport.poll(timeout_s):
            if record.place.topic == CONTROL:
                self.records.append(record)
                self.heard.append(messages.decode_control(record.value))
                continue
            whole = self._assembler.add(record.headers, record.value, record.place, record.offset, 0.0)
            if whole is not None:
                self.models[whole.header.transfer] = parse_frame(whole.frame).weights()

    def said(self, kind: type, **fields: object) -> list:
        """What the server has said of this kind, with these values."""
        self.listen()
        return [
            message
            for message in self.heard
            if isinstance(message, kind) and all(getattr(message, k) == v for k, v in fields.items())
        ]

    def wait_for(self, kind: type, *, count: int = 1, **fields: object):
        """The newest such message, once there are `count` of them."""
        deadline = time.monotonic() + DEADLINE_S
        while len(said := self.said(kind, **fields)) < count:
            assert time.monotonic() < deadline, f"no {kind.__name__} {fields}"
            self.listen(0.05)
        return said[-1]

    def tell(self, message: messages.TelemetryMessage) -> None:
        self.transport.publish(self._telemetry, messages.encode(message))

    def ask_to_join(self, part: int | None = None, session: str = "s") -> None:
        run = self.config.run_id
        self.tell(messages.Join(run=run, client=self.client, session=session, host="here", pid=1, part=part))

    def join(self, part: int | None = None, session: str = "s") -> messages.JoinAnswered:
        self.ask_to_join(part, session)
        return self.wait_for(messages.JoinAnswered, client=self.client)

    def heartbeat(self, state: str = "idle") -> None:
        run = self.config.run_id
        self.tell(messages.Heartbeat(run=run, client=self.client, session="s", state=state, round=None))

    def leave(self, *, final: bool) -> None:
        run = self.config.run_id
        self.tell(messages.Leave(run=run, client=self.client, session="s", reason="told to", final=final))

    def update(self, round_number: int, base: str) -> ClientUpdate:
        """What this client's training makes of a round."""
        trainer = NullTrainer(self.config, part=int(self.client) - 1)
        delta = np.empty(trainer.layout.size, np.float32)
        result = trainer.train(delta, client=self.client, round_number=round_number, delta=delta)
        return ClientUpdate(self.client, round_number, base, result.num_examples, delta, result.metrics)

    def send(self, opened: messages.RoundOpened, **changes: object) -> str:
        """Trains and sends; returns the transfer's id."""
        return self.send_update(self.update(opened.round, opened.base), **changes)

    def send_update(self, update: ClientUpdate, **changes: object) -> str:
        frame, header = frame_and_header(self.config, update, **changes)
        for chunk in split(frame, header):
            self.transport.publish(self._updates, chunk.value, headers=chunk.headers)
        return header.transfer

    def verdict(self, transfer: str, *, count: int = 1) -> str:
        """What the server's receipt says."""
        return self.wait_for(messages.Receipt, transfer=transfer, count=count).verdict


class RunningServer:
    """A server in a thread of its own."""

    def __init__(self, server: FederatedServer, clock: HandClock) -> None:
        self.server, self.clock = server, clock
        self.reason: str | None = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="server", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.reason = self.server.start()
        except BaseException as error:  # noqa: BLE001 - the test raises it
            self.error = error
        finally:
            self.server.close()

    def finish(self) -> str:
        """Waits for the end of the run; raises what ended the server."""
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive(), "the server did not end"
        if self.error is not None:
            raise self.error
        assert self.reason is not None
        return self.reason

    def kill(self) -> None:
        """Ends it in the middle of what it does."""
        self.clock.kill(self.thread)
        self.thread.join(DEADLINE_S)
        assert isinstance(self.error, Killed), self.error


class Federation:
    """One run directory, one broker, any number of servers one after the other, and clients moved by hand."""

    def __init__(self, config: RunConfig, run_dir: Path) -> None:
        self.config, self.run_dir = config, run_dir
        self.broker, self.clock = MemoryBroker(), HandClock()
        self.servers: list[RunningServer] = []

    def start_server(self, evaluator=None, transport=None, **options) -> RunningServer:
        server = FederatedServer(
            "memory://",
            GLOBAL_MODEL,
            MODEL_UPDATES,
            config=self.config,
            run_dir=self.run_dir,
            transport=transport or MemoryTransport(self.broker),
            evaluator=evaluator or open_evaluator(self.config),
            clock=self.clock,
            **options,
        )
        self.servers.append(RunningServer(server, self.clock))
        return self.servers[-1]

    def peer(self, client: str) -> Peer:
        partition_of = {"1": 1, "2": 2, "3": 0}
        return Peer(self.config, self.broker, client, partition_of.get(client, 0))

    def peers(self, *clients: str) -> list[Peer]:
        """Clients that have joined, in this order."""
        peers = [self.peer(client) for client in clients]
        for peer in peers:
            peer.join()
        return peers

    def events(self, kind: type = telemetry.Event, **fields: object) -> list:
        events = [event for _, event in read_events(self.run_dir / "events.jsonl")]
        return [
            event
            for event in events
            if isinstance(event, kind) and all(getattr(event, k) == v for k, v in fields.items())
        ]

    def wait_for_event(self, kind: type, **fields: object):
        wait_until(lambda: self.events(kind, **fields), f"no {kind.__name__} {fields}")
        return self.events(kind, **fields)[-1]

    def dead_letters(self) -> list[Record]:
        transport = MemoryTransport(self.broker)
        transport.assign({Place(DEAD_LETTER): 0})
        return transport.poll(0.0)

    def digests(self) -> list[tuple[int, str]]:
        return [(event.round, event.digest) for event in self.events(telemetry.RoundFinished)]

    def stop(self) -> None:
        for running in self.servers:
            if running.thread.is_alive():
                running.kill()


CONFIG = RunConfig(trainer="null", model="vector:500", clients=3, rounds=2, seed=7, run_id="run")


@pytest.fixture
def config() -> RunConfig:
    """Three clients, two rounds, 500 values."""
    return CONFIG


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    """The digests of the two rounds of `config` when nothing goes wrong."""
    calm = Federation(CONFIG, tmp_path_factory.mktemp("undisturbed"))
    running = calm.start_server()
    peers = calm.peers("1", "2", "3")
    for number in (1, 2):
        opened = peers[0].wait_for(messages.RoundOpened, round=number)
        for peer in peers:
            peer.send(opened)
    running.finish()
    return calm.digests()


@pytest.fixture
def layout(config: RunConfig) -> Layout:
    return static_layout(config.model)


@pytest.fixture
def federation(tmp_path: Path, config: RunConfig) -> Iterator[Callable[..., Federation]]:
    """Makes federations; keyword arguments change the configuration."""
    made: list[Federation] = []

    def make(**changes: object) -> Federation:
        values = {key: getattr(config, key) for key in config.__struct_fields__} | changes
        run_dir = tmp_path / f"run{len(made)}"
        run_dir.mkdir()
        made.append(Federation(RunConfig(**values), run_dir))
        return made[-1]

    yield make
    for one in made:
        one.stop()


class Operator:
    """The supervisor's end of the server's socket, moved by hand."""

    def __init__(self, socket_path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(DEADLINE_S)
        self._socket.connect(str(socket_path))
        self._lines = self._socket.makefile("rb")

    def __call__(self, command: Message) -> Answer:
        """Sends one command and waits for its answer."""
        self._socket.sendall(encode(command))
        answer = msgspec.json.decode(self._lines.readline(), type=ServerLine)
        assert isinstance(answer, Answer)
        return answer

    def wait_for_turns(self, count: int = 3) -> None:
        """Until the server has looked at everything that has come, so many times."""
        for _ in range(count):
            assert self(Inspect()).ok

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


@pytest.fixture
def run(federation: Callable[..., Federation], tmp_path: Path) -> Federation:
    """A server with three members in round 1 that takes commands."""
    run = federation()
    run.socket_path = tmp_path / "s"
    run.running = run.start_server(socket_path=run.socket_path)
    run.clients = run.peers("1", "2", "3")
    run.opened = run.clients[0].wait_for(messages.RoundOpened, round=1)
    return run


@pytest.fixture
def operators() -> Iterator[Callable[[Path], Operator]]:
    """Connects to servers."""
    connected: list[Operator] = []

    def connect(socket_path: Path) -> Operator:
        connected.append(Operator(socket_path))
        return connected[-1]

    yield connect
    for one in connected:
        one.close()


@pytest.fixture
def ask(run: Federation, operators: Callable[[Path], Operator]) -> Operator:
    """Sends one command to the server of `run` and waits for its answer."""
    return operators(run.socket_path)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(scope="session")
def travels() -> Callable[..., tuple]:
    """`travels(config, update, **changes)`: an update's frame and transfer header."""
    return frame_and_header


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """Waits for a condition."""
    return wait_until


@pytest.fixture
def update(layout: Layout) -> ClientUpdate:
    """Of client 1 in round 1, from the base "ab...ab"."""
    delta = np.linspace(-1, 1, layout.size, dtype=np.float32)
    return ClientUpdate("1", 1, "ab" * 32, 1000, delta, TrainingMetrics(train_loss=0.5))
