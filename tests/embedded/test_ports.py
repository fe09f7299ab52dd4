from __future__ import annotations

import socket

from streamer.embedded import ports


def test_a_port_is_free_until_somebody_listens() -> None:
    port = ports.choose()
    assert ports.is_free(port)
    assert not ports.accepts(port)
    with socket.socket() as server:
        server.bind((ports.HOST, port))
        server.listen()
        assert not ports.is_free(port)
        assert ports.accepts(port)


def test_chosen_ports_are_not_those_of_outgoing_connections() -> None:
    first = ports._first_outgoing()
    assert all(10_000 <= ports.choose() < first for _ in range(20))
