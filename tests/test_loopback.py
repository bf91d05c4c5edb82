"""Ports for a broker on this machine."""

import socket

from engine.loopback import HOST, free_port


def test_a_free_port_can_be_listened_on_and_is_none_of_an_outgoing_connection():
    port = free_port()
    with socket.create_server((HOST, port)):
        assert 20_000 <= port < 32_768
