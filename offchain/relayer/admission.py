"""Who may watch, on which terms, and the durable reservation that lets the media start.

The relayer sees every join under its grants, so it reserves slot, cap and vault itself: in the
journal first, then with the open order, and the media starts when the pool has accepted that.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import trio

from offchain.journal import JournalError, JournalUnavailable, put_session
from offchain.journal_schema import SessionRecord, TokenRecord
from offchain.keys.keystore import KeystoreError
from offchain.ledger.errors import LaneFull, LedgerError, OrderRefused
from offchain.ledger.outlay import Outlay, Reckoning, grant_deposit, least_deposit
from offchain.ledger.types import (
    Asset,
    Currency,
    DelegateKey,
    Grant,
    Stream,
    Subscription,
    Terms,
    Tier,
)
from offchain.relayer import cadence
from offchain.relayer.budget import CAPACITY_MS
from offchain.relayer.chain import Interest, bounded
from offchain.relayer.core import Core
from offchain.relayer.delegates import Delegates
from offchain.relayer.problems import (
    Refused,
    chain_unavailable,
    journal_unavailable,
    stream_not_found,
)
from offchain.relayer.sessions import LiveSession, digest
from offchain.relayer.submit import Submitter, open_order
from offchain.relayer.wallet_money import needs_json, nothing_to_pay, reckoned
from streaming.session_state import LEASE_MS, SessionRef

log = logging.getLogger("paystream.relay.admission")

SESSIONS_MAX: Final = 2_000
SUGGESTED_SECONDS: Final = 3_600
SUGGESTED_GAP_MS: Final = 120_000
SUGGESTED_SESSIONS_MAX: Final = 1
GRANT_LASTS_MS: Final = 30 * 86_400_000
GAP_SLACK_MS: Final = 60_000
PERIOD_MARGIN_MS: Final = 20_000
"""So long before the last paid period ends, sessions are opened at the full rate already: the order
may take a while to its block, and no longer fits after the end."""
_WAITS: Final = frozenset({"OpenTooSoon", "SlotsTaken", "IndexNotNext"})
"""Refusals of an open that pass by themselves within the head start."""


class Standing(msgspec.Struct, kw_only=True):
    """What a viewer has on the chain for one stream.

    `rate_per_second` is what a session costs this viewer now, `tick_price` what the operator takes
    beside it; `subscription` is a running one, whose discount is in the rate.
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


