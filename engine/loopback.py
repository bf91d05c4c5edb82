"""Ports of this machine's loopback interface, for a broker that only this machine can reach."""

import random
import socket

from engine.errors import BrokerError

HOST = "127.0.0.1"
_PORTS = range(20_000, 32_768)
"""Below the ports that systems give to outgoing connections: a client that retries against a dead port out of
that range can be given the very same number, connect to itself, and keep the broker from coming back."""


def free_port() -> int:
    """A port that nobody listens on at this moment.

    Raises:
        BrokerError: none of a hundred tries is free.
    """
    for port in random.SystemRandom().sample(_PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise BrokerError(f"no free port for the embedded broker between {_PORTS.start} and {_PORTS.stop - 1}")
