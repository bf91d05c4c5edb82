"""The server's unix socket: lines in, lines out, and nobody can stop it with bad ones."""

import os
import socket
import stat

import msgspec
import pytest

from engine.commands import (
    MAX_LINE,
    Answer,
    Inspect,
    RecycleBroker,
    ServerLine,
    SetRound,
    StopAfterRound,
    encode,
)
from engine.server.operator_socket import OperatorSocket


@pytest.fixture
def path(tmp_path):
    return tmp_path / "s"


@pytest.fixture
def listening(path):
    server = OperatorSocket(path)
    yield server
    server.close()


@pytest.fixture
def connect(path):
    connections = []

    def open_connection():
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        connection.connect(str(path))
        connections.append(connection)
        return connection

    yield open_connection
    for connection in connections:
        connection.close()


@pytest.fixture
def receive(listening, until):
    """The commands that come until there are `count`; each is answered with its own name."""

    def take(count):
        commands = []

        def poll():
            for command, reply in listening.poll():
                commands.append(command)
                reply(Answer(ok=True, text=type(command).__name__))
            return len(commands) >= count

        until(poll)
        return commands

    return take


def lines(connection, count):
    received = b""
    while received.count(b"\n") < count:
        received += connection.recv(1 << 16)
    return [msgspec.json.decode(line, type=ServerLine) for line in received.splitlines()]


def is_dropped(listening, connection, until):
    """Whether the server has closed the connection; lets it read meanwhile."""
    connection.setblocking(False)

    def closed():
        assert list(listening.poll()) == []
        try:
            return connection.recv(100) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True

    until(closed)
    return True


def test_it_listens_for_its_user_alone(listening, path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_socket_that_a_dead_server_left_is_replaced(path):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()

    OperatorSocket(path).close()
    assert not path.exists()


def test_commands_are_answered_in_order(connect, receive):
    connection = connect()
    connection.sendall(encode(SetRound(quorum=2)) + encode(StopAfterRound()) + encode(Inspect()))

    assert receive(3) == [SetRound(quorum=2), StopAfterRound(), Inspect()]
    assert [answer.text for answer in lines(connection, 3)] == ["SetRound", "StopAfterRound", "Inspect"]


def test_a_command_may_come_in_pieces(connect, receive, listening):
    connection = connect()
    line = encode(SetRound(quorum=2))
    connection.sendall(line[:9])
    assert list(listening.poll()) == []
    assert list(listening.poll()) == []
    connection.sendall(line[9:])

    assert receive(1) == [SetRound(quorum=2)]


def test_each_supervisor_gets_its_own_answer(connect, receive):
    one, other = connect(), connect()
    one.sendall(encode(Inspect()))
    other.sendall(encode(StopAfterRound()))
    receive(2)

    assert lines(one, 1)[0].text == "Inspect"
    assert lines(other, 1)[0].text == "StopAfterRound"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage",
        b"[]",
        b'{"type":"Coup"}',
        b'{"type":"SetRound","quorum":"two"}',
        b'{"type":"ClientExited","client":"\xff","will_restart":true,"reason":""}',
        b'{"type":"Inspect","x":' + b"[" * 100_000,
    ],
)
def test_what_is_no_command_is_answered_and_the_next_one_taken(connect, receive, line):
    connection = connect()
    connection.sendall(line + b"\n" + encode(Inspect()))

    assert receive(1) == [Inspect()]
    refusal, answer = lines(connection, 2)
    assert not refusal.ok
    assert refusal.text.startswith("not a command of this version")
    assert answer.ok


def test_an_answer_longer_than_a_line_may_be_is_replaced_by_its_size(connect, listening, until):
    connection = connect()
    connection.sendall(encode(Inspect()))
    replies = []
    until(lambda: replies.extend(reply for _, reply in listening.poll()) or replies)
    too_long = Answer(ok=True, text="x" * MAX_LINE)
    replies[0](too_long)

    (answer,) = lines(connection, 1)
    assert not answer.ok
    assert answer.text == f"an answer of {len(encode(too_long))} bytes; the most is {MAX_LINE}"


def test_a_line_without_an_end_is_dropped_with_its_sender(connect, listening, receive, until):
    connection = connect()
    connection.setblocking(False)
    left = MAX_LINE + 2

    def send_some():
        nonlocal left
        assert list(listening.poll()) == []
        try:
            left -= connection.send(b"x" * min(left, 1 << 16))
        except BlockingIOError:
            return False
        except BrokenPipeError:
            return True
        return left <= 0

    until(send_some)
    assert is_dropped(listening, connection, until)

    connect().sendall(encode(Inspect()))
    assert receive(1) == [Inspect()]


def test_a_supervisor_that_goes_away_is_forgotten(connect, listening, receive, until):
    connection = connect()
    connection.sendall(encode(Inspect()))
    receive(1)
    assert listening.request(RecycleBroker(reason="full"))
    connection.close()

    until(lambda: list(listening.poll()) == [] and not listening.request(RecycleBroker(reason="full")))


def test_the_server_may_ask_unasked(connect, listening, receive):
    connection = connect()
    connection.sendall(encode(Inspect()))
    receive(1)

    assert listening.request(RecycleBroker(reason="3000 records"))
    assert lines(connection, 2)[1] == RecycleBroker(reason="3000 records")


def test_with_nobody_connected_nobody_is_asked(listening):
    assert not listening.request(RecycleBroker(reason="full"))


def test_closing_takes_the_socket_away(path, connect, listening, receive):
    connection = connect()
    connection.sendall(encode(Inspect()))
    receive(1)
    listening.close()

    assert not os.path.lexists(path)
    assert lines(connection, 1)
    assert connection.recv(10) == b""
