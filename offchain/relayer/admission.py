"""Who may watch: decides whether a viewer goes on, waits, pays first, or has a session opened.

The relayer sees every join under its grants, so it reserves slot, cap and vault itself
(`opening.py`), beside what the chain says a viewer has and lacks (`terms.py`).
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from offchain.amounts import asset_name
from offchain.journal.records import SessionRecord, TokenRecord
from offchain.ledger.types import Stream
from offchain.relayer import credit
from offchain.relayer.core import Core
from offchain.relayer.delegates import Delegates
from offchain.relayer.live_session import LiveSession
from offchain.relayer.opening import Opening
from offchain.relayer.pacing import Early, Pacing
from offchain.relayer.places import Place
from offchain.relayer.problems import Refused, chain_unavailable, journal_unavailable
from offchain.relayer.resuming import Resuming
from offchain.relayer.submit import Submitter
from offchain.relayer.terms import Quotes, Standing, may_return
from offchain.relayer.turns import Turns
from streaming.session_state import SessionRef

log = logging.getLogger("paystream.relay.admission")

ORDERS_PER_SECOND_MAX: Final = 2_000
"""So many ticks, with their reports and blocks, take one core (`docs/benchmarks.md`)."""
SETTLED_WAIT_S: Final = 10
"""When to ask again whether the relayer has settled a session: it looks each 5 s, and a block."""
RETURNS_WITHIN_S: Final = 2
"""When to ask again whether a close is in a block: a block's time."""


