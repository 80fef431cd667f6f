"""What the service manager is told, over a socket as systemd's."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streaming.service_manager import ALIVE, READY, alive_every_s, notify, status


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(0)
        yield sock


def test_it_is_told(manager: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": manager.getsockname()}
    assert notify(READY, status("two\nlines"), environment=environment)
    assert manager.recv(200) == b"READY=1\nSTATUS=two lines"


def test_an_abstract_address() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + f"paystream-test-{os.getpid()}")
        address = "@" + sock.getsockname()[1:].decode()
        assert notify(ALIVE, environment={"NOTIFY_SOCKET": address})
        assert sock.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize("address", ["", "vsock:2:1", "/no/such/socket", "@no-such-socket"])
def test_nobody_to_tell_is_no_failure(address: str) -> None:
    assert not notify(READY, environment={"NOTIFY_SOCKET": address})


def test_a_manager_that_reads_nothing_holds_nobody_up(manager: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": manager.getsockname()}
    told = [notify("STATUS=" + "x" * 4096, environment=environment) for _ in range(2_000)]
    assert told[0]
    assert not told[-1]


@pytest.mark.parametrize(
    ("environment", "every"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_how_often_to_say_alive(environment: dict[str, str], every: float | None) -> None:
    assert alive_every_s(environment) == every
