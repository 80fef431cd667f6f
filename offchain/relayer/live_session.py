"""One session in memory: its record, its connections, its orders. No I/O, no clock.

A session is what the ledger knows; a connection is one peer connection under it. Connections
report cumulative figures, of which the latest wins; a session's delivered time is their sum.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from offchain.journal import ConnectionRecord, SessionRecord
from offchain.journal.records import Phase
from offchain.ledger.orders import SignedOrder
from offchain.ledger.types import Session
from offchain.relayer.agenda import NEVER, NOW
from offchain.relayer.census import Census
from offchain.relayer.credit import Risk, risk_of
from offchain.relayer.life import Fact, State, Step, step
from offchain.relayer.unwritten import Unwritten
from streaming.session_state import SessionRef

log = logging.getLogger("paystream.relay.sessions")

BACK_OFF_S: Final = 1.0
BACK_OFF_MAX_S: Final = 12.0
"""An order that is not taken is tried again after so long, each time twice as long."""

_STATES: Final[dict[Phase, State]] = {
    "open": "open",
    "closing": "ending",
    "closed": "over",
    "failed": "over",
}
_PHASES: Final[dict[State, Phase]] = {
    "reserved": "opening",
    "opening": "opening",
    "leaving": "opening",
    "open": "open",
    "ending": "closing",
}
"""The journal's words. An opening session that is to end is one that nobody waits for."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_NO_KINDS: Final[frozenset[str]] = frozenset()
"""What is mostly empty is one object for all sessions, and put in place anew when it changes."""


class Connected(msgspec.Struct, gc=False, eq=False):
    """One connection of a session: its latest state, and what else is known of it."""

    record: ConnectionRecord
    seen: float
    """When its media server last spoke of it."""
    charged_ms: int
    """What of it was taken out of its viewer's credit."""
    presumed: bool = False
    """It counts as ended for its silence: it may still speak."""


class Sent(msgspec.Struct, frozen=True, gc=False):
    """The last order of one kind that the pool has accepted."""

    kind: str
    total: int
    at: float


class Lapse:
    """A lapsed session's connection that stays: what it had delivered, and what came since."""

    __slots__ = ("connection", "fresh_ms", "heard", "live", "lost_ms", "seen", "sent_ms")

    def __init__(self, connection: ConnectionRecord, now: float, *, heard: bool) -> None:
        self.connection = connection
        self.heard = heard
        """Whether its media server was there to say what came before: if not, it says that first,
        and what it says is still the lapsed session's."""
        self.fresh_ms = 0
        """Delivered since."""
        self.sent_ms = 0
        """Forwarded since."""
        self.lost_ms = 0
        """Of that: what is taken out of its viewer's credit already."""
        self.live = True
        self.seen = now


class Unheard(msgspec.Struct, frozen=True, gc=False):
    """What a media server that is gone without its last word may forward to one connection."""

    boot_id: str
    ms: int


class _Noted:
    """What is reckoned of a session as it changes, so that nobody has to add it up again."""

    __slots__ = (
        "_live_ms",
        "census",
        "delivers_since",
        "expiry_at",
        "included_from",
        "look_at",
        "look_total",
        "opens_since",
        "placed_expiry_at",
        "placed_look_at",
        "reported_seconds",
        "unconfirmed_ms",
        "unpaid_seconds",
        "up",
        "waits_since",
    )

    def __init__(self) -> None:
        self.census: Census[LiveSession] | None = None
        """Its book's, while it is in one."""
        self.up = 0
        """How many of its connections have not ended."""
        self._live_ms = 0
        """What its connections have delivered, as of their latest states."""
        self.unconfirmed_ms = 0
        """What was forwarded lately and may still be paid."""
        self.unpaid_seconds = 0
        """What was delivered and the best block has not charged."""
        self.look_at = NEVER
        """When it is looked at again; by `look`."""
        self.look_total = 0
        """With so many delivered seconds it is looked at, whenever that is."""
        self.expiry_at = NEVER
        """When, by the chain's clock, it is to be seen whether it has ended there."""
        self.placed_look_at = NEVER
        self.placed_expiry_at = NEVER
        """Where it is in the agendas; by them."""
        self.reported_seconds: int | None = None
        self.included_from = 0
        self.waits_since: float | None = None
        """What was reported delivered, and the oldest second of it that no block has: by `Lags`."""
        self.opens_since: float | None = None
        self.delivers_since: float | None = None
        """When it was admitted, as long as it waits for a block and for its first second: also."""


