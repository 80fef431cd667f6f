"""The round trip through offered addresses that `paystream serve` and `doctor` make."""

from __future__ import annotations

import socket

from streaming.sfu.reach import try_addresses
from streaming.sfu.sockets import UdpPorts


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_address_that_answers_is_open() -> None:
    port = free_port()
    (reach,) = try_addresses(["127.0.0.1"], (port, port))
    assert (reach.state, reach.port, reach.own, reach.remedy) == ("open", port, True, "")
    assert f"127.0.0.1, UDP port {port}: open" == reach.found


def test_one_that_does_not_answer_is_named_with_what_to_do() -> None:
    first, silent = try_addresses(["127.0.0.1", "203.0.113.9"], within_s=0.05)
    assert first.state == "open"
    assert (silent.state, silent.own) == ("unanswered", False)
    assert "203.0.113.9" in silent.found
    assert "--ice-host" in silent.remedy


def test_taken_ports_are_named() -> None:
    port = free_port()
    ports = UdpPorts((port, port))
    sock = ports.bind("127.0.0.1")
    try:
        (reach,) = try_addresses(["127.0.0.1"], (port, port))
        assert (reach.state, reach.port) == ("no-socket", None)
        assert f"from {port} to {port}" in reach.found
        assert "--udp-ports" in reach.remedy
    finally:
        ports.close(sock)
