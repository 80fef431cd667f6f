"""The viewers that are being served: whose session each is, and whether it may go on.

A connection begins when the relayer has admitted it, follows the relayer's leases, and ends in
exactly one final state.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from streaming.http.free_media import FreeMedia
from streaming.http.limits import Limits
from streaming.http.links import Links
from streaming.http.pausing import Pausing
from streaming.session_state import (
    LEASE_MS,
    ConnectionState,
    Lease,
    Leases,
    SessionRef,
    StreamRef,
)
from streaming.sfu.media_engine import Subscription

log = logging.getLogger(__name__)

TAIL_S = 1.6
"""How long the end waits for the report about what was sent last."""
TAIL_BY_REPORTS_S = 7.6
"""The same where receiver reports are all that tells of it, and the viewer leaves: RFC 3550's
players send one each 2 to 7 s, and it is judged a moment later. No media flows meanwhile."""
TAIL_LOOK_S = 0.2
"""How often the wait looks whether something else has cut it short."""
WITHOUT_TAIL = frozenset({"replaced", "unconfirmed", "untimed", "vanished"})
"""Ends after which no report is to be expected, or none that would be of use."""
LEASE_CHECK_S = 0.25
OWED_SESSIONS_MAX = 4096
"""Sessions of which it is remembered what their viewers may have seen unpaid."""
ABANDON_S = 120.0
"""How long a connection is kept while no relayer says that it may go on."""


class Connection:
    """One admitted viewer."""

    def __init__(
        self,
        *,
        connection: str,
        session: SessionRef,
        number: int,
        stream: StreamRef,
        subscription: Subscription,
        lease_ms: int,
        pauses_per_second: float,
    ) -> None:
        self.connection = connection
        self.session = session
        self.number = number
        self.stream = stream
        self.subscription = subscription
        self.resource = secrets.token_urlsafe(18)
        self.sound_alone = False
        """Whether the viewer goes on with sound, and pays for it, where no picture comes."""
        self.sound_number = 0
        """The highest number of a choice about it."""
        self.pausing = Pausing(pauses_per_second, time.monotonic())
        self.allowed = True
        self.denied: str | None = None
        self.lease: Lease | None = None
        self.lease_until_s = time.monotonic() + lease_ms / 1000
        self.end_reason: str | None = None
        self.tail_until_s = 0.0
        """Until when its end waits for the last report; what ends it too may bring that nearer."""
        self.has_media = False
        """Whether a packet was sent, as far as the log has said so."""
        self.ended = asyncio.Event()

    def state(self) -> ConnectionState:
        """What the relayer is told."""
        figures = self.subscription.figures()
        return ConnectionState(
            connection=self.connection,
            session=self.session,
            number=self.number,
            delivered_ms=figures.delivered_ms,
            forwarded_ms=figures.forwarded_ms,
            unconfirmed_ms=figures.unconfirmed_ms,
            frames_forwarded=figures.frames_forwarded,
            packets_sent=figures.packets_sent,
            bytes_sent=figures.bytes_sent,
            packets_lost=figures.packets_lost,
            paused=self.pausing.paused,
            final=self.ended.is_set(),
            end_reason=self.end_reason if self.ended.is_set() else None,
        )

    def playing(self) -> dict[str, Any]:
        """What the player is told after a pause or resumption: what is so now."""
        return {
            "paused": self.pausing.paused,
            "number": self.pausing.number,
            "delivered_ms": self.subscription.figures().delivered_ms,
        }

    def hearing(self) -> dict[str, Any]:
        """What the player is told after a choice about sound alone: what is so now."""
        return {
            "sound_alone": self.sound_alone,
            "number": self.sound_number,
            "delivered_ms": self.subscription.figures().delivered_ms,
        }

    def shown(self) -> dict[str, Any]:
        """What the page is told: whether media flows, and if not, for which reasons."""
        reasons = set(self.subscription.held)
        if "wait" in reasons and self.lease is not None and self.lease.reason is not None:
            reasons.add(self.lease.reason)
        if self.end_reason is not None:
            state = "ending"
        elif not self.subscription.connected:
            state = "connecting"
        elif self.pausing.paused:
            state = "paused"
        else:
            state = "held" if reasons else "forwarding"
        figures = self.subscription.figures()
        return {
            "state": state,
            "reasons": sorted(reasons),
            **self.playing(),
            "sound_alone": self.sound_alone,
            "sound_free_ms": figures.sound_free_ms,
            "forwarded_ms": figures.forwarded_ms,
        }


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Sums that never fall while the server runs."""

    connections: int = 0
    delivered_ms: int = 0
    forwarded_ms: int = 0
    packets_sent: int = 0
    bytes_sent: int = 0


