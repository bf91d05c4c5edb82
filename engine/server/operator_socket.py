"""The server's unix socket: the supervisor's commands, answered in order, polled by the one thread."""

import contextlib
import selectors
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from engine import untrusted_json
from engine.commands import MAX_LINE, Answer, Message, ServerCommand, encode

_decoder = msgspec.json.Decoder(ServerCommand)
_RECEIVE_BYTES = 1 << 16
Reply = Callable[[Answer], None]


class OperatorSocket:
    """Listens at `path`, for this user alone."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._path = path
        self._selector = selectors.DefaultSelector()
        self._lines: dict[socket.socket, bytes] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen()
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def poll(self) -> Iterator[tuple[ServerCommand, Reply]]:
        """The commands that have come, each with the function that answers it."""
        for key, _ in self._selector.select(timeout=0):
            connection = key.fileobj
            if connection is self._listener:
                self._accept()
            elif isinstance(connection, socket.socket):
                yield from self._read(connection)

    def request(self, message: Message) -> bool:
        """Says something unasked to every supervisor that is connected; False if there is none."""
        for connection in list(self._lines):
            self._send(connection, message)
        return bool(self._lines)

    def close(self) -> None:
        for connection in list(self._lines):
            self._drop(connection)
        self._selector.close()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        self._lines[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, connection: socket.socket) -> Iterator[tuple[ServerCommand, Reply]]:
        try:
            received = connection.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        *lines, rest = (self._lines[connection] + received).split(b"\n")
        if not received or len(rest) > MAX_LINE:
            self._drop(connection)
            return
        self._lines[connection] = rest
        for line in lines:
            try:
                command = untrusted_json.decode(_decoder, line)
            except msgspec.DecodeError as error:
                self._send(connection, Answer(ok=False, text=f"not a command of this version: {error}"))
            else:
                yield command, lambda answer: self._send(connection, answer)

    def _send(self, connection: socket.socket, message: Message) -> None:
        line = encode(message)
        if len(line) > MAX_LINE:
            line = encode(Answer(ok=False, text=f"an answer of {len(line)} bytes; the most is {MAX_LINE}"))
        try:
            connection.sendall(line)
        except OSError:
            self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        if self._lines.pop(connection, None) is not None:
            with contextlib.suppress(KeyError):
                self._selector.unregister(connection)
            connection.close()
