"""ICE as a server does it: fixed addresses, no checks of its own accord, cheap waiting.

aioice is made for both sides. A server whose peers come to it (their candidates are dropped,
`answer.engine_offer`) needs no timer to look for pairs: each check that arrives starts
the one in return. Each private member touched here is named in `tests/sfu/test_ice.py`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import time
from collections.abc import Sequence
from typing import Any, Final

from aioice import stun
from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.ice import ICE_COMPLETED, StunProtocol
from aiortc import RTCPeerConnection

from streaming.sfu.addresses import LOOPBACK
from streaming.sfu.media_engine import MediaError
from streaming.sfu.sockets import (
    EGRESS_BUFFER_BYTES,
    INGEST_BUFFER_BYTES,
    Door,
    MediaSockets,
    PortsTaken,
    ServerSocket,
)

log = logging.getLogger(__name__)

CONSENT_EVERY_S: Final = 5.0
CONSENT_EXPIRES_S: Final = 30.0
"""RFC 7675, 5.1."""


class IceListener:
    """Opens the sockets of one engine's peer connections."""

    def __init__(
        self, addresses: Sequence[str] = (LOOPBACK,), udp_ports: tuple[int, int] | None = None
    ) -> None:
        self.addresses = tuple(addresses)
        self.sockets = MediaSockets(udp_ports)
        self._told_of: set[str] = set()

    def listen(self, pc: RTCPeerConnection, *, publisher: bool) -> Door:
        """Open a socket for each address, and offer them. Call before the answer is made.

        For a publisher the kernel keeps more, and its media is consent enough: it may leave
        checks unanswered (see `keep_consent`). Raises `MediaError` (503) where no socket is to
        be had; then close the peer connection.
        """
        doors: dict[Any, Door] = {}
        for transceiver in pc.getTransceivers():
            dtls = transceiver.receiver.transport
            if dtls in doors:
                continue
            connection = dtls.transport._connection
            door = doors[dtls] = Door(connection, dtls, self.sockets)
            self._open(connection, door, publisher)
            _wait_cheaply(connection, door, media_is_consent=publisher)
        return next(iter(doors.values()))

    def _open(self, connection: Any, door: Door, publisher: bool) -> None:
        buffer_bytes = INGEST_BUFFER_BYTES if publisher else EGRESS_BUFFER_BYTES
        connection._local_candidates_start = True
        for index, address in enumerate(self.addresses):
            try:
                sock = self.sockets.bind(address, buffer_bytes)
            except OSError as error:
                self._missed(address, error)
                continue
            protocol = StunProtocol(connection)
            connection._protocols.append(protocol)
            protocol.local_candidate = Candidate(
                foundation=candidate_foundation("host", "udp", address),
                component=1,
                transport="udp",
                priority=candidate_priority(1, "host", 65_535 - index),
                host=address,
                port=sock.getsockname()[1],
                type="host",
            )
            ServerSocket(sock, protocol, door)
            connection._local_candidates.append(protocol.local_candidate)
        connection._local_candidates_end = True
        if not connection._local_candidates:
            raise MediaError(
                503, "no-socket", "no media socket could be opened; the server's log says why"
            )

    def _missed(self, address: str, error: OSError) -> None:
        if isinstance(error, PortsTaken):
            first, last = self.sockets.ports.first_last or (0, 0)
            raise MediaError(
                503,
                "udp-ports-taken",
                f"all UDP ports from {first} to {last} are in use; try again later (the "
                "operator can widen --udp-ports)",
            ) from None
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise MediaError(
                503,
                "descriptors",
                "the server has no file descriptor left; try again later (the operator can raise "
                "LimitNOFILE or lower --connections-max)",
            ) from None
        if address not in self._told_of:
            self._told_of.add(address)
            log.warning("no media socket at %s (%s); it is not offered", address, error.strerror)


def _wait_cheaply(connection: Any, door: Door, *, media_is_consent: bool) -> None:
    usual = connection.connect

    async def connect() -> None:
        if connection._remote_candidates:
            await usual()  # there is something to check of our own accord
            return
        for check in connection._early_checks:
            connection.check_incoming(*check)
        connection._early_checks.clear()
        connection._early_checks_done = True
        result = await connection._check_list_state.get()
        for pair in connection._check_list:
            if pair.task is not None:
                pair.task.cancel()
        if result != ICE_COMPLETED:
            raise ConnectionError("ICE negotiation failed")
        connection._query_consent_task = asyncio.create_task(connection.query_consent())

    async def query_consent() -> None:
        await keep_consent(connection, door, media_is_consent=media_is_consent)

    connection.connect = connect
    connection.query_consent = query_consent


async def keep_consent(connection: Any, door: Door, *, media_is_consent: bool) -> None:
    """Ask each 5 s whether the peer still wants what is sent; close after 30 s without (RFC 7675).

    A publisher whose media arrives is there and has our keys, and is sent next to nothing: its
    media counts as consent, as the RFC's checks do. ffmpeg 8.0 answers no checks.
    """
    password = connection.remote_password.encode()
    consented_s = time.monotonic()
    while time.monotonic() - consented_s < CONSENT_EXPIRES_S:
        await asyncio.sleep(CONSENT_EVERY_S * (0.8 + 0.4 * random.random()))  # noqa: S311
        for pair in list(connection._nominated.values()):
            request = connection.build_request(pair, nominate=False)
            try:
                # Twice, 0.5 s and 1 s apart: one check alone knows no path of more than 500 ms.
                await pair.protocol.request(
                    request, pair.remote_addr, integrity_key=password, retransmissions=1
                )
                consented_s = time.monotonic()
            except stun.TransactionError:
                if media_is_consent:
                    consented_s = max(consented_s, door.heard_s(pair.remote_addr))
    log.info("a peer has not consented for %.0f s", CONSENT_EXPIRES_S)
    connection._query_consent_task = None
    await connection.close()
