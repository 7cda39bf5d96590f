"""The guard itself: tests reach loopback and nothing else."""

from __future__ import annotations

import socket

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.org", 80)])
def test_outside_is_blocked(address: tuple[str, int]) -> None:
    with pytest.raises(AssertionError, match="loopback only"):
        socket.create_connection(address, timeout=0.1)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        pytest.raises(AssertionError, match="loopback only"),
    ):
        sender.sendto(b"x", address)


def test_loopback_works() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=1) as client,
    ):
        client.sendall(b"hello")
        connection, _ = server.accept()
        with connection:
            assert connection.recv(5) == b"hello"