class LiveSession(_Noted):
    """One session that has not ended for good. There are thousands: it has slots."""

    __slots__ = (
        "busy",
        "charged_seconds",
        "closing_from_ms",
        "connections",
        "crowded_out",
        "deny",
        "deny_since",
        "foreign",
        "hurried",
        "idle_since",
        "is_signed",
        "lapse",
        "leased_ms",
        "meant_seconds",
        "reckoned_ms",
        "record",
        "ref",
        "refused_at",
        "renewal_refused",
        "restored",
        "sent",
        "signed",
        "since_block",
        "tries",
        "unheard",
        "unwritten",
    )

    def __init__(self, record: SessionRecord, now: float) -> None:
        super().__init__()
        self.record = record
        self.ref = SessionRef(record.grant, record.index)
        """The session's name on the ledger."""
        self.connections: tuple[Connected, ...] = ()
        """In the order of coming. Mostly there is one, and there are never many."""
        self.idle_since: float | None = now
        self.closing_from_ms: int | None = None
        """What the ledger's clock showed when an order for its end was first thought of."""
        self.deny: str | None = None
        self.deny_since = now
        self.meant_seconds = 0
        """The highest total that an earlier process was about to have signed: it knew of so much,
        and its journal perhaps not yet. No later order names less."""
        self.restored = False
        """It comes from the journal: whether its viewer ever got an answer is unknown."""
        self.is_signed = False
        """Whether its open order may be out: from before it is signed."""
        self.sent: tuple[Sent, ...] = ()
        """The last order of each kind that was sent."""
        self.signed: Mapping[str, SignedOrder] = _NOTHING
        """The last order of each kind: one that is sent again needs no other signature."""
        self.tries: Mapping[str, tuple[int, float]] = _NOTHING
        """Of each kind: how often it was refused in a row, and when it is tried again."""
        self.busy = 0
        """The lanes in which an order is under way, a bit for each."""
        self.crowded_out = _NO_KINDS
        """Kinds of orders for which the free lane had no room."""
        self.refused_at: int | None = None
        """The best block at which the pool refused its open order for good."""
        self.since_block: int | None = None
        """The first best block that was asked about it: what older ones say is no fact."""
        self.charged_seconds = 0
        """The best block's total, as last seen: what is gone from the ledger had it to the end."""
        self.lapse: Lapse | None = None
        """It ended for want of ticks, and its viewer is still there."""
        self.renewal_refused = False
        """The ledger does not renew its viewer's subscription: the next one pays the full price."""
        self.foreign = False
        """The ledger's session of this index is on another stream: it is closed, not billed."""
        self.hurried = False
        """Its viewer needs what it holds: it is not kept for figures of a server that is dead."""
        self.leased_ms = 0
        """How long its connection may go on should nothing be heard from now on."""
        self.unheard: Mapping[str, Unheard] = _NOTHING
        """Its connections that nobody has told of since their media server was lost sight of."""
        self.reckoned_ms: Mapping[str, int] = _NOTHING
        """When it has ended: what each of its connections had forwarded, as far as was known."""
        self.unwritten = Unwritten()
        """What of it the journal does not have; its book's, once it is in one."""

    @property
    def delivered_ms(self) -> int:
        """What the meter stands by, over all of the session's connections."""
        return self.record.finished_ms + self._live_ms

    @property
    def total_seconds(self) -> int:
        """The whole seconds that are to be paid."""
        return self.delivered_ms // 1000

    @property
    def pending_ms(self) -> int:
        """What connections that never said their last word had not confirmed."""
        return sum(held.record.unconfirmed_ms for held in self.connections if not held.record.final)

    @property
    def risk(self) -> Risk:
        """What was forwarded and is charged in no best block, as far as it may still be.

        When it is over that is what a lapsed one's connection has brought since, for its successor.
        """
        since = Risk(0, 0 if self.lapse is None else self.lapse.sent_ms - self.lapse.lost_ms)
        if self.done:
            return since
        return since + risk_of(self.delivered_ms, self.unconfirmed_ms, self.charged_seconds)

    @property
    def at_risk_ms(self) -> int:
        """The sum of its risk."""
        since_ms = 0 if self.lapse is None else max(0, self.lapse.sent_ms - self.lapse.lost_ms)
        if self.done:
            return since_ms
        uncharged_ms = max(0, self.delivered_ms - self.charged_seconds * 1000)
        return max(0, self.unconfirmed_ms) + uncharged_ms + since_ms

    @property
    def live(self) -> bool:
        """Whether a connection is up."""
        return self.up > 0

    @property
    def waits_over(self) -> bool:
        """Whether it is over, and its connection may yet be a successor's."""
        return self.lapse is not None and self.lapse.live and self.done

    @property
    def unheard_ms(self) -> int:
        """What may be forwarded to its connections and nobody tells of."""
        return sum(each.ms for each in self.unheard.values())

    def admitted(self, number: int) -> str:
        """Name a connection of which nothing was told yet: its media server has another name."""
        return f"{self.ref}#{number}"

    def suspect(self, connection: str, boot_id: str, ms: int) -> None:
        """Reckon with what a media server that is gone may forward to a connection.

        What is reckoned with already stays: nothing was leased since.
        """
        if connection not in self.unheard:
            self.unheard = {**self.unheard, connection: Unheard(boot_id, ms)}

    def hear(self, connection: str) -> None:
        """A connection's media server tells of it."""
        if connection in self.unheard:
            self.unheard = _without(self.unheard, connection)

    def forget_unheard(self) -> None:
        """Reckon with no connection that nobody tells of."""
        self.unheard = _NOTHING

    @property
    def state(self) -> State:
        """Where it is in its life."""
        if self.record.phase == "opening":
            if self.ending:
                return "leaving"
            return "opening" if self.is_signed or self.total_seconds else "reserved"
        return _STATES[self.record.phase]

    @property
    def done(self) -> bool:
        """Whether the ledger has finally ended it, or never began it."""
        return self.state == "over"

    @property
    def ending(self) -> bool:
        """Whether it is to be closed."""
        return self.record.end_reason is not None

    def is_another(self, entry: Session) -> bool:
        """Tell whether the ledger's session of this name is not the one that was asked for."""
        record = self.record
        return (entry.stream, entry.rate_per_second) != (record.stream, record.rate_per_second)

    def change(self, **fields: object) -> None:
        """Replace fields of the record; the journal gets it with the next write."""
        before = self.record.phase
        self.record = msgspec.structs.replace(self.record, **fields)
        if self.record.phase != before and self.census is not None:
            self.census.moved(self, before)
        self.touch()

    def look(self, moment: float = NOW) -> None:
        """Have it looked at, at a moment or with the next look."""
        if self.census is not None:
            self.census.agenda.at(self, moment)

    def recount(self) -> None:
        """Sum up its connections, after others have come, ended or gone."""
        before, connections = self.up, [held.record for held in self.connections]
        self.up = sum(not connection.final for connection in connections)
        self._live_ms = sum(connection.delivered_ms for connection in connections)
        self.unconfirmed_ms = sum(connection.unconfirmed_ms for connection in connections)
        if self.census is not None:
            self.census.connections += self.up - before

    def weigh(self) -> None:
        """Reckon what is unpaid, after what was delivered or charged has changed."""
        before = self.unpaid_seconds
        self.unpaid_seconds = max(0, self.total_seconds - self.charged_seconds)
        if self.unpaid_seconds != before and self.census is not None:
            self.census.unpaid(before, self.unpaid_seconds)

    def touch(self) -> None:
        """Let the next write have it."""
        self.unwritten.sessions.add(self.ref)

    def connection(self, number: int) -> Connected | None:
        """Find a connection by its number."""
        for held in self.connections:
            if held.record.number == number:
                return held
        return None

    @property
    def last(self) -> ConnectionRecord | None:
        """The newest connection's state; None before it has one, and when it is folded away."""
        held = self.connection(self.record.number)
        return None if held is None else held.record

    def connect(self, record: ConnectionRecord, now: float) -> Connected:
        """Take in another connection."""
        held = Connected(record, now, record.charged_ms)
        self.connections += (held,)
        return held

    def keep(self, connection: ConnectionRecord, now: float) -> Connected:
        """Take a connection's state; the journal gets it with the next write."""
        self.unwritten.connection(self.ref, connection.number)
        held = self.connection(connection.number)
        known = None if held is None else held.record
        if held is None:
            held = self.connect(connection, now)
        held.record = connection
        if known is None or known.final != connection.final:
            self.recount()
            self.look()
        else:
            self._live_ms += connection.delivered_ms - known.delivered_ms
            self.unconfirmed_ms += connection.unconfirmed_ms - known.unconfirmed_ms
        return held

    def kept_connection(self, number: int) -> ConnectionRecord | None:
        """Give what the journal holds of a connection; None where it has none any more."""
        held = self.connection(number)
        if held is None:
            return None
        return msgspec.structs.replace(held.record, charged_ms=held.charged_ms)

    def end(self, reason: str) -> None:
        """Decide that the session is to end. The first reason stays."""
        found = step(self.state, "end")
        if self.record.end_reason is None:
            self.change(end_reason=reason)
            log.debug("event=session-ends session=%s end=%s", self.ref, reason)
            self.look()
        if found is not None and found.state != "over":  # that is for the book to do
            self._enter(found.state)

    def last_sent(self, kind: str) -> Sent | None:
        """Give the last order of a kind that was sent."""
        for sent in self.sent:
            if sent.kind == kind:
                return sent
        return None

    def note_sent(self, sent: Sent) -> None:
        """Note the last order of its kind."""
        self.forget_sent(sent.kind)
        self.sent += (sent,)

    def forget_sent(self, kind: str) -> None:
        """Forget that an order of a kind was sent."""
        if self.last_sent(kind) is not None:
            self.sent = tuple(sent for sent in self.sent if sent.kind != kind)

    def forget_signed(self, kind: str) -> None:
        """Have the next order of a kind signed anew."""
        if kind in self.signed:
            self.signed = _without(self.signed, kind)

    def is_busy(self, lane: int) -> bool:
        """Tell whether an order of a lane is under way."""
        return bool(self.busy & 1 << lane)

    def occupy(self, lane: int) -> None:
        """An order of a lane is under way."""
        self.busy |= 1 << lane

    def release(self, lane: int) -> None:
        """The lane is free again."""
        self.busy &= ~(1 << lane)

    def may_try(self, kind: str, now: float) -> bool:
        """Tell whether an order of a kind may be sent now, after refusals."""
        return kind not in self.tries or now >= self.tries[kind][1]

    def back_off(self, kind: str, now: float) -> None:
        """Wait after a refusal: twice as long each time, up to two blocks.

        The pool bans the bytes that it refused: what is sent then has another signature.
        """
        self.forget_signed(kind)
        refused = self.tries[kind][0] if kind in self.tries else 0
        wait_s = min(BACK_OFF_S * 2 ** min(refused, 10), BACK_OFF_MAX_S)
        self.try_at(kind, refused + 1, now + wait_s)

    def try_at(self, kind: str, refused: int, moment: float) -> None:
        """Note how often an order of a kind was refused in a row, and when it is tried again."""
        self.tries = {**self.tries, kind: (refused, moment)}

    def taken(self, kind: str) -> None:
        """An order of a kind was taken: nothing of earlier refusals holds."""
        if kind in self.tries:
            self.tries = _without(self.tries, kind)
        if kind in self.crowded_out:
            self.crowded_out -= {kind}

    def feed(self, fact: Fact) -> Step | None:
        """Take a fact of the chain. Returns what follows, if it changes anything."""
        found = step(self.state, fact)
        if found is not None and found.state != "over":  # that needs the figures: `conclude`
            self._enter(found.state)
        return found

    def _enter(self, state: State) -> None:
        phase = _PHASES[state]
        if self.record.phase != phase:
            self.change(phase=phase)


def _without(known: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return {name: value for name, value in known.items() if name != kind} or _NOTHING
