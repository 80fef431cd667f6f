"""What a viewer has and lacks to watch a stream, and the terms that say what to sign for it.

What is free of vault, cap and slots is read beside what the relayer has reserved of them. The terms
suggest a grant for an hour, and a deposit that the account can pay.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import trio

from offchain.ledger.errors import LedgerError
from offchain.ledger.outlay import Outlay, Reckoning, grant_deposit, least_deposit
from offchain.ledger.types import Asset, DelegateKey, Grant, Stream, Subscription, Terms, Tier
from offchain.relayer import cadence, funds
from offchain.relayer.chain import bounded
from offchain.relayer.core import Core
from offchain.relayer.delegates import Delegates
from offchain.relayer.live_session import LiveSession
from offchain.relayer.pacing import Pacing
from offchain.relayer.places import Place
from offchain.relayer.problems import chain_unavailable, stream_not_found
from offchain.relayer.wallet_money import asset_json, needs_json, nothing_to_pay, reckoned
from streaming.session_state import SessionRef

SUGGESTED_SECONDS: Final = 3_600
SUGGESTED_GAP_MS: Final = 120_000
SUGGESTED_SESSIONS_MAX: Final = 1
GRANT_LASTS_MS: Final = 30 * 86_400_000
GAP_SLACK_MS: Final = 60_000
PERIOD_MARGIN_MS: Final = 20_000
"""So long before the last paid period ends, sessions are opened at the full rate already: the order
may take a while to its block, and no longer fits after the end."""


class Returning(msgspec.Struct, frozen=True, kw_only=True):
    """What closing sessions of a viewer still hold and give back: `amount` of the stream's asset.

    `suffices` says that with it nothing is missing any more, so that waiting is all it takes.
    """

    amount: int
    suffices: bool


class Standing(msgspec.Struct, kw_only=True):
    """What a viewer has on the chain for one stream.

    `rate_per_second` is what a session costs this viewer now, `tick_price` what the operator takes
    beside it; `subscription` is a running one, whose discount is in the rate. Of the relayer's
    `grants`, `chosen` is the one that lacks least, None where there is none; `missing` names what
    it lacks (`rate`, `cap`, `gap`, `slot`; `grant` for all of it) and whether the vault has too
    little (`funds`). With nothing missing, the viewer may watch.
    """

    stream: Stream
    rate_per_second: int
    tick_price: int
    subscription: Subscription | None
    vault: int
    free_balance: int
    grants: dict[int, Grant]
    chosen: int | None
    missing: list[str]
    returning: Returning


class Quotes:
    """Tells viewers what watching a stream takes, beside what they have."""

    def __init__(self, core: Core, delegates: Delegates, pacing: Pacing) -> None:
        self._core = core
        self._delegates = delegates
        self._pacing = pacing

    # --- what a viewer has and lacks -------------------------------------------------------

    async def stream(self, stream: int) -> Stream:
        """Read a stream. Raises Refused."""
        if stream < 0 or stream >= 2**63:
            raise stream_not_found(stream)
        try:
            found = await bounded(self._core.chain.stream(stream))
        except LedgerError:
            raise chain_unavailable() from None
        if found is None:
            raise stream_not_found(stream)
        return found

    async def standing(
        self, viewer: str, stream: int, *, watching: bool, place: Place | None = None
    ) -> Standing:
        """Read what a viewer has and what is missing to watch a stream. Raises Refused.

        What is kept for the admission at `place` is there for it. The account's own balance is
        read where nobody is `watching` yet, and 0 elsewhere.
        """
        core = self._core
        entry = await self.stream(stream)
        asset = entry.asset
        try:
            taken = await bounded(core.chain.asset_entry(asset))
            grants = await bounded(core.chain.grants_of(viewer))
            vault = await bounded(core.chain.vault(viewer, asset=asset))
            subscription = await self._running(viewer, stream, entry)
            free_balance = 0
            if not watching:
                free_balance = await bounded(core.chain.balance(viewer, asset=asset))
        except LedgerError:
            raise chain_unavailable() from None
        rate = entry.rate_per_second
        if subscription is not None:
            rate = subscription.tier.discounted(rate)
        ours = self._usable(viewer, grants, asset)
        lacks = {
            number: self._lacks(number, grant, entry, rate, place) for number, grant in ours.items()
        }
        chosen = min(lacks, key=lambda number: (len(lacks[number]), -number), default=None)
        missing = ["grant"] if chosen is None else lacks[chosen]
        free = vault - funds.waiting(core, viewer, asset, but=place)
        short_by = cadence.least_funds(rate, entry.funds_min) - free
        if short_by > 0:
            missing = ["funds", *missing]
        by_grant = funds.returning(core, viewer, asset)
        back = sum(by_grant.values())
        suffices = bool(missing) and back >= short_by
        if missing and back:
            core.book.hurry(viewer)
        return Standing(
            stream=entry,
            rate_per_second=rate,
            tick_price=0 if taken is None else taken.tick_price,
            subscription=subscription,
            vault=vault,
            free_balance=free_balance,
            grants=ours,
            chosen=chosen,
            missing=missing,
            returning=Returning(
                amount=back,
                suffices=suffices and self._will_do(ours, by_grant, entry, rate, place),
            ),
        )

    def _usable(self, viewer: str, grants: dict[int, Grant], asset: Asset) -> dict[int, Grant]:
        """Pick the grants of an asset that are given to the relayer and have not ended."""
        return {
            number: grant
            for number, grant in grants.items()
            if self._delegates.is_ours(viewer, grant.key.public)
            and grant.ended_at > self._core.view.best_ms
            and grant.asset == asset
        }

    async def _running(self, viewer: str, stream: int, entry: Stream) -> Subscription | None:
        """Read a viewer's subscription, if it runs for long enough to open a session under it."""
        if entry.subscriptions_open == 0:
            return None
        found = await bounded(self._core.chain.subscription(stream, viewer))
        if found is None or entry.status == "Ended":
            return None
        soon_ms = self._core.view.estimated_ms() + PERIOD_MARGIN_MS
        return found if soon_ms < found.paid_until else None

    def _lacks(
        self, number: int, grant: Grant, stream: Stream, rate: int, place: Place | None
    ) -> list[str]:
        """List what a grant lacks for a session at `rate` a second."""
        core = self._core
        lacks = []
        if grant.rate_max_per_second < rate:
            lacks.append("rate")
        cap = grant.cap_left - funds.waiting(core, grant.viewer, stream.asset, number, but=place)
        if cap < cadence.least_funds(rate, stream.funds_min):
            lacks.append("cap")
        if grant.gap_ms < max(stream.gap_min_ms, 2 * core.cadence_ms):
            lacks.append("gap")
        taken = self._held(number, grant) + self._pacing.ahead(number, grant, place)
        if taken >= grant.sessions_max:
            lacks.append("slot")
        return lacks

    def _will_do(
        self,
        grants: dict[int, Grant],
        back: dict[int, int],
        stream: Stream,
        rate: int,
        place: Place | None,
    ) -> bool:
        """Tell whether one of the grants lacks nothing, once `back` (by grant) is in its cap."""
        return any(
            not self._lacks(
                number,
                msgspec.structs.replace(grant, cap_left=grant.cap_left + back.get(number, 0)),
                stream,
                rate,
                place,
            )
            for number, grant in grants.items()
        )

    def _held(self, number: int, grant: Grant) -> int:
        """Count the slots that are taken for longer than until a session that ends is closed."""
        now = trio.current_time()
        held = 0
        own = self._core.book.of_grant(number)
        unsettled = self._unsettled(number, grant)
        for session in own:
            if session.done:
                continue
            if session in unsettled:
                held += 1
                continue
            waiting = session.idle_since is not None and not session.live
            if session.ending or session.deny is not None or self._core.view.is_gone(session.ref):
                continue
            if waiting and not self._core.book.awaits_admitted(session, now):
                if session.connections:
                    continue  # its viewer has gone, and whoever asks now takes its place
                if now - (session.idle_since or now) > 15:
                    continue
            held += 1
        ours = {session.record.index for session in own}
        strangers = sum(index not in ours for index in grant.open)
        return held + strangers

    def _unsettled(self, number: int, grant: Grant) -> list[LiveSession]:
        """List what holds slots of a grant until somebody settles it: no close is taken any more.

        An open behind it would wait in the pool for a block that nobody brings about.
        """
        core = self._core
        return [
            session
            for session in core.book.of_grant(number)
            if session.record.index in grant.open and core.is_past_window(session)
        ]

    def waits_for_settlement(self, standing: Standing, place: Place | None) -> SessionRef | None:
        """Name a session whose settlement is all that a grant's slots wait for, if there is one."""
        number = standing.chosen
        if number is None or "slot" not in standing.missing or not may_return(standing.missing):
            return None
        grant = standing.grants[number]
        unsettled = self._unsettled(number, grant)
        taken = self._held(number, grant) + self._pacing.ahead(number, grant, place)
        return unsettled[0].ref if taken - len(unsettled) < grant.sessions_max else None

    # --- terms -----------------------------------------------------------------------------

    async def terms(self, viewer: str, stream: int) -> dict[str, Any]:
        """Give the terms on which a viewer may watch a stream. Raises Refused."""
        core = self._core
        standing = await self.standing(viewer, stream, watching=False)
        entry = standing.stream
        public = await self._delegates.current(viewer)
        chosen = standing.grants.get(standing.chosen) if standing.chosen is not None else None
        if chosen is not None:
            public = chosen.key.public
        proof = await self._delegates.proof(viewer, public)
        suggestion = self._suggestion(entry, standing)
        key = DelegateKey(scheme="sr25519", public=public)
        reckoning = await self._reckoned(standing, viewer, suggestion, key, proof[1:])
        try:
            currency = await core.currency(entry.asset)
        except LedgerError:
            raise chain_unavailable() from None
        return {
            "genesis_hash": core.chain.genesis_hash,
            "stream": stream,
            "owner": entry.owner,
            **asset_json(currency),
            "rate_per_second": str(standing.rate_per_second),
            "full_rate_per_second": str(entry.rate_per_second),
            "tick_price": str(standing.tick_price),
            "subscription": _subscription_json(standing.subscription),
            "viewer": viewer,
            "delegate": "0x" + public.hex(),
            "proof": "0x" + proof.hex(),
            "vault": str(standing.vault),
            "free_balance": str(standing.free_balance),
            "grant": None if chosen is None else _grant_json(standing.chosen, chosen),
            "missing": standing.missing,
            "returning_soon": {
                "amount": str(standing.returning.amount),
                "suffices": standing.returning.suffices,
            },
            **_needs_json(suggestion, reckoning),
            "payable": not standing.missing and entry.status == "Active",
        }

    def _suggestion(self, stream: Stream, standing: Standing) -> Terms:
        """Suggest a grant for an hour of the stream."""
        price = cadence.cost(
            SUGGESTED_SECONDS, stream.rate_per_second, standing.tick_price, self._core.cadence_ms
        )
        hour = max(price, stream.funds_min)
        gap_ms = max(SUGGESTED_GAP_MS, stream.gap_min_ms, 2 * self._core.cadence_ms + GAP_SLACK_MS)
        return Terms(
            rate_max_per_second=stream.rate_per_second,
            cap=hour,
            sessions_max=SUGGESTED_SESSIONS_MAX,
            gap_ms=min(gap_ms, self._core.limits.gap_max_ms),
            expires_at=self._core.view.estimated_ms() + GRANT_LASTS_MS,
            asset=stream.asset,
        )

    async def _reckoned(
        self, standing: Standing, viewer: str, terms: Terms, key: DelegateKey, proof: bytes
    ) -> Reckoning:
        """Choose a deposit that the account can pay: an hour, or all it has, if that is enough.

        Where it cannot pay the least that lets it watch, that least is named, and what it lacks.
        """
        core = self._core
        calls, limits, asset = core.chain.calls, core.limits, terms.asset
        is_granted = standing.chosen is not None and {"funds", "slot"} >= set(standing.missing)
        held = 0 if is_granted else grant_deposit(limits, terms.sessions_max)
        smallest = await self._smallest_deposit(standing)

        async def of(deposit: int) -> Reckoning:
            if is_granted and not deposit:
                return await nothing_to_pay(core.chain, viewer, asset)
            if is_granted:
                call = calls.deposit(deposit, asset)
            elif deposit:
                call = calls.deposit_and_grant(deposit, key, proof, terms)
            else:
                call = calls.grant(key, proof, terms)
            outlay = Outlay(asset=asset, deposit=deposit, storage_deposit=held, least=smallest)
            return await reckoned(core.chain, viewer, call, outlay)

        free = standing.vault - funds.waiting(core, viewer, asset)
        lacking = cadence.least_funds(standing.rate_per_second, standing.stream.funds_min) - free
        least = max(lacking, smallest) if lacking > 0 else 0
        wanted = max(0, terms.cap - standing.vault, least)
        if 0 < wanted < smallest:
            wanted = smallest
        first = await of(wanted)
        deposit = suggested_deposit(wanted, least, smallest, first.deposit_max)
        return first.with_deposit(deposit) if deposit or not wanted else await of(0)

    async def _smallest_deposit(self, standing: Standing) -> int:
        try:
            currency = await self._core.currency(standing.stream.asset)
        except LedgerError:
            raise chain_unavailable() from None
        return least_deposit(standing.vault, currency.minimum)


