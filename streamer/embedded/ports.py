"""TCP ports of 127.0.0.1."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from streamer.errors import EmbeddedError

HOST = "127.0.0.1"
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_000


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        # As Java's server sockets do: connections that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen()
        except OSError:
            return False
    return True


def choose() -> int:
    """A free port below those that the kernel gives to outgoing connections.

    A port from that range may be taken by a client's connection while the broker restarts, even by one to itself.
    """
    for _ in range(200):
        port = _LOWEST + secrets.randbelow(_first_outgoing() - _LOWEST)
        if is_free(port):
            return port
    raise EmbeddedError(f"no free port was found on {HOST}")


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def _first_outgoing() -> int:
    try:
        first = int(_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        first = 32_768
    return first if first > _LOWEST + 1_000 else 32_768
