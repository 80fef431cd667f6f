"""Whose request it is: the address that limits are counted by, also behind a proxy.

An IPv6 customer has a whole /64, so that is what counts as one address there. Who connects from
the server's own machine is not limited, unless a trusted proxy there names the real client.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from aiohttp import web

log = logging.getLogger(__name__)

FORWARDED: Final = "X-Forwarded-For"


class ProxyInvalid(ValueError):
    """A trusted proxy that is neither an address nor a network."""


class ClientAddresses:
    """Reads the client's address from the connection, or from what a trusted proxy says."""

    def __init__(self, trusted_proxies: Iterable[str] = ()) -> None:
        """`trusted_proxies` are addresses or networks. Raises `ProxyInvalid`."""
        self._trusted = []
        self._warned = False
        for text in trusted_proxies:
            try:
                self._trusted.append(ip_network(text.strip(), strict=False))
            except ValueError:
                raise ProxyInvalid(
                    f"{text!r} is no address: write the proxy's address as this server sees it, "
                    "such as 127.0.0.1, or its network, such as 10.0.0.0/8"
                ) from None

    def of(self, request: web.Request) -> str | None:
        """The key that this request's client is counted by, or None for one that is not limited."""
        peer = _address(request.remote or "")
        if peer is None:
            return None
        if self._is_trusted(peer):
            forwarded = self._forwarded(request.headers.getall(FORWARDED, []))
            if forwarded is not None:
                return _key(forwarded)
        elif peer.is_loopback and FORWARDED in request.headers and not self._warned:
            self._warned = True
            log.warning(
                "requests come through a proxy at %s, so nobody is limited by address: name it "
                "with --trusted-proxy %s",
                peer,
                peer,
            )
        return None if peer.is_loopback else _key(peer)

    def of_peer(self, peer: str) -> str | None:
        """The key of a bare connection, or None for one that may hold as many as it likes."""
        address = _address(peer)
        if address is None or address.is_loopback or self._is_trusted(address):
            return None
        return _key(address)

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)

    def _forwarded(self, headers: list[str]) -> IPv4Address | IPv6Address | None:
        """The last hop that is no proxy of ours: what stands before it, anybody can write."""
        hops = [hop for header in headers for hop in header.split(",")]
        for hop in reversed(hops):
            address = _address(_without_port(hop.strip()))
            if address is None:
                return None
            if not self._is_trusted(address):
                return address
        return None


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _key(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return str(address)
