"""Holds a stream's finalized history against itself, and against what the server delivered.

Everything here is pure: `offchain.cli.reconcile` reads the blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from offchain.ledger.types import Event, Session, Stream

UNPAID_MS_MAX: Final = 4_500
"""What may have been delivered and not paid when a session is closed (a crash's tail included)."""

TOTAL_MAX: Final = 2**128 - 1
_AMOUNTS: Final = {
    "RemainderPaid": "remainder",
    "Tipped": "tipped",
    "SubscriptionEarned": "subscribed",
    "Refunded": "refunded",
    "TreasuryPaid": "treasury",
    "EarningsErased": "erased",
}
"""Events of one amount, and what they are added to."""

SessionName = tuple[int, int]


@dataclass
class SessionHistory:
    """What a session's events say."""

    opened_block: int | None = None
    viewer: str = ""
    rate_per_second: int | None = None
    funds: int = 0
    ticks: int = 0
    seconds: int = 0
    charged_seconds: int = 0
    charged: int = 0
    fees: int = 0
    last_tick_block: int | None = None
    closed_block: int | None = None
    close_reason: str | None = None
    paid: int | None = None
    refunded: int | None = None
    close_seconds: int | None = None


@dataclass
class History:
    """What the events of a range of finalized blocks say of one stream."""

    stream: int
    created_block: int | None = None
    sessions: dict[SessionName, SessionHistory] = field(default_factory=dict)
    claimed: dict[str, int] = field(default_factory=dict)
    remainder: int = 0
    tipped: int = 0
    subscribed: int = 0
    refunded: int = 0
    refunds: dict[str, int] = field(default_factory=dict)
    """What the owner gave back to each viewer; their sum is `refunded`."""
    treasury: int = 0
    """What the operator was paid: the tick prices, and a share of claims."""
    erased: int = 0
    """What was given up with an asset that is written off."""

    @property
    def charged(self) -> int:
        """The sum of all ticks, without the operator's prices."""
        return sum(each.charged for each in self.sessions.values())

    @property
    def fees(self) -> int:
        """The sum of the operator's prices of all ticks."""
        return sum(each.fees for each in self.sessions.values())

    @property
    def earned(self) -> int:
        """What the stream has earned: ticks, tips and periods of subscriptions."""
        return self.charged + self.tipped + self.subscribed

    @property
    def claimed_total(self) -> int:
        """The sum of all claims."""
        return sum(self.claimed.values())

    def read(self, block: int, events: Iterable[Event]) -> None:
        """Take in a block's events, in the order of blocks."""
        for event in events:
            if event.pallet == "PayStream":
                self._take(block, event.name, event.fields)

    def _take(self, block: int, name: str, fields: Mapping[str, Any]) -> None:
        if name == "SessionFunded":  # it does not name the stream
            known = self.sessions.get((fields["grant"], fields["index"]))
            if known is not None:
                known.funds = int(fields["funds"])
            return
        if fields.get("stream") != self.stream:
            return
        if name == "StreamCreated":
            self.created_block = block
        elif name == "Claimed":
            payee = str(fields["payee"])
            self.claimed[payee] = self.claimed.get(payee, 0) + int(fields["amount"])
        elif name in _AMOUNTS:
            counted = _AMOUNTS[name]
            setattr(self, counted, getattr(self, counted) + int(fields["amount"]))
            if name == "Refunded":
                viewer = str(fields["viewer"])
                self.refunds[viewer] = self.refunds.get(viewer, 0) + int(fields["amount"])
        elif name in {"SessionOpened", "Ticked", "SessionClosed"}:
            session = self.sessions.setdefault((fields["grant"], fields["index"]), SessionHistory())
            _take_session(session, block, name, fields)


def _take_session(
    session: SessionHistory, block: int, name: str, fields: Mapping[str, Any]
) -> None:
    if name == "SessionOpened":
        session.opened_block = block
        session.viewer = str(fields["viewer"])
        session.rate_per_second = int(fields["rate_per_second"])
        session.funds = int(fields["funds"])
    elif name == "Ticked":
        session.ticks += 1
        session.seconds = int(fields["seconds"])
        session.charged_seconds += int(fields["charged_seconds"])
        session.charged += int(fields["amount"])
        session.fees += int(fields.get("fee", 0))
        session.last_tick_block = block
    else:
        session.closed_block = block
        session.close_reason = str(fields["reason"])
        session.paid = int(fields["paid"])
        session.refunded = int(fields["refunded"])
        session.close_seconds = int(fields["seconds"])


@dataclass(frozen=True)
class Overcharge:
    """What of a session was paid, not delivered, and not given back."""

    seconds: int
    amount: int
    """0 where the rate is unknown, or nothing."""


def overcharges(
    history: History, delivered_ms: Mapping[SessionName, int]
) -> dict[SessionName, Overcharge]:
    """Give the sessions that paid for more than was delivered, less what their viewers got back.

    A refund names a viewer and no session: it counts for that viewer's sessions in their order.
    """
    given_back = dict(history.refunds)
    found = {}
    for name, session in sorted(history.sessions.items()):
        delivered = delivered_ms.get(name)
        if delivered is None or session.seconds * 1000 <= delivered:
            continue
        seconds = session.seconds - delivered // 1000
        amount = seconds * (session.rate_per_second or 0)
        returned = min(amount, given_back.get(session.viewer, 0))
        if returned:
            given_back[session.viewer] -= returned
        if amount == 0 or returned < amount:
            found[name] = Overcharge(seconds, amount - returned)
    return found


def disagreements(
    history: History,
    before: Stream | None,
    after: Stream | None,
    open_sessions: Mapping[SessionName, Session],
    delivered_ms: Mapping[SessionName, int],
) -> Iterator[str]:
    """Give everything that disagrees, in words.

    `before` and `after` are the stream's entries at the two ends of the range, `open_sessions`
    those at its end, `delivered_ms` what the server says of the sessions that it knows.
    """
    too_much = overcharges(history, delivered_ms)
    for name, session in sorted(history.sessions.items()):
        label, delivered = f"session {name[0]}-{name[1]}", delivered_ms.get(name)
        for problem in _session(session, open_sessions.get(name), delivered):
            yield f"{label}: {problem}"
        if name in too_much:
            yield f"{label}: paid {session.seconds} s, but only {delivered} ms were delivered"
    if after is None:
        return
    earned_before = before.earned_total if before is not None else 0
    # the ledger's totals stay at the highest number
    if after.earned_total != min(earned_before + history.earned, TOTAL_MAX):
        yield (
            f"the stream earned {after.earned_total - earned_before}, but its ticks charged "
            f"{history.charged}, tips brought {history.tipped} and subscriptions "
            f"{history.subscribed}"
        )
    unclaimed = after.earned + after.fees
    if before is not None:
        unclaimed -= before.earned + before.fees
    paid_out = history.claimed_total + history.remainder + history.refunded + history.treasury
    left = history.earned + history.fees - paid_out - history.erased
    if unclaimed != left:
        yield f"unclaimed earnings changed by {unclaimed}, but what came less what left is {left}"


def _session(
    session: SessionHistory, entry: Session | None, delivered_ms: int | None
) -> Iterator[str]:
    rate = session.rate_per_second
    if rate is not None:
        if session.charged != session.charged_seconds * rate:
            yield (f"charged {session.charged} for {session.charged_seconds} s at {rate} a second")
        if session.charged + session.fees > session.funds:
            yield (
                f"charged {session.charged} and {session.fees} for ticks, more than its funds of "
                f"{session.funds}"
            )
        yield from _end(session, entry)
    if delivered_ms is None:
        return
    unpaid_ms = delivered_ms - session.seconds * 1000
    if session.close_reason == "Order" and unpaid_ms >= UNPAID_MS_MAX:
        yield f"closed with {unpaid_ms} ms delivered and unpaid"


def _end(session: SessionHistory, entry: Session | None) -> Iterator[str]:
    """Check a session whose opening was seen: against its close, or against its entry."""
    if session.closed_block is not None:
        if session.paid != session.charged + session.fees:
            yield (
                f"closed as paid {session.paid}, but its ticks charged "
                f"{session.charged + session.fees}"
            )
        if (session.paid or 0) + (session.refunded or 0) != session.funds:
            yield (
                f"paid {session.paid} and refunded {session.refunded} of {session.funds} reserved"
            )
        if entry is not None:
            yield "closed, but still in the ledger"
    elif entry is None:
        yield "neither closed nor in the ledger"
    elif entry.seconds != session.seconds or entry.paid != session.charged + session.fees:
        yield (
            f"the ledger says {entry.seconds} s and {entry.paid}, its ticks "
            f"{session.seconds} s and {session.charged + session.fees}"
        )
