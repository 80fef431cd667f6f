"""Whose request it is, also behind a proxy, and what nobody can pretend."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from streaming.http.client_address import ClientAddresses, ProxyInvalid


class Transport:
    def __init__(self, peer: str) -> None:
        self.peer = peer

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self.peer, 1) if name == "peername" else default


def of(addresses: ClientAddresses, peer: str, *forwarded: str) -> str | None:
    request = make_mocked_request("GET", "/", transport=Transport(peer))
    headers = request.headers.copy()
    for value in forwarded:
        headers.add("X-Forwarded-For", value)
    return addresses.of(request.clone(headers=headers))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("::ffff:203.0.113.9", [], "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        ("127.0.0.1", [], None),
        ("::1", [], None),
        # nobody who is not trusted speaks for another
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1"], None),
        # the trusted one's last hop counts, not what the client wrote before it
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::/64"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::/64"),
        # from loopback behind a proxy is a client like any other
        ("10.0.0.1", ["127.0.0.1"], "127.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.2"], "10.0.0.1"),
    ],
)
def test_who_asks(peer: str, forwarded: list[str], expected: str | None) -> None:
    assert of(ClientAddresses(["10.0.0.0/8"]), peer, *forwarded) == expected


def test_connections_of_proxies_and_of_this_machine_are_not_counted() -> None:
    addresses = ClientAddresses(["10.0.0.1"])
    assert addresses.of_peer("10.0.0.1") is None
    assert addresses.of_peer("127.0.0.1") is None
    assert addresses.of_peer("") is None
    assert addresses.of_peer("2001:db8::1%eth0") == "2001:db8::/64"


def test_a_proxy_that_was_not_named_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    addresses = ClientAddresses()
    for _ in range(3):
        of(addresses, "127.0.0.1", "198.51.100.1")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "--trusted-proxy 127.0.0.1" in record.getMessage()


@pytest.mark.parametrize("text", ["", "proxy", "10.0.0.0/40", "1.2.3"])
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(ProxyInvalid, match="is no address"):
        ClientAddresses([text])