def suggested_deposit(wanted: int, least: int, smallest: int, deposit_max: int) -> int:
    """Choose a deposit: what is wanted, or all that can be paid, or the least there is.

    `least` is what lets a viewer watch, 0 where the vault has that already; `smallest` is what the
    ledger takes of any deposit.
    """
    if wanted <= deposit_max:
        return wanted
    return deposit_max if deposit_max >= max(least, smallest) else least


def _needs_json(suggestion: Terms, reckoning: Reckoning) -> dict[str, Any]:
    described = needs_json(reckoning)
    described["needs"] |= {
        "cap": str(suggestion.cap),
        "rate_max_per_second": str(suggestion.rate_max_per_second),
        "sessions_max": suggestion.sessions_max,
        "gap_ms": suggestion.gap_ms,
    }
    return described


def _grant_json(number: int | None, grant: Grant) -> dict[str, Any]:
    return {
        "id": number,
        "cap_left": str(grant.cap_left),
        "rate_max_per_second": str(grant.rate_max_per_second),
        "expires_at": grant.expires_at,
        "sessions_max": grant.sessions_max,
        "sessions_open": len(grant.open),
        "tips_left": str(grant.tips_left),
        "renewals_left": grant.renewals_left,
    }


def _subscription_json(subscription: Subscription | None) -> dict[str, Any] | None:
    if subscription is None:
        return None
    return {
        **tier_json(subscription.tier),
        "started_at": subscription.started_at,
        "periods": subscription.periods,
        "paid_until": subscription.paid_until,
    }


def tier_json(tier: Tier) -> dict[str, Any]:
    """Describe a tier in JSON."""
    return {
        "price": str(tier.price),
        "period_ms": tier.period_ms,
        "discount_ppm": tier.discount,
    }


def may_return(missing: list[str]) -> bool:
    """Tell whether all that is missing comes back with the end of sessions."""
    return set(missing) <= {"slot", "funds", "cap"}