def sessions_max(cadence_ms: int) -> int:
    """Tell how many sessions one process carries at a cadence: 12,000 at 6 s, 60,000 at 30 s."""
    return ORDERS_PER_SECOND_MAX * cadence_ms // 1000


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a viewer was told that a stream costs, in the smallest unit; None: they were not."""

    rate_per_second: int | None = None
    tick_price: int | None = None
    """What the operator takes for each tick."""

    def less_than(self, standing: Standing) -> bool:
        """Tell whether the stream costs this viewer more by now."""
        rate, price = self.rate_per_second, self.tick_price
        is_dearer = rate is not None and standing.rate_per_second > rate
        return is_dearer or (price is not None and standing.tick_price > price)


class Admission:
    """Terms, admission and re-attachment."""

    def __init__(self, core: Core, delegates: Delegates, submitter: Submitter) -> None:
        self._core = core
        self._turns = Turns()
        self._pacing = Pacing(core)
        self._quotes = Quotes(core, delegates, self._pacing)
        self._opening = Opening(core, submitter, self._pacing)
        self._resuming = Resuming(core)

    async def stream(self, stream: int) -> Stream:
        """Read a stream. Raises Refused."""
        return await self._quotes.stream(stream)

    async def terms(self, token: TokenRecord, stream: int) -> dict[str, Any]:
        """Give the terms on which a viewer may watch a stream. Raises Refused."""
        return await self._quotes.terms(token.account, stream)

    async def admit(
        self,
        token: TokenRecord,
        stream: int,
        resume: str | None,
        *,
        renew: bool = False,
        told: Told | None = None,
    ) -> dict[str, Any]:
        """Let a viewer watch: re-attach, or reserve, journal, sign and open. Raises Refused.

        `renew` is the viewer's wish that a running subscription be renewed, as far as the grant
        allows renewals. `told` is what the viewer was told of the price.
        """
        told = told or Told()
        ask = functools.partial(self._ask, token, stream, resume, renew=renew, told=told)
        answer = await ask(None)
        if not isinstance(answer, Early):
            return answer
        with self._pacing.enter(answer) as place:
            while isinstance(answer, Early):
                await self._pacing.turn(place, answer)
                answer = await ask(place)
        return answer

    async def follow(
        self,
        token: TokenRecord,
        stream: int,
        place: Callable[[SessionRecord], Awaitable[None]],
    ) -> None:
        """Reserve another session for a viewer who is there, and have it placed. Raises Refused."""
        async with self._turns.of(token.account):
            with self._core.tenure.using(token.account):
                await self._follow(token, stream, place)

    async def _ask(
        self,
        token: TokenRecord,
        stream: int,
        resume: str | None,
        place: Place | None,
        *,
        renew: bool,
        told: Told,
    ) -> dict[str, Any] | Early:
        """Admit one of an account's viewers at a time, unless the ledger's pace forbids it yet."""
        async with self._turns.of(token.account):
            with self._core.tenure.using(token.account):
                return await self._admit(token, stream, resume, place, renew=renew, told=told)

    async def _admit(
        self,
        token: TokenRecord,
        stream: int,
        resume: str | None,
        place: Place | None,
        *,
        renew: bool,
        told: Told,
    ) -> dict[str, Any] | Early:
        core = self._core
        if not core.journal.healthy:
            raise journal_unavailable()
        resumed = self._resuming.find(token, stream, resume)
        if resumed is not None:
            return self._answer(resumed, await self._resuming.attach(resumed, token), resumed=True)
        if not core.view.usable:
            raise chain_unavailable()
        most = sessions_max(core.cadence_ms)
        if core.book.watched >= most:
            raise Refused(503, "full", f"{most} sessions are open here: try again later")
        standing = await self._quotes.standing(token.account, stream, watching=True, place=place)
        _check_open(stream, standing.stream)
        self._check_credit(token.account)
        self._check_settled(standing, place)
        if "slot" in standing.missing and may_return(standing.missing):
            raise _slot_taken()
        if standing.missing:
            raise await self._payment_required(token, stream, standing)
        if told.less_than(standing):
            raise await self._dearer(token, stream)
        number = standing.chosen
        if number is None:
            raise chain_unavailable()
        early = self._pacing.early(number, standing.grants[number], place)
        if early is not None:
            funds = self._opening.funds(number, standing, place)
            return msgspec.structs.replace(early, funds=funds)
        session, secret = await self._opening.open(
            token, stream, number, standing, place, renew=renew
        )
        log.info("event=session-admitted session=%s stream=%d", session.ref, stream)
        return self._answer(session, secret, resumed=False)

    def _answer(self, session: LiveSession, secret: str, *, resumed: bool) -> dict[str, Any]:
        """Describe what was admitted. Its first lease, too, is no longer than the credit lasts."""
        budgets, record = self._core.book.budgets, session.record
        left_ms = budgets.left_ms(record.viewer, self._core.refill_ms())
        others = budgets.connections(record.viewer)
        session.leased_ms = credit.lease_ms(left_ms, others + 1)
        return {
            "session": {"grant": record.grant, "index": record.index},
            "number": record.number,
            "resume": secret,
            "rate_per_second": str(record.rate_per_second),
            "asset": asset_name(record.asset),
            "lease_ms": session.leased_ms,
            "resumed": resumed,
        }

    def _check_credit(self, viewer: str) -> None:
        budgets = self._core.book.budgets
        wait_s = budgets.wait_s(viewer, self._core.refill_ms())
        if wait_s > 0:
            self._core.book.hurry(viewer)  # what is lost with them begins to come back
            raise Refused(
                429,
                "budget-spent",
                f"{budgets.credit_ms // 1000} s were watched that no block has charged, and more "
                f"is not given in advance: ask again in {wait_s} s (what a block charges frees it "
                "sooner; what can no longer be charged comes back by 1 s a minute)",
                retry_after_s=wait_s,
            )

    def _check_settled(self, standing: Standing, place: Place | None) -> None:
        """Refuse where a settlement is all that a grant's slots wait for. Raises Refused."""
        unsettled = self._quotes.waits_for_settlement(standing, place)
        if unsettled is not None:
            raise _slot_unsettled(unsettled)

    async def _payment_required(
        self, token: TokenRecord, stream: int, standing: Standing
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
        if standing.returning.suffices:
            detail = (
                "a session that is being closed has not given back yet what it did not use: ask "
                "again in a few seconds, there is nothing to sign"
            )
            return Refused(
                402, "payment-required", detail, terms=terms, retry_after_s=RETURNS_WITHIN_S
            )
        detail = "; ".join(words[what] for what in standing.missing)
        if (terms["short_by"], terms["asset_short_by"]) != ("0", "0"):
            detail += ". The account cannot pay that: `short_by` says what to send it first"
        return Refused(402, "payment-required", detail, terms=terms)

    async def _dearer(self, token: TokenRecord, stream: int) -> Refused:
        """Ask again where a viewer agreed to less than the stream costs by now."""
        detail = "the stream costs more by now than the challenge said: answer the new one"
        terms = await self.terms(token, stream)
        return Refused(402, "payment-required", detail, terms=terms)

    async def _follow(
        self,
        token: TokenRecord,
        stream: int,
        place: Callable[[SessionRecord], Awaitable[None]],
    ) -> None:
        standing = await self._quotes.standing(token.account, stream, watching=True)
        _check_open(stream, standing.stream)
        self._check_credit(token.account)
        self._check_settled(standing, None)
        if standing.missing or standing.chosen is None:
            raise Refused(402, "payment-required", ", ".join(standing.missing))
        record, _ = await self._opening.reserve(token, stream, standing.chosen, standing, None)
        await place(record)


def _slot_unsettled(ref: SessionRef) -> Refused:
    """Say when to ask again, where a slot's session is past its window."""
    detail = (
        f"session {ref} ended without a close and still holds a slot of the grant: the relayer is "
        f"settling it, ask again in {SETTLED_WAIT_S} s"
    )
    return Refused(409, "slot-unsettled", detail, retry_after_s=SETTLED_WAIT_S)


def _slot_taken() -> Refused:
    return Refused(
        409,
        "slot-taken",
        "every session that this grant allows at a time is watching: stop one, resume it with its "
        "secret, or grant more sessions",
    )


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
