"""What a signer signs, and what it never does. Pure: no I/O, no clock, no keys.

A relayer asks for typed orders. `decide` holds each against what was signed for its grant before,
and gives what is to be remembered before the signature may leave, or raises `PolicyRefused`. The
relayer is taken for an enemy. It chooses what it shows, but only once: the terms that it shows when
a grant's first session is opened hold for good. Time is the signer's own and only rises (`now_ms`);
the relayer's words about time count nowhere. Rules 2 and 4 of the ledger (docs/ledger.md) are
mirrored here, so an honest relayer is not refused, and whoever takes the relayer over charges no
faster than the time that passes, even where the chain would still allow what was saved up.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from offchain.amounts import asset_name
from offchain.ledger.orders import (
    U32_MAX,
    U128_MAX,
    Close,
    Fund,
    Open,
    Order,
    OrderInvalid,
    Renew,
    Tick,
    Tip,
    encode_grant,
    encode_order,
)
from offchain.ledger.types import Asset

CLOSED_KEPT: Final = 2
"""So many closed sessions of a grant are remembered by themselves; the others only in the sums."""
LIVE_SLACK: Final = 4
"""Sessions beyond the grant's slots that are remembered: opens that no block took."""
PASSING: Final = frozenset({"ahead-of-clock", "journal-failed"})
"""Codes of refusals that pass by themselves."""