class Connections:
    """All of them, by id and by resource."""

    def __init__(self, boot_id: str, limits: Limits | None = None) -> None:
        self._boot_id = boot_id
        self._limits = limits or Limits()
        self._numbers = itertools.count(1)
        self._by_id: dict[str, Connection] = {}
        self._by_resource: dict[str, Connection] = {}
        self._tasks: set[asyncio.Task[int]] = set()
        self._checker: asyncio.Task[None] | None = None
        self._past = Totals()
        self._owed_ms: dict[SessionRef, int] = {}
        self._free = FreeMedia()
        self.joining = 0
        """Viewers whose admission is being asked for."""
        self.link: Links | None = None
        self.on_publisher_denied: Callable[[StreamRef, str], None] = _ignore

    def start(self) -> None:
        """Begin to watch leases. Call inside a running loop."""
        self._checker = asyncio.get_running_loop().create_task(self._check_leases())

    def __len__(self) -> int:
        return len(self._by_id)

    def states(self) -> list[ConnectionState]:
        """The state of each connection that has not ended."""
        states = [one.state() for one in self._by_id.values()]
        for state in states:
            one = self._by_id[state.connection]
            if state.packets_sent and not one.has_media:
                one.has_media = True
                log.debug("event=media-began session=%s connection=%s", one.session, one.connection)
        return states

    def totals(self) -> Totals:
        """Sums over all connections since the start, ended ones included."""
        past = self._past
        open_now = [one.subscription.figures() for one in self._by_id.values()]
        return Totals(
            connections=past.connections + len(open_now),
            delivered_ms=past.delivered_ms + sum(f.delivered_ms for f in open_now),
            forwarded_ms=past.forwarded_ms + sum(f.forwarded_ms for f in open_now),
            packets_sent=past.packets_sent + sum(f.packets_sent for f in open_now),
            bytes_sent=past.bytes_sent + sum(f.bytes_sent for f in open_now),
        )

    def by_resource(self, resource: str) -> Connection | None:
        """The connection whose HTTP resource this is."""
        return self._by_resource.get(resource)

    def add(
        self,
        session: SessionRef,
        number: int,
        stream: StreamRef,
        subscription: Subscription,
        *,
        lease_ms: int = LEASE_MS,
    ) -> Connection:
        """A viewer has been admitted. An earlier connection of its session is replaced."""
        # Of a session that this server does not know (any more), the connection is no first one
        # either: it has no catch-up.
        owed_ms = self._owed_ms.get(session, 0 if number > 1 else None)
        for other in list(self._by_id.values()):
            if other.session == session and other.number < number:
                owed_ms = max(owed_ms or 0, other.subscription.figures().owed_ms)
                self.end_soon(other, "replaced")
        if owed_ms is None and self._had_its_free_media(session):
            owed_ms = 0
        if owed_ms is not None:
            subscription.rejoins(owed_ms)
        one = Connection(
            connection=f"{self._boot_id}-{next(self._numbers)}",
            session=session,
            number=number,
            stream=stream,
            subscription=subscription,
            lease_ms=lease_ms,
            pauses_per_second=self._limits.pauses_per_second,
        )
        self._by_id[one.connection] = one
        self._by_resource[one.resource] = one
        log.debug(
            "event=connection-began session=%s connection=%s stream=%s number=%d",
            session,
            one.connection,
            stream,
            number,
        )
        return one

    def _had_its_free_media(self, session: SessionRef) -> bool:
        grant = (session.chain, session.grant)
        open_ms = sum(
            one.subscription.figures().free_ms
            for one in self._by_id.values()
            if (one.session.chain, one.session.grant) == grant
        )
        return self._free.used_up(grant, time.monotonic(), open_ms)

    # --- pausing ---------------------------------------------------------------------

    def choose_sound(self, one: Connection, number: int | None, *, alone: bool) -> None:
        """The viewer goes on with sound alone, or rather waits for the picture.

        Numbered as pauses are, by numbers of their own. Raises `ProblemError` 429.
        """
        one.pausing.take_request(time.monotonic())
        number = one.sound_number + 1 if number is None else number
        if number > one.sound_number:
            one.sound_number = number
            one.sound_alone = alone
            one.subscription.choose_sound(chosen=alone)

    def pause(self, one: Connection, number: int | None) -> None:
        """The viewer's player is paused or hidden: forward nothing.

        Raises `ProblemError` 429 for who asks too often.
        """
        one.pausing.take_request(time.monotonic())
        if one.pausing.ask(number, paused=True):
            one.pausing.pause()
            one.subscription.hold("paused")

    async def resume(self, one: Connection, number: int | None) -> None:
        """The viewer's player goes on: at once, or when the pace of resumptions allows it.

        Returns when it has come about, or something newer was asked for. Raises `ProblemError`
        429 for who asks too often.
        """
        one.pausing.take_request(time.monotonic())
        if not one.pausing.ask(number, paused=False):
            return
        number = one.pausing.number
        while one.pausing.still(number) and one.end_reason is None:
            wait = one.pausing.resume(time.monotonic())
            if wait == 0:
                one.subscription.release("paused")
                return
            await asyncio.sleep(wait)

    # --- leases ----------------------------------------------------------------------

    def take_leases(self, leases: Leases) -> None:
        """What a relayer says about connections that it holds. Others keep their leases."""
        now = time.monotonic()
        for lease in leases.leases:
            named = self._by_id.get(lease.connection)
            if named is not None:
                lease_ms = leases.lease_ms if lease.lease_ms is None else lease.lease_ms
                if named.allowed:
                    named.lease_until_s = now + min(leases.lease_ms, lease_ms) / 1000
                self._take_lease(named, lease)
        for name, reason in leases.publishers_denied.items():
            chain, _, number = name.rpartition("/")
            if number.isdecimal():
                self.on_publisher_denied(StreamRef(int(number), chain), reason)

    def _take_lease(self, one: Connection, lease: Lease) -> None:
        if lease.paid_seconds is None and one.lease is not None:
            known = one.lease
            lease = msgspec.structs.replace(lease, paid_seconds=known.paid_seconds, paid=known.paid)
        one.lease = lease
        if lease.wait:  # whatever else it says: this may pass, so the connection stays
            one.subscription.hold("wait")
        elif lease.allowed:
            one.subscription.release("lease")
            one.subscription.release("wait")
        else:
            one.allowed = False
            one.denied = lease.reason
            reason = "replaced" if lease.reason == "replaced" else "denied"
            log.debug(
                "event=connection-denied session=%s connection=%s reason=%s",
                one.session,
                one.connection,
                lease.reason,
            )
            self.end_soon(one, reason)

    async def _check_leases(self) -> None:
        while True:
            await asyncio.sleep(LEASE_CHECK_S)
            now = time.monotonic()
            for one in list(self._by_id.values()):
                if now <= one.lease_until_s:
                    one.subscription.release("lease")
                    continue
                one.subscription.hold("lease")
                if now > one.lease_until_s + ABANDON_S:
                    self.end_soon(one, "denied")

    # --- ends ------------------------------------------------------------------------

    def end_soon(self, one: Connection, reason: str) -> asyncio.Task[int]:
        """End a connection in the background."""
        task = asyncio.get_running_loop().create_task(self.end(one, reason))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def hurry(self, one: Connection) -> None:
        """Nobody waits for the sum of one that ends: do not wait for a rare report either."""
        one.tail_until_s = min(one.tail_until_s, time.monotonic() + TAIL_S)

    async def end(self, one: Connection, reason: str, tail_s: float | None = None) -> int:
        """Stop forwarding, wait for the tail's report, tell the final state, hang up.

        Returns the delivered milliseconds. Ending twice waits for the first, which then waits no
        longer than the second would.
        """
        until_s = time.monotonic() + (_tail_s(one, reason) if tail_s is None else tail_s)
        if one.end_reason is not None:
            one.tail_until_s = min(one.tail_until_s, until_s)
            if reason == "replaced" and one.end_reason == "left":
                one.end_reason = reason  # its viewer came back: the session goes on
            await one.ended.wait()
            return one.subscription.figures().delivered_ms
        one.end_reason = reason
        one.tail_until_s = until_s
        one.subscription.hold("ended")
        while (left_s := one.tail_until_s - time.monotonic()) > 0:
            if await one.subscription.settled(min(left_s, TAIL_LOOK_S)):
                break
        one.ended.set()
        delivered_ms = one.subscription.figures().delivered_ms
        self._keep_totals(one)
        self._remember_owed(one)
        grant = (one.session.chain, one.session.grant)
        self._free.take(grant, one.subscription.figures().free_ms, time.monotonic())
        self._by_id.pop(one.connection, None)
        self._by_resource.pop(one.resource, None)
        if self.link is not None:
            self.link.final(one.state())
            self.link.tell_soon()
        log.debug(
            "event=connection-ended session=%s connection=%s reason=%s delivered_ms=%d",
            one.session,
            one.connection,
            reason,
            delivered_ms,
        )
        await one.subscription.close()
        return delivered_ms

    def _keep_totals(self, one: Connection) -> None:
        past, figures = self._past, one.subscription.figures()
        self._past = Totals(
            connections=past.connections + 1,
            delivered_ms=past.delivered_ms + figures.delivered_ms,
            forwarded_ms=past.forwarded_ms + figures.forwarded_ms,
            packets_sent=past.packets_sent + figures.packets_sent,
            bytes_sent=past.bytes_sent + figures.bytes_sent,
        )

    def _remember_owed(self, one: Connection) -> None:
        self._owed_ms.pop(one.session, None)
        self._owed_ms[one.session] = one.subscription.figures().owed_ms
        if len(self._owed_ms) > OWED_SESSIONS_MAX:
            del self._owed_ms[next(iter(self._owed_ms))]

    async def close(self, tail_s: float = 0.8) -> None:
        """End all of them: the server is going down."""
        if self._checker is not None:
            self._checker.cancel()
        await asyncio.gather(
            *(self.end(one, "shutdown", tail_s) for one in list(self._by_id.values())),
            return_exceptions=True,
        )
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=0.5)


def _tail_s(one: Connection, reason: str) -> float:
    if reason in WITHOUT_TAIL:
        return 0.0
    by_reports = reason == "left" and one.subscription.reports_alone
    return TAIL_BY_REPORTS_S if by_reports else TAIL_S


def _ignore(_stream: StreamRef, _reason: str) -> None:
    return None
