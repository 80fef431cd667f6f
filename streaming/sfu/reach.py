"""Whether media sockets can be reached at the addresses that peers are offered."""

from __future__ import annotations

import ipaddress
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aioice import stun

from streaming.sfu.sockets import UdpPorts


@dataclass(frozen=True)
class Reach:
    """What became of a round trip through one offered address."""

    address: str
    port: int | None
    """The UDP port that was tried; None where no socket could be had."""
    state: Literal["open", "unanswered", "no-socket"]
    own: bool
    """Whether it is this machine's own address, and not a NAT's in front of it."""
    why: str = ""
    """For `no-socket`: what the system said."""

    @property
    def found(self) -> str:
        """What was found, in one line."""
        if self.state == "no-socket":
            return f"no media socket at {self.address}: {self.why}"
        where = f"{self.address}, UDP port {self.port}"
        return f"{where}: {'open' if self.state == 'open' else 'no answer'}"

    @property
    def remedy(self) -> str:
        """What to do about it; nothing where it is open."""
        if self.state == "open":
            return ""
        if self.state == "no-socket":
            return "end the program that has the ports, or give another --udp-ports or --ice-host"
        if self.own:
            return "let UDP to the media ports through the firewall (`nft list ruleset`)"
        return (
            "no address of this machine: let the router pass the media's UDP ports on to it "
            "(--udp-ports says which), or correct --ice-host; a router that passes nothing back "
            "inside cannot be tried from here"
        )


def try_addresses(
    addresses: Sequence[str], udp_ports: tuple[int, int] | None = None, within_s: float = 1.0
) -> list[Reach]:
    """Send a STUN request to each address from another socket, and answer it, all at once.

    The answering sockets are opened as a peer connection's are. Takes as long as `within_s`
    only where something does not answer.
    """
    found: dict[str, Reach] = {}
    trips: dict[str, _Trip] = {}
    ports = UdpPorts(udp_ports)
    with selectors.DefaultSelector() as selector:
        try:
            for address in addresses:
                try:
                    trips[address] = _Trip(address, ports, selector)
                except OSError as error:
                    why = error.strerror or str(error)
                    found[address] = Reach(address, None, "no-socket", own=True, why=why)
            until = time.monotonic() + within_s
            while any(not trip.done for trip in trips.values()):
                ready = selector.select(max(until - time.monotonic(), 0))
                if not ready and time.monotonic() >= until:
                    break
                for key, _ in ready:
                    key.data()
        finally:
            for trip in trips.values():
                trip.close()
    for address, trip in trips.items():
        found[address] = trip.reach()
    return [found[address] for address in addresses]


class _Trip:
    """A socket that answers, and one that asks it by the offered address."""

    def __init__(self, address: str, ports: UdpPorts, selector: selectors.BaseSelector) -> None:
        self._address = address
        self._answering = ports.bind(address)
        host, self._port = self._answering.getsockname()[:2]
        self._own = not ipaddress.ip_address(host).is_unspecified
        self._asking = socket.socket(
            self._answering.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        )
        self._request = stun.Message(
            message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST
        )
        self.done = False
        selector.register(self._answering, selectors.EVENT_READ, self._answer)
        selector.register(self._asking, selectors.EVENT_READ, self._hear)
        try:
            self._asking.sendto(bytes(self._request), (address, self._port))
        except OSError:
            return  # no route to it: it stays unanswered

    def _answer(self) -> None:
        data, sender = self._answering.recvfrom(2048)
        if data != bytes(self._request):
            return
        response = stun.Message(
            message_method=stun.Method.BINDING,
            message_class=stun.Class.RESPONSE,
            transaction_id=self._request.transaction_id,
        )
        response.attributes["XOR-MAPPED-ADDRESS"] = sender[:2]
        self._answering.sendto(bytes(response), sender)

    def _hear(self) -> None:
        try:
            response = stun.parse_message(self._asking.recv(2048))
        except (OSError, ValueError):
            return
        self.done = self.done or response.transaction_id == self._request.transaction_id

    def reach(self) -> Reach:
        state: Literal["open", "unanswered"] = "open" if self.done else "unanswered"
        return Reach(self._address, self._port, state, self._own)

    def close(self) -> None:
        self._answering.close()
        self._asking.close()