class PolicyRefused(Exception):
    """The policy does not allow a request. `code` is a stable word for programs.

    `floor` is the total that was signed before, where one would fall.
    """

    def __init__(self, code: str, detail: str, floor: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.floor = floor


class Bounds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The operator's bounds on one asset, beside the viewer's; amounts in its smallest unit."""

    rate_per_second_max: int = U128_MAX
    cap_max: int = U128_MAX
    """What one grant may be charged altogether, whatever cap the relayer shows."""
    tips_max: int = 0
    """What one grant may tip altogether. The relayer sends no tips by itself."""
    renewals_max: int = 120
    tick_price_max: int = U128_MAX
    """The highest tick price that an open accepts. No grant bounds it: only the runtime does."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator allows the signer to sign; see `offchain.signer.settings` for the file."""

    bounds: Bounds = Bounds()
    assets: dict[str, Bounds] = {}
    """Bounds of single assets, by `native` or their number, in place of `bounds`."""
    head_start_ms: int = 6_000
    gap_ms_max: int = 3_600_000
    sessions_max: int = 64
    streams: frozenset[int] | None = None
    """The only streams that sessions are opened on; None for all."""
    adopt: bool = False
    """Take over sessions that another signer or release has opened."""

    def of(self, asset: Asset) -> Bounds:
        """Give the bounds of an asset."""
        return self.assets.get(asset_name(asset), self.bounds)


class GrantTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a viewer has allowed, as the relayer shows it; nothing of it ever changes on chain."""

    asset: Asset
    rate_max_per_second: int
    cap: int
    sessions_max: int
    gap_ms: int
    expires_at: int
    tips_max: int = 0
    renewals_max: int = 0


class SignOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that a relayer asks for.

    `key`, `terms` and `renewals` (how many the grant has had) come with an open, and count the
    first time. `fence` is the number of the relayer's lease of the grant's viewer: a lower one than
    before, for the grant or the session, is refused.
    """

    grant: int
    order: Order
    key: str | None = None
    terms: GrantTerms | None = None
    renewals: int = 0
    fence: int = 0


class Adopt(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A session that runs on chain and that this signer has not opened, as the relayer shows it."""

    grant: int
    key: str
    terms: GrantTerms
    opened: Open
    seconds: int
    renewals: int = 0
    fence: int = 0


class SignedSession(msgspec.Struct, frozen=True, array_like=True):
    """What was signed for one session. Moments (`*_ms`) are of the signer's clock."""

    index: int
    rate_per_second: int
    funds: int
    seconds_max: int
    """What fits between its start and the grant's expiry."""
    seconds: int
    opened_ms: int
    billed_ms: int
    """Up to where time is used up, as the ledger's `billed_until`."""
    asked_ms: int
    closed: bool = False
    fence: int = 0

    @property
    def charged(self) -> int:
        """The most that the ledger can charge by what was signed."""
        return min(self.seconds * self.rate_per_second, self.funds)


class SignedGrant(msgspec.Struct, frozen=True, array_like=True):
    """What was signed under one grant. `past_*` sum the sessions that are no longer in the list."""

    key: str
    terms: GrantTerms
    first_ms: int
    highest: int
    sessions: tuple[SignedSession, ...]
    tips: int = 0
    renewals: int = 0
    past_seconds: int = 0
    past_charged: int = 0
    adopted_seconds: int = 0
    opened_from: int | None = None
    """The lowest index that this signer has opened itself."""
    fence: int = 0
    """The highest number of a relayer's lease under which anything was asked for it."""

    @property
    def seconds(self) -> int:
        """The seconds of all sessions, without those that were adopted."""
        own = sum(session.seconds for session in self.sessions)
        return self.past_seconds + own - self.adopted_seconds

    @property
    def charged(self) -> int:
        """The most that the ledger can charge by what was signed."""
        return self.past_charged + sum(session.charged for session in self.sessions)


Known: TypeAlias = SignedGrant | None


def decide(policy: Policy, known: Known, asked: SignOrder, now_ms: int) -> SignedGrant:
    """Judge an order; give what is to be remembered before it is signed. Raises PolicyRefused.

    `known` is what was remembered for the order's grant, None where nothing was.
    """
    order = _in_range(asked.grant, asked.order)
    known = _fenced(known, asked.fence)
    if isinstance(order, Open):
        opened = _open(policy, known, asked, order, now_ms)
        return msgspec.structs.replace(opened, fence=max(opened.fence, asked.fence))
    if known is None:
        raise PolicyRefused(
            "grant-unknown", f"this signer has opened no session under grant {asked.grant}"
        )
    session = _session(known, order.index, asked)
    if asked.fence > session.fence:
        session = msgspec.structs.replace(session, fence=asked.fence)
    match order:
        case Tick() | Close():
            return _seconds(policy, known, session, order, now_ms)
        case Fund():
            return _fund(policy, known, session, order)
        case Tip():
            return _tip(policy, known, session, order)
        case Renew():
            return _renew(policy, known, session, order)


def adopt(policy: Policy, known: Known, asked: Adopt, now_ms: int) -> SignedGrant:
    """Take over a session that runs already, if the policy allows it. Raises PolicyRefused.

    Its seconds count as the relayer shows them; from here on they rise with the signer's clock.
    """
    opened = asked.opened
    _in_range(asked.grant, opened)
    known = _fenced(known, asked.fence)
    if not policy.adopt:
        raise PolicyRefused(
            "session-unknown",
            f"session {asked.grant}-{opened.index} was not opened by this signer, and its policy "
            "does not say `adopt = true`",
        )
    if known is not None and any(each.index == opened.index for each in known.sessions):
        return known
    if not 0 <= asked.seconds <= U32_MAX:
        raise PolicyRefused("order-invalid", f"seconds is {asked.seconds}: give 0 to {U32_MAX}")
    grant = _of_grant(policy, known, asked.key, asked.terms, now_ms, renewals=asked.renewals)
    if grant.opened_from is not None and opened.index >= grant.opened_from:
        raise PolicyRefused(
            "session-unknown",
            f"session {asked.grant}-{opened.index} is from this signer's own time, and was not "
            "opened or has been forgotten",
        )
    _check_open(policy, grant, opened)
    session = _fresh(policy, grant, opened, now_ms)
    session = msgspec.structs.replace(session, seconds=asked.seconds)
    grant = msgspec.structs.replace(
        grant,
        highest=max(grant.highest, opened.index),
        adopted_seconds=grant.adopted_seconds + asked.seconds,
        fence=max(grant.fence, asked.fence),
    )
    return _with(policy, grant, session)


# --- single orders -----------------------------------------------------------------------------


def _open(policy: Policy, known: Known, asked: SignOrder, order: Open, now_ms: int) -> SignedGrant:
    if asked.key is None or asked.terms is None:
        raise PolicyRefused(
            "terms-missing", "an open comes with the delegate's key and the grant's terms"
        )
    grant = _of_grant(policy, known, asked.key, asked.terms, now_ms, renewals=asked.renewals)
    _check_open(policy, grant, order)
    if known is None or order.index == grant.highest + 1:
        session = _fresh(policy, grant, order, now_ms)
        own = order.index if grant.opened_from is None else grant.opened_from
        grant = msgspec.structs.replace(grant, highest=order.index, opened_from=own)
    elif order.index > grant.highest:
        raise _jumps(grant, asked.grant, order.index)
    else:
        session = _again(_session(grant, order.index, asked), _fresh(policy, grant, order, now_ms))
    session = msgspec.structs.replace(session, fence=max(session.fence, asked.fence))
    return _reserving(policy, grant, session)


def _check_open(policy: Policy, grant: SignedGrant, order: Open) -> None:
    terms = grant.terms
    if policy.streams is not None and order.stream not in policy.streams:
        raise PolicyRefused(
            "stream-not-allowed", f"stream {order.stream} is not among the policy's streams"
        )
    rate_max = min(terms.rate_max_per_second, policy.of(terms.asset).rate_per_second_max)
    if order.rate_per_second > rate_max:
        raise PolicyRefused(
            "rate-too-high", f"a rate of {order.rate_per_second} a second: at most {rate_max}"
        )
    price, price_max = order.tick_price_max, policy.of(terms.asset).tick_price_max
    if price is not None and price > price_max:
        raise PolicyRefused("tick-price-too-high", f"a tick price of {price}: at most {price_max}")
    if order.start_at >= terms.expires_at:
        raise PolicyRefused("grant-expired", "the session would start when the grant has expired")


def _fresh(policy: Policy, grant: SignedGrant, order: Open, now_ms: int) -> SignedSession:
    return SignedSession(
        index=order.index,
        rate_per_second=order.rate_per_second,
        funds=order.funds,
        seconds_max=(grant.terms.expires_at - order.start_at) // 1000,
        seconds=0,
        opened_ms=now_ms,
        billed_ms=now_ms - policy.head_start_ms,
        asked_ms=now_ms,
    )


def _again(session: SignedSession, other: SignedSession) -> SignedSession:
    """Open an index once more: the ledger takes one of the two orders, so the dearer one counts.

    Seconds and clock stay: whichever of them is in a block, no more can be charged than by one.
    """
    return msgspec.structs.replace(
        session,
        rate_per_second=max(session.rate_per_second, other.rate_per_second),
        funds=max(session.funds, other.funds),
        seconds_max=max(session.seconds_max, other.seconds_max),
        asked_ms=other.asked_ms,
        closed=False,
    )


def _seconds(
    policy: Policy, grant: SignedGrant, session: SignedSession, order: Tick | Close, now_ms: int
) -> SignedGrant:
    closes = isinstance(order, Close)
    if session.closed and not closes:
        raise PolicyRefused("session-closed", "a close was signed for it: no tick comes after")
    if order.seconds < session.seconds:
        raise _falls("seconds", order.seconds, session.seconds)
    if order.seconds > session.seconds_max:
        raise PolicyRefused(
            "grant-expired", f"{order.seconds} s: at most {session.seconds_max} fit before expiry"
        )
    more_ms = (order.seconds - session.seconds) * 1000
    since_ms = max(session.billed_ms, now_ms - grant.terms.gap_ms)
    if more_ms > now_ms - since_ms:
        raise PolicyRefused(
            "ahead-of-clock",
            f"{more_ms // 1000} s more, and {(now_ms - since_ms) / 1000:.1f} s have passed",
        )
    raised = msgspec.structs.replace(
        session,
        seconds=order.seconds,
        billed_ms=since_ms + more_ms if more_ms else session.billed_ms,
        asked_ms=now_ms,
        closed=closes,
    )
    after = _with(policy, grant, raised)
    room_s = (now_ms - grant.first_ms + policy.head_start_ms) * grant.terms.sessions_max // 1000
    if more_ms and after.seconds > room_s:
        raise PolicyRefused(
            "ahead-of-clock",
            f"{after.seconds} s under the whole grant, and its sessions have had {room_s}",
        )
    return after


def _fund(policy: Policy, grant: SignedGrant, session: SignedSession, order: Fund) -> SignedGrant:
    if session.closed:
        raise PolicyRefused("session-closed", "a close was signed for it: no fund comes after")
    if order.funds < session.funds:
        raise _falls("funds", order.funds, session.funds)
    return _reserving(policy, grant, msgspec.structs.replace(session, funds=order.funds))


def _tip(policy: Policy, grant: SignedGrant, session: SignedSession, order: Tip) -> SignedGrant:
    most = min(grant.terms.tips_max, policy.of(grant.terms.asset).tips_max)
    if order.tips < grant.tips:
        raise _falls("tips", order.tips, grant.tips)
    if order.tips > most:
        raise PolicyRefused(
            "beyond-policy", f"tips of {order.tips}: at most {most} (the policy's `tips_max`)"
        )
    return _with(policy, msgspec.structs.replace(grant, tips=order.tips), session)


def _renew(policy: Policy, grant: SignedGrant, session: SignedSession, order: Renew) -> SignedGrant:
    most = min(grant.terms.renewals_max, policy.of(grant.terms.asset).renewals_max)
    if order.renewals < grant.renewals:
        raise _falls("renewals", order.renewals, grant.renewals)
    if order.renewals > most:
        raise PolicyRefused("beyond-policy", f"{order.renewals} renewals: at most {most}")
    if order.renewals > grant.renewals + 1:
        raise PolicyRefused(
            "index-jumps", f"{order.renewals} renewals: at most one more than {grant.renewals}"
        )
    return _with(policy, msgspec.structs.replace(grant, renewals=order.renewals), session)


# --- what they share ---------------------------------------------------------------------------


def _fenced(known: Known, fence: int) -> Known:
    """Hold a lease's number against the highest that was seen for the grant, and remember it."""
    if known is None or fence == known.fence:
        return known
    if fence < known.fence:
        raise PolicyRefused(
            "fence-old",
            f"the grant's viewer was leased with number {known.fence} since: {fence} is another "
            "relayer's, which must stop",
        )
    return msgspec.structs.replace(known, fence=fence)


def _in_range(grant: int, order: Order) -> Order:
    try:
        encode_grant(grant)
        encode_order(order)
    except OrderInvalid as error:
        raise PolicyRefused("order-invalid", str(error)) from None
    return order


def _of_grant(
    policy: Policy, known: Known, key: str, terms: GrantTerms, now_ms: int, *, renewals: int
) -> SignedGrant:
    """Hold what is shown of a grant against what was shown first, or take it as the first."""
    if known is not None:
        if key != known.key:
            raise PolicyRefused("key-differs", "the grant's first session named another key")
        if terms != known.terms:
            raise PolicyRefused("terms-differ", "the grant's first session came with other terms")
        return known
    for name, value, most in (
        ("sessions_max", terms.sessions_max, policy.sessions_max),
        ("gap_ms", terms.gap_ms, policy.gap_ms_max),
    ):
        if not 1 <= value <= most:
            raise PolicyRefused("beyond-policy", f"{name} is {value}: 1 to {most}")
    for name in ("rate_max_per_second", "cap", "tips_max", "expires_at", "renewals_max"):
        if not 0 <= getattr(terms, name) <= U128_MAX:
            raise PolicyRefused("beyond-policy", f"{name} is out of its range")
    return SignedGrant(
        key=key, terms=terms, first_ms=now_ms, highest=-1, sessions=(), renewals=max(0, renewals)
    )


def _session(grant: SignedGrant, index: int, asked: SignOrder) -> SignedSession:
    for session in grant.sessions:
        if session.index == index:
            if asked.fence < session.fence:
                raise PolicyRefused(
                    "fence-old",
                    f"the session was leased with number {session.fence} since: {asked.fence} is "
                    "another relayer's, which must stop",
                )
            return session
    raise PolicyRefused(
        "session-unknown", f"session {asked.grant}-{index} was not opened by this signer"
    )


def _with(policy: Policy, grant: SignedGrant, session: SignedSession) -> SignedGrant:
    """Put a session into its grant, and hold the whole against the cap. Raises PolicyRefused."""
    others = tuple(each for each in grant.sessions if each.index != session.index)
    after = _forgetting(msgspec.structs.replace(grant, sessions=(*others, session)))
    terms = grant.terms
    cap = min(terms.cap, policy.of(terms.asset).cap_max)
    charged = after.charged
    if charged > cap:
        raise PolicyRefused("beyond-cap", f"charges of {charged} under the grant: at most {cap}")
    return after


def _reserving(policy: Policy, grant: SignedGrant, session: SignedSession) -> SignedGrant:
    """Put a session with new funds into its grant. Raises PolicyRefused."""
    after = _with(policy, grant, session)
    cap = min(grant.terms.cap, policy.of(grant.terms.asset).cap_max)
    others = after.charged - session.charged
    if others + session.funds > cap:
        raise PolicyRefused(
            "beyond-cap",
            f"funds of {session.funds} beside charges of {others}: together at most {cap}",
        )
    return after


def _forgetting(grant: SignedGrant) -> SignedGrant:
    """Sum up the sessions that can no longer be asked for, so that a grant's record stays small.

    Of the open ones there are at most as many as the grant has slots, and a few that no block took.
    """
    sessions = grant.sessions
    closed = [each for each in sessions[:-1] if each.closed]
    live = [each for each in sessions[:-1] if not each.closed]
    gone = sorted(closed, key=lambda each: each.index)[: max(0, len(closed) - CLOSED_KEPT)]
    live_max = grant.terms.sessions_max + LIVE_SLACK
    gone += sorted(live, key=lambda each: each.asked_ms)[: max(0, len(live) - live_max)]
    if not gone:
        return grant
    indices = {each.index for each in gone}
    return msgspec.structs.replace(
        grant,
        sessions=tuple(each for each in sessions if each.index not in indices),
        past_seconds=grant.past_seconds + sum(each.seconds for each in gone),
        past_charged=grant.past_charged + sum(each.charged for each in gone),
    )


def _falls(what: str, total: int, before: int) -> PolicyRefused:
    return PolicyRefused("totals-fall", f"{what} of {total}: {before} were signed before", before)


def _jumps(grant: SignedGrant, number: int, index: int) -> PolicyRefused:
    return PolicyRefused(
        "index-jumps",
        f"session {number}-{index}: the next one is {number}-{grant.highest + 1}",
    )