class Admission:
    """Terms, admission and re-attachment."""

    def __init__(self, core: Core, delegates: Delegates, submitter: Submitter) -> None:
        self._core = core
        self._delegates = delegates
        self._submitter = submitter
        self._turns: dict[str, trio.Lock] = {}

    # --- terms -----------------------------------------------------------------------------

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

    async def standing(self, viewer: str, stream: int, *, watching: bool) -> Standing:
        """Read what a viewer has and what is missing to watch a stream. Raises Refused."""
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
        ours = {
            number: grant
            for number, grant in grants.items()
            if self._delegates.is_ours(viewer, grant.key.public)
            and grant.ended_at > core.view.best_ms
            and grant.asset == entry.asset
        }
        lacks = {number: self._lacks(number, grant, entry, rate) for number, grant in ours.items()}
        chosen = min(lacks, key=lambda number: (len(lacks[number]), -number), default=None)
        missing = ["grant"] if chosen is None else lacks[chosen]
        free = vault - core.waiting_funds(viewer, asset)
        if free < cadence.least_funds(rate, entry.funds_min):
            missing = ["funds", *missing]
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
        )

    async def _running(self, viewer: str, stream: int, entry: Stream) -> Subscription | None:
        """Read a viewer's subscription, if it runs for long enough to open a session under it."""
        if entry.subscriptions_open == 0:
            return None
        found = await bounded(self._core.chain.subscription(stream, viewer))
        if found is None or entry.status == "Ended":
            return None
        soon_ms = self._core.view.estimated_ms() + PERIOD_MARGIN_MS
        return found if soon_ms < found.paid_until else None

    def _lacks(self, number: int, grant: Grant, stream: Stream, rate: int) -> list[str]:
        core = self._core
        lacks = []
        if grant.rate_max_per_second < rate:
            lacks.append("rate")
        cap = grant.cap_left - core.waiting_funds(grant.viewer, stream.asset, number)
        if cap < cadence.least_funds(rate, stream.funds_min):
            lacks.append("cap")
        if grant.gap_ms < max(stream.gap_min_ms, 2 * core.cadence_ms):
            lacks.append("gap")
        if not self._slot(number, grant):
            lacks.append("slot")
        return lacks

    def _slot(self, number: int, grant: Grant) -> bool:
        """Tell whether a session can be opened now or as soon as one that ends is closed."""
        now = trio.current_time()
        held = 0
        for session in self._core.book:
            if session.record.grant != number or session.done:
                continue
            waiting = session.idle_since is not None and not session.live
            if session.ending or session.deny is not None or session.gone_block is not None:
                continue
            if waiting and session.connections:
                continue  # its viewer has gone, and whoever asks now takes its place
            if waiting and now - (session.idle_since or now) > 15:
                continue
            held += 1
        ours = {session.record.index for session in self._core.book
                if session.record.grant == number}  # fmt: skip
        strangers = sum(index not in ours for index in grant.open)
        return held + strangers < grant.sessions_max

    async def terms(self, token: TokenRecord, stream: int) -> dict[str, Any]:
        """Give the terms on which a viewer may watch a stream. Raises Refused."""
        viewer, core = token.account, self._core
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

        free = standing.vault - core.waiting_funds(viewer, asset)
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

    # --- admission ---------------------------------------------------------------------------

    async def admit(
        self, token: TokenRecord, stream: int, resume: str | None, *, renew: bool = False
    ) -> dict[str, Any]:
        """Let a viewer watch: re-attach, or reserve, journal, sign and open. Raises Refused.

        `renew` is the viewer's wish that a running subscription be renewed, as far as the grant
        allows renewals.
        """
        lock = self._turns.setdefault(token.account, trio.Lock())
        async with lock:
            return await self._admit(token, stream, resume, renew=renew)

    async def _admit(
        self, token: TokenRecord, stream: int, resume: str | None, *, renew: bool
    ) -> dict[str, Any]:
        core = self._core
        if not core.journal.healthy:
            raise journal_unavailable()
        resumed = self._resumable(token, stream, resume)
        if resumed is None:
            resumed = core.book.orphan(token.account, stream, trio.current_time())
        if resumed is not None:
            return await self._attach(resumed, token)
        if not core.view.usable:
            raise chain_unavailable()
        if len(core.book.sessions) >= SESSIONS_MAX:
            raise Refused(503, "full", f"{SESSIONS_MAX} sessions are open here: try again later")
        standing = await self.standing(token.account, stream, watching=True)
        _check_open(stream, standing.stream)
        self._check_budget(token.account)
        if "slot" in standing.missing and set(standing.missing) <= {"slot", "funds", "cap"}:
            raise Refused(
                409,
                "slot-taken",
                "every session that this grant allows at a time is watching: stop one, resume it "
                "with its secret, or grant more sessions",
            )
        if standing.missing:
            raise await self._payment_required(token, stream, standing.missing)
        number = standing.chosen
        if number is None:
            raise chain_unavailable()
        return await self._open(token, stream, number, standing, renew=renew)

    def _check_budget(self, viewer: str) -> None:
        core = self._core
        wait_s = core.book.budget_wait_s(viewer, core.unix_ms(), core.settled())
        if wait_s > 0:
            raise Refused(
                429,
                "budget-spent",
                f"{CAPACITY_MS // 1000} s were watched that no block has charged, and more is not "
                f"given in advance: ask again in {wait_s} s (what a block charges frees it sooner; "
                "what can no longer be charged comes back by 1 s a minute)",
                retry_after_s=wait_s,
            )

    async def _payment_required(
        self, token: TokenRecord, stream: int, missing: list[str]
    ) -> Refused:
        words = {
            "funds": "the vault has too little: deposit",
            "grant": "the relayer's key has no grant: give one",
            "rate": "the grant's highest rate is below the stream's: give a new grant",
            "cap": "the grant's cap is used up: give a new grant",
            "gap": "the grant's gap is below what the stream asks: give a new grant",
            "slot": "every session of the grant is in use: grant more sessions",
        }
        terms = await self.terms(token, stream)
        detail = "; ".join(words[what] for what in missing)
        if (terms["short_by"], terms["asset_short_by"]) != ("0", "0"):
            detail += ". The account cannot pay that: `short_by` says what to send it first"
        return Refused(402, "payment-required", detail, terms=terms)

    def _resumable(self, token: TokenRecord, stream: int, resume: str | None) -> LiveSession | None:
        if not resume or len(resume) > 128:
            return None
        known, now = digest(resume), trio.current_time()
        for session in self._core.book:
            record = session.record
            if secrets.compare_digest(record.resume_digest, known):
                fits = record.viewer == token.account and record.stream == stream
                return session if fits and self._core.book.may_resume(session, now) else None
        return None

    async def _attach(self, session: LiveSession, token: TokenRecord) -> dict[str, Any]:
        secret = secrets.token_urlsafe(24)
        before = session.record
        session.change(
            number=before.number + 1, resume_digest=digest(secret), token_digest=token.digest
        )
        session.idle_since = trio.current_time()
        try:
            await self._core.journal.commit([put_session(session.record)])
        except JournalUnavailable:
            session.change(
                number=before.number,
                resume_digest=before.resume_digest,
                token_digest=before.token_digest,
            )
            raise journal_unavailable() from None
        log.info("event=session-resumed session=%s number=%d", session.ref, session.record.number)
        return _answer(session, secret, resumed=True)

    async def follow(
        self,
        token: TokenRecord,
        stream: int,
        place: Callable[[SessionRecord], Awaitable[None]],
    ) -> None:
        """Reserve another session for a viewer who is there, and have it placed. Raises Refused."""
        async with self._turns.setdefault(token.account, trio.Lock()):
            standing = await self.standing(token.account, stream, watching=True)
            _check_open(stream, standing.stream)
            self._check_budget(token.account)
            if standing.missing or standing.chosen is None:
                raise Refused(402, "payment-required", ", ".join(standing.missing))
            record, _ = self._reserve(token, stream, standing.chosen, standing)
            await place(record)

    async def _open(
        self,
        token: TokenRecord,
        stream: int,
        number: int,
        standing: Standing,
        *,
        renew: bool,
    ) -> dict[str, Any]:
        core = self._core
        record, secret = self._reserve(token, stream, number, standing)
        record = msgspec.structs.replace(record, renew=renew)
        session = LiveSession(record, trio.current_time())
        try:
            await core.journal.commit([put_session(record)])
        except JournalUnavailable:
            raise journal_unavailable() from None
        abandoned = core.book.sessions.get(session.ref)
        if abandoned is not None:
            core.book.charge(token.account, abandoned.delivered_ms, core.unix_ms())
        core.book.add(session)
        session.busy.add("0")
        try:
            await self._look(session)
            await self._offer(session)
        finally:
            session.busy.discard("0")
        log.info("event=session-admitted session=%s stream=%d", session.ref, stream)
        return _answer(session, secret, resumed=False)

    def _reserve(
        self,
        token: TokenRecord,
        stream: int,
        number: int,
        standing: Standing,
    ) -> tuple[SessionRecord, str]:
        core, entry, grant = self._core, standing.stream, standing.grants[number]
        self._free_slots(number, grant)
        waiting = [
            session
            for session in core.book
            if session.record.grant == number
            and session.record.phase == "opening"
            and session.record.index >= grant.next_index
            and session.deny is None
            and not session.ending
        ]
        index = grant.next_index + len(waiting)
        viewer, asset = token.account, entry.asset
        funds = cadence.opening_funds(
            rate_per_second=standing.rate_per_second,
            funds_min=entry.funds_min,
            vault=standing.vault - core.waiting_funds(viewer, asset),
            cap_left=grant.cap_left - core.waiting_funds(viewer, asset, number),
            slots_left=max(1, grant.sessions_max - len(grant.open) - len(waiting)),
            tick_price=standing.tick_price,
            cadence_ms=core.cadence_ms,
        )
        earlier = core.book.sessions.get(SessionRef(number, index))
        past = earlier.record if earlier is not None else core.journal.session(number, index)
        last_number = past.number if past is not None else 0
        secret = secrets.token_urlsafe(24)
        record = SessionRecord(
            grant=number,
            index=index,
            viewer=token.account,
            delegate=grant.key.public,
            stream=stream,
            rate_per_second=standing.rate_per_second,
            funds=funds,
            start_at=core.view.best_ms,
            admitted_at_ms=core.unix_ms(),
            phase="opening",
            number=last_number + 1,
            finished_number=last_number,
            resume_digest=digest(secret),
            token_digest=token.digest,
            asset=asset,
            tick_price=standing.tick_price,
            # a discount that comes to nothing binds no session to its period
            discounted=standing.rate_per_second < entry.rate_per_second,
        )
        return record, secret

    def _free_slots(self, number: int, grant: Grant) -> None:
        """Close what nobody watches any more when its slot is needed."""
        core, now = self._core, trio.current_time()
        held = [
            session
            for session in core.book
            if session.record.grant == number and not session.done and not session.ending
        ]
        for session in held:
            if len(held) < grant.sessions_max:
                return
            if session.connections and not session.live:
                session.end("left", now)
                held = [other for other in held if other is not session]
                core.submit_bell.ring()

    async def _look(self, session: LiveSession) -> None:
        wanted = Interest()
        wanted.sessions.add(session.ref)
        wanted.grants.add(session.record.grant)
        wanted.streams.add(session.record.stream)
        wanted.vaults.add((session.record.viewer, session.record.asset))
        try:
            await self._core.view.refresh(wanted)
        except LedgerError:
            self._give_up(session)
            raise chain_unavailable() from None

    async def _offer(self, session: LiveSession) -> None:
        """Send the open order and wait for the pool, unless the ledger must get ready first."""
        if self._submitter.opening(session, trio.current_time()) is None:
            self._core.submit_bell.ring()
            return
        try:
            await self._submitter.send(session, open_order(session))
        except LaneFull:
            return  # the next block has room again, within the head start
        except OrderRefused as error:
            if error.name in _WAITS:
                return
            self._give_up(session)
            raise Refused(
                409, "open-refused", f"the chain did not take the session: {error}"
            ) from None
        except (JournalError, KeystoreError):
            self._give_up(session)
            raise journal_unavailable() from None
        except LedgerError:
            self._give_up(session)
            raise chain_unavailable() from None

    def _give_up(self, session: LiveSession) -> None:
        """Keep it only to close it, should the pool have it after all."""
        session.deny = "open-refused"
        session.end("open-refused", trio.current_time())
        self._core.journal_bell.ring()


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


def _check_open(stream: int, entry: Stream) -> None:
    if entry.status == "Ended":
        raise Refused(410, "stream-ended", f"stream {stream} has ended for good", field="stream")
    if entry.status == "Paused":
        raise Refused(
            409,
            "stream-paused",
            f"stream {stream} is paused by its owner: try again later",
            field="stream",
        )


def _answer(session: LiveSession, secret: str, *, resumed: bool) -> dict[str, Any]:
    record = session.record
    return {
        "session": {"grant": record.grant, "index": record.index},
        "number": record.number,
        "resume": secret,
        "rate_per_second": str(record.rate_per_second),
        "asset": asset_name(record.asset),
        "lease_ms": LEASE_MS,
        "resumed": resumed,
    }


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


def asset_json(currency: Currency) -> dict[str, Any]:
    """Name an asset in JSON, and say how its amounts are written."""
    return {
        "asset": asset_name(currency.asset),
        "symbol": currency.symbol,
        "decimals": currency.decimals,
    }


def asset_name(asset: Asset) -> str:
    """Name an asset in JSON."""
    return "native" if asset is None else str(asset)
