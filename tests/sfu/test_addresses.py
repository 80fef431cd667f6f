"""What WebRTC peers are offered: the order, what is refused, and with which remedy."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from streaming.sfu import addresses
from streaming.sfu.addresses import (
    ADDRESSES_MAX,
    IceHostInvalid,
    offered_addresses,
    own_addresses,
    resolve_ice_hosts,
    sort_by_reach,
)

OWN = ("198.51.100.2", "2001:db8::2")


@pytest.mark.parametrize(
    ("given", "listen", "offered"),
    [
        ((), "127.0.0.1", (*OWN, "127.0.0.1")),
        ((), "localhost", (*OWN, "127.0.0.1")),
        ((), "::1", (*OWN, "::1")),
        ((), "0.0.0.0", OWN),
        ((), "live.example", OWN),
        (("203.0.113.7",), "0.0.0.0", ("203.0.113.7",)),
        (("203.0.113.7",), "127.0.0.1", ("203.0.113.7", "127.0.0.1")),
        (("127.0.0.1", "203.0.113.7"), "0.0.0.0", ("203.0.113.7", "127.0.0.1")),
        (("127.0.0.1",), "127.0.0.1", ("127.0.0.1",)),
        (("203.0.113.7", "203.0.113.7"), "::", ("203.0.113.7",)),
    ],
)
def test_loopback_is_last_and_only_where_it_is_of_use(
    given: tuple[str, ...], listen: str, offered: tuple[str, ...]
) -> None:
    assert offered_addresses(given, listen, OWN) == offered


def test_loopback_is_what_remains_of_a_machine_without_a_network() -> None:
    assert offered_addresses((), "0.0.0.0", ()) == ("127.0.0.1",)


def test_a_machine_of_many_addresses_offers_some() -> None:
    own = [f"198.51.100.{n}" for n in range(50)]
    assert offered_addresses((), "0.0.0.0", own) == tuple(own[:ADDRESSES_MAX])


def test_public_addresses_come_first_then_those_of_the_default_route() -> None:
    found = ["172.17.0.1", "fd00::2", "10.0.0.5", "8.8.8.8"]
    assert sort_by_reach(found, {"10.0.0.5", None}) == [
        "8.8.8.8",
        "10.0.0.5",
        "172.17.0.1",
        "fd00::2",
    ]


def test_own_addresses_are_such_as_others_may_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ["127.0.1.1", "169.254.3.4", "fe80::1", "::1", "192.0.2.9", "2001:db8::9", "192.0.2.9"]
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda **_versions: found)
    assert own_addresses() == ("192.0.2.9", "2001:db8::9")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "192.0.2.256",
        "192.0.2",
        "3221226000",
        "203.0.113.7:8080",
        "[2001:db8::7]",
        "0.0.0.0",
        "::",
        "0.1.2.3",
        "255.255.255.255",
        "224.0.0.251",
        "ff02::1",
        "169.254.1.1",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:203.0.113.7",
        "two words",
        "https://live.example",
        "name.invalid.",
    ],
)
def test_what_no_peer_can_send_to_is_refused_with_an_example(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_arguments: Any, **_options: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(addresses.socket, "getaddrinfo", unknown)
    with pytest.raises(IceHostInvalid) as raised:
        resolve_ice_hosts([host])
    assert "--ice-host" in str(raised.value)
    assert repr(host) in str(raised.value)
    assert "203.0.113.7" in str(raised.value)


def test_a_name_is_looked_up_once_and_its_addresses_are_offered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {
        "live.example": ["2001:db8::7", "203.0.113.7", "203.0.113.7"],
        "vm": ["127.0.1.1"],
        "localhost": ["127.0.0.1"],
    }

    def look_up(host: str, _port: None, **_options: Any) -> list[Any]:
        return [(None, None, None, "", (address, 0)) for address in known[host]]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", look_up)
    assert resolve_ice_hosts(["live.example"]) == ("203.0.113.7", "2001:db8::7")
    assert resolve_ice_hosts(["localhost"]) == ("127.0.0.1",)
    with pytest.raises(IceHostInvalid, match=r"means 127\.0\.1\.1 here"):
        resolve_ice_hosts(["vm"])
