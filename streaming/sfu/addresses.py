"""Which addresses WebRTC peers are offered: those that can be reached first, loopback last."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from typing import Final

LOOPBACK: Final = "127.0.0.1"
ADDRESSES_MAX: Final = 8
"""Each address is a socket, and so a descriptor, of every connection."""
_PROBES: Final = {4: "203.0.113.1", 6: "2001:db8::1"}
"""Addresses of nobody (RFC 5737, RFC 3849), to ask the routes which address of ours is used."""


class IceHostInvalid(ValueError):
    """An `--ice-host` that no peer could be told. The message names the remedy."""


def resolve_ice_hosts(hosts: Sequence[str]) -> tuple[str, ...]:
    """Turn what was given as `--ice-host` into addresses, in the order given.

    Names are looked up once, in the calling thread: it may take seconds. Raises `IceHostInvalid`.
    """
    found: dict[str, None] = {}
    for host in hosts:
        for address in _addresses_of(host.strip()):
            found[address] = None
    return tuple(found)


def offered_addresses(
    ice_hosts: Sequence[str], listen_host: str, own: Sequence[str] | None = None
) -> tuple[str, ...]:
    """The addresses to offer, best first.

    Those given; the machine's own where none is. Loopback comes last, and only where nothing
    else is there, where it was given, or where the server itself listens on loopback.
    """
    given = resolve_ice_hosts(ice_hosts)
    addresses = list(given or (own_addresses() if own is None else own))[:ADDRESSES_MAX]
    listening = _loopback_of(listen_host)
    if listening is not None and listening not in addresses:
        addresses.append(listening)
    addresses.sort(key=lambda address: ipaddress.ip_address(address).is_loopback)
    return tuple(addresses) or (LOOPBACK,)


def own_addresses() -> tuple[str, ...]:
    """This machine's addresses that others may reach: no loopback, no link-local.

    Public ones first, then those that the default route uses (RFC 8445, 5.1.2.2), IPv4 before
    IPv6: some publishers try the first candidate only.
    """
    from aioice.ice import get_host_addresses  # noqa: PLC0415  (heavy, and often not needed)

    usable = [
        address
        for address in dict.fromkeys(get_host_addresses(use_ipv4=True, use_ipv6=True))
        if _may_be_offered(ipaddress.ip_address(address))
        and not ipaddress.ip_address(address).is_loopback
    ]
    return tuple(sort_by_reach(usable, {_routed(version) for version in _PROBES}))


def sort_by_reach(addresses: Iterable[str], routed: set[str | None]) -> list[str]:
    """Sort addresses: public ones, those of the default route, IPv4."""

    def key(address: str) -> tuple[bool, bool, int]:
        ip = ipaddress.ip_address(address)
        return not ip.is_global, address not in routed, ip.version

    return sorted(addresses, key=key)


def _routed(version: int) -> str | None:
    """The address that packets to the world would leave from. Nothing is sent."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((_PROBES[version], 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None


def _addresses_of(host: str) -> list[str]:
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return _look_up(host)
    if not _may_be_offered(ip):
        raise IceHostInvalid(
            f"--ice-host is {host!r}, which no peer can send to: give the address that peers "
            "reach this machine by, such as 203.0.113.7; without --ice-host the machine's own "
            "addresses are offered"
        )
    return [str(ip)]


def _look_up(host: str) -> list[str]:
    wrong = f"--ice-host is {host!r}"
    remedy = "give an IP address without brackets or port, such as 203.0.113.7 or 2001:db8::7"
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\.?", host):
        raise IceHostInvalid(f"{wrong}, which is neither an address nor a name: {remedy}")
    if re.fullmatch(r"[0-9.]+", host):
        raise IceHostInvalid(f"{wrong}, which is no IPv4 address (four numbers to 255): {remedy}")
    try:
        results = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise IceHostInvalid(f"{wrong}, a name that cannot be found ({why}): {remedy}") from None
    found = list(dict.fromkeys(str(result[4][0]).partition("%")[0] for result in results))
    usable = [each for each in found if _may_be_offered(ipaddress.ip_address(each))]
    outside = [each for each in usable if not ipaddress.ip_address(each).is_loopback]
    if host.rstrip(".").lower() == "localhost" and usable:
        return usable
    if not outside:
        raise IceHostInvalid(
            f"{wrong}, a name that means {', '.join(found)} here, of no use to peers: {remedy}"
        )
    return sorted(outside, key=lambda each: ipaddress.ip_address(each).version)


def _may_be_offered(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return not (
        ip.is_unspecified
        or ip.is_multicast
        or ip.is_link_local
        or getattr(ip, "scope_id", None) is not None
        or getattr(ip, "ipv4_mapped", None) is not None
        or (ip.version == 4 and ip.packed[0] in (0, 255))
    )


def _loopback_of(listen_host: str) -> str | None:
    if listen_host == "localhost":
        return LOOPBACK
    try:
        ip = ipaddress.ip_address(listen_host)
    except ValueError:
        return None
    if not ip.is_loopback:
        return None
    return LOOPBACK if ip.version == 4 else "::1"
