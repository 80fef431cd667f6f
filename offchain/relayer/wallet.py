"""What wallets sign: prepared here from the chain's metadata, assembled and sent here.

A submission's payload is remembered until its signature comes; the signature is checked against it
before anything is sent, and its way to finality is followed in the background.
"""

from __future__ import annotations

import logging
import secrets
from typing import Any, Final, Literal

import msgspec
import trio

from offchain.amounts import NATIVE_NAME, format_amount
from offchain.ledger.errors import (
    AssetUnknown,
    CallInvalid,
    LedgerError,
    NodeUnreachable,
    NotIncluded,
    SignatureMismatch,
    TransactionRefused,
)
from offchain.ledger.extrinsics import ERA_BLOCKS
from offchain.ledger.outlay import Outlay, grant_deposit, least_deposit, stream_deposit
from offchain.ledger.types import Currency, DelegateKey, Receipt, SignedPayload, Terms
from offchain.relayer.chain import bounded
from offchain.relayer.core import Core
from offchain.relayer.delegates import Delegates
from offchain.relayer.problems import Refused, chain_unavailable
from offchain.relayer.wallet_money import reckoned, refuse_unpayable

log = logging.getLogger("paystream.relay.wallet")

SUBMISSIONS_MAX: Final = 2_048
SUBMISSION_LIFETIME_MS: Final = 10 * 60 * 1000
LATE_MAX: Final = 4_096
"""Of so many forgotten submissions it is still known that they were late, and not unknown."""
DETAIL_CHARS_MAX: Final = 500
AGAIN_AFTER_S: Final = 6.0
"""A block's time passes before a transaction is sent again whose fate is not known."""
UNDECIDED: Final = (
    "the chain has not answered, so it is not known yet whether the transaction is in a block: "
    "this is being found out, and takes at most until its time is over. Sign nothing else meanwhile"
)
_UNDECIDED: Final = frozenset({"dropped", "no answer in time", "not finalized", "retracted"})
"""How the client says that a transaction may still come into a block."""
_NEVER: Final = frozenset({"AncientBirthBlock", "BadProof", "Stale"})
"""Refusals after which no later block takes it: era, runtime or nonce have passed."""


class DepositAndGrant(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind",
                      tag="deposit_and_grant"):  # fmt: skip
    """Deposit, and grant the relayer's key, in one signature. Amounts are decimal strings."""

    deposit: str
    cap: str
    rate_max_per_second: str
    sessions_max: int
    gap_ms: int
    expires_at_ms: int
    asset: str = NATIVE_NAME
    tips_max: str = "0"
    renewals_max: int = 0


class Deposit(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="deposit"):
    """Put more into the vault, under the grants that there are."""

    amount: str
    asset: str = NATIVE_NAME


class Withdraw(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="withdraw"):
    """Take from the vault."""

    amount: str
    asset: str = NATIVE_NAME


class Revoke(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="revoke"):
    """End a grant now."""

    grant: int


class CreateStream(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind",
                   tag="create_stream"):  # fmt: skip
    """Make a stream whose owner receives everything."""

    rate_per_second: str
    asset: str = NATIVE_NAME


class Claim(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="claim"):
    """Pay a stream's earnings out."""

    stream: int


WalletCall = DepositAndGrant | Deposit | Withdraw | Revoke | CreateStream | Claim


class Composed(msgspec.Struct, frozen=True):
    """A call that a wallet is to sign: in words, as bytes, and what it takes beside its fee.

    `currency` is the one of `outlay`, and `field` names the deposit in the request.
    """

    summary: str
    call: bytes
    currency: Currency
    outlay: Outlay = Outlay()
    field: str = "account"


class Submission:
    """One prepared transaction."""

    def __init__(
        self, payload: SignedPayload, composed: Composed, made_at_ms: int, *, has_signed_in: bool
    ) -> None:
        self.payload = payload
        self.composed = composed
        self.made_at_ms = made_at_ms
        self.has_signed_in = has_signed_in
        """Whether who asked has proved the account: strangers displace strangers alone."""
        self.status: Literal["prepared", "waiting", "in_block", "finalized", "failed"] = "prepared"
        self.detail: str | None = None
        self.block: int | None = None
        self.result: dict[str, Any] | None = None

    @property
    def last_block(self) -> int | None:
        """The last block that takes it (its era's end), where it has one."""
        birth = self.payload.json.get("blockNumber")
        return None if birth is None else int(str(birth), 16) + ERA_BLOCKS - 1


class Wallet:
    """Prepares, submits and follows wallets' transactions."""

    def __init__(self, core: Core, delegates: Delegates, nursery: trio.Nursery) -> None:
        self._core = core
        self._delegates = delegates
        self._nursery = nursery
        self._submissions: dict[str, Submission] = {}
        self._late: dict[str, None] = {}

    async def prepare(
        self, account: str, call: WalletCall, *, has_signed_in: bool
    ) -> dict[str, Any]:
        """Give the payload that `account` is to sign. Raises Refused."""
        composed = await self._compose(account, call)
        await self._check_payable(account, composed)
        try:
            payload = await bounded(self._core.chain.signer_payload(account, composed.call))
        except LedgerError:
            raise chain_unavailable() from None
        number = secrets.token_urlsafe(18)
        self._forget()
        self._make_room(has_signed_in=has_signed_in)
        self._submissions[number] = Submission(
            payload, composed, self._core.unix_ms(), has_signed_in=has_signed_in
        )
        return {"payload": payload.json, "submission": number, "summary": composed.summary}

    def prepared(self, account: str, payload: dict[str, Any]) -> bytes | None:
        """Give the bytes to sign of a payload that was prepared for an account, if it was."""
        for submission in self._submissions.values():
            known = submission.payload
            if known.account == account and known.json == payload:
                return known.message
        return None

    async def _check_payable(self, account: str, composed: Composed) -> None:
        chain = self._core.chain
        reckoning = await reckoned(chain, account, composed.call, composed.outlay)
        refuse_unpayable(chain, reckoning, composed.currency, composed.field)

    async def _compose(self, account: str, call: WalletCall) -> Composed:
        calls = self._core.chain.calls
        try:
            match call:
                case DepositAndGrant():
                    return await self._deposit_and_grant(account, call)
                case Deposit():
                    amount = read_amount(call.amount, "amount")
                    currency = await self._currency(call.asset)
                    least = await self._check_deposit(account, amount, "amount", currency)
                    return Composed(
                        f"Deposit {_shown(amount, currency)} into the vault",
                        calls.deposit(amount, currency.asset),
                        currency,
                        Outlay(asset=currency.asset, deposit=amount, least=least),
                        "amount",
                    )
                case Withdraw():
                    amount = read_amount(call.amount, "amount")
                    currency = await self._currency(call.asset)
                    await self._check_withdrawal(account, amount, currency)
                    shown = _shown(amount, currency)
                    encoded = calls.withdraw(amount, currency.asset)
                    return Composed(f"Withdraw {shown} from the vault", encoded, currency)
                case Revoke():
                    text = f"Revoke grant {call.grant}"
                    return Composed(
                        text, calls.revoke(call.grant), await self._currency(NATIVE_NAME)
                    )
                case CreateStream():
                    return await self._create_stream(call)
                case Claim():
                    text = f"Claim the earnings of stream {call.stream}"
                    return Composed(
                        text, calls.claim(call.stream), await self._currency(NATIVE_NAME)
                    )
        except CallInvalid as error:
            raise Refused(400, "call-invalid", str(error), field="call") from None

    async def _create_stream(self, call: CreateStream) -> Composed:
        currency = await self._currency(call.asset)
        rate = read_amount(call.rate_per_second, "rate_per_second")
        if rate == 0:
            raise Refused(
                400,
                "rate-zero",
                f"the rate is 0: give at least the smallest part of a {currency.symbol}",
                field="rate_per_second",
            )
        encoded = self._core.chain.calls.create_stream(rate_per_second=rate, asset=currency.asset)
        held = stream_deposit(self._core.limits, payees=0)
        return Composed(
            f"Create a stream at {_shown(rate, currency)} a second",
            encoded,
            currency,
            Outlay(asset=currency.asset, storage_deposit=held),
        )

    async def _currency(self, asset: str) -> Currency:
        """Read an asset's name as JSON has it, and how it is written. Raises Refused."""
        number = asset.isascii() and asset.isdigit() and len(asset) <= 10 and int(asset) < 2**32
        if asset != NATIVE_NAME and not number:
            raise Refused(
                400,
                "asset-invalid",
                f"{asset[:40]!r} is no asset: give `native`, or an asset's number as text",
                field="asset",
            )
        try:
            return await bounded(self._core.chain.currency(int(asset) if number else None))
        except AssetUnknown as error:
            raise Refused(400, "asset-unknown", str(error), field="asset") from None
        except LedgerError:
            raise chain_unavailable() from None

    async def _deposit_and_grant(self, account: str, call: DepositAndGrant) -> Composed:
        core = self._core
        currency = await self._currency(call.asset)
        deposit = read_amount(call.deposit, "deposit")
        cap = read_amount(call.cap, "cap")
        rate = read_amount(call.rate_max_per_second, "rate_max_per_second")
        _positive("cap", cap)
        _positive("rate_max_per_second", rate)
        limits = core.limits
        _bounded("gap_ms", call.gap_ms, limits.gap_min_ms, limits.gap_max_ms)
        _bounded("sessions_max", call.sessions_max, 1, limits.sessions_per_grant_max)
        if call.expires_at_ms <= core.view.estimated_ms():
            raise Refused(
                400,
                "expiry-in-past",
                "the grant would have expired already: choose a later moment",
                field="expires_at_ms",
            )
        _bounded("renewals_max", call.renewals_max, 0, 2**32 - 1)
        least = 0
        if deposit:
            least = await self._check_deposit(account, deposit, "deposit", currency)
        if not self._delegates.has_signed_in(account):
            raise Refused(
                401,
                "sign-in-first",
                "the key that is granted belongs to whoever signs in: get a watch token first",
                field="token",
            )
        public = await self._delegates.current(account)
        proof = await self._delegates.proof(account, public)
        terms = Terms(
            rate_max_per_second=rate,
            cap=cap,
            sessions_max=call.sessions_max,
            gap_ms=call.gap_ms,
            expires_at=call.expires_at_ms,
            asset=currency.asset,
            tips_max=read_amount(call.tips_max, "tips_max"),
            renewals_max=call.renewals_max,
        )
        key = DelegateKey(scheme="sr25519", public=public)
        calls = core.chain.calls
        if deposit:
            encoded = calls.deposit_and_grant(deposit, key, proof[1:], terms)
            text = f"Deposit {_shown(deposit, currency)} and allow"
        else:
            encoded, text = calls.grant(key, proof[1:], terms), "Allow"
        text += (
            f" this relayer to pay up to {_shown(cap, currency)}, at most "
            f"{_shown(rate, currency)} a second"
        )
        held = grant_deposit(limits, call.sessions_max)
        outlay = Outlay(asset=currency.asset, deposit=deposit, storage_deposit=held, least=least)
        return Composed(text + _beside(terms, currency), encoded, currency, outlay, "deposit")

    async def _check_deposit(
        self, account: str, amount: int, field: str, currency: Currency
    ) -> int:
        """Give the smallest deposit that the ledger takes. Raises Refused where it is less."""
        least = least_deposit(await self._vault(account, currency), currency.minimum)
        if amount < least:
            raise Refused(
                400,
                "deposit-too-low",
                f"{field} is {_shown(amount, currency)}: deposit at least "
                f"{_shown(least, currency)}, with which the vault has what it must have",
                field=field,
            )
        return least

    async def _vault(self, account: str, currency: Currency) -> int:
        try:
            return await bounded(self._core.chain.vault(account, asset=currency.asset))
        except LedgerError:
            raise chain_unavailable() from None

    async def _check_withdrawal(self, account: str, amount: int, currency: Currency) -> None:
        _positive("amount", amount)
        vault = await self._vault(account, currency)
        if amount > vault:
            raise Refused(
                422,
                "vault-too-low",
                f"amount is {_shown(amount, currency)}, and the vault has "
                f"{_shown(vault, currency)}: withdraw less; what open sessions hold returns when "
                "they close",
                field="amount",
            )
        if 0 < vault - amount < currency.minimum and not await self._is_written_off(currency):
            raise Refused(
                422,
                "vault-dust",
                f"amount would leave {_shown(vault - amount, currency)} in the vault: withdraw "
                f"all of it, or leave at least {_shown(currency.minimum, currency)}",
                field="amount",
            )

    async def _is_written_off(self, currency: Currency) -> bool:
        try:
            entry = await bounded(self._core.chain.asset_entry(currency.asset))
        except LedgerError:
            raise chain_unavailable() from None
        return entry is not None and entry.status == "WrittenOff"

    def submit(self, number: str, signature: str) -> dict[str, Any]:
        """Send a signed transaction and follow it. Raises Refused."""
        submission = self._get(number)
        if submission.status == "prepared":
            best = self._core.view.best
            last = submission.last_block
            if best is not None and last is not None and best.number >= last:
                raise _late(f"it was good until block {last}, and the chain is at {best.number}")
            submission.status = "waiting"
            self._nursery.start_soon(self._follow, submission, signature)
        return self._describe(number, submission)

    async def _follow(self, submission: Submission, signature: str) -> None:
        try:
            # what the account has may have gone elsewhere since the payload was handed out
            await self._check_payable(submission.payload.account, submission.composed)
            is_first = True
            while not await self._is_final(submission, signature, is_first=is_first):
                is_first, submission.detail = False, UNDECIDED
                await trio.sleep(AGAIN_AFTER_S)
            submission.status, submission.detail = "finalized", None
        except Refused as refused:
            submission.status = "failed"
            submission.detail = f"nothing was sent: {refused}"[:DETAIL_CHARS_MAX]
        except SignatureMismatch as error:
            submission.status = "prepared"  # a wallet may sign again with the right account
            submission.detail = str(error)[:DETAIL_CHARS_MAX]
        except LedgerError as error:
            submission.status = "failed"
            submission.detail = str(error)[:DETAIL_CHARS_MAX]
        except ValueError as error:
            submission.status = "prepared"
            submission.detail = f"the signature cannot be read: {error}"[:DETAIL_CHARS_MAX]

    async def _is_final(self, submission: Submission, signature: str, *, is_first: bool) -> bool:
        """Send and follow; tell whether it is final, or nobody knows yet what becomes of it.

        It is mortal and has a nonce, so that sending it again does nothing twice: it is found in a
        block, or taken, or refused as its era is over. Raises LedgerError where it is decided that
        it is in no block, and ValueError.
        """
        chain = self._core.chain
        try:
            receipt = await chain.submit_wallet_signed(
                submission.payload, signature, try_first=is_first
            )
            self._included(submission, receipt)
            await chain.finalized(receipt)
        except NodeUnreachable:
            return False
        except NotIncluded as error:
            if error.status not in _UNDECIDED:
                raise
            if error.status == "retracted":
                submission.status = "waiting"
            return False
        except TransactionRefused as error:
            if is_first or error.reason in _NEVER:
                raise
            return False  # an earlier time may have brought it into a pool
        return True

    def _included(self, submission: Submission, receipt: Receipt) -> None:
        submission.status = "in_block"
        submission.block = receipt.block_number
        result: dict[str, Any] = {}
        for event in receipt.events:
            if event.pallet == "PayStream" and event.name == "Granted":
                result["grant"] = event.fields["grant"]
            if event.pallet == "PayStream" and event.name == "StreamCreated":
                result["stream"] = event.fields["stream"]
        submission.result = result or None

    def status(self, number: str) -> dict[str, Any]:
        """Tell how far a submission is. Raises Refused."""
        return self._describe(number, self._get(number))

    def _get(self, number: str) -> Submission:
        submission = self._submissions.get(number)
        if submission is None and number in self._late:
            raise _late(f"it was prepared more than {SUBMISSION_LIFETIME_MS // 60_000} min ago")
        if submission is None:
            raise Refused(
                404,
                "submission-unknown",
                "this submission is not known here (any more): prepare it again",
                field="submission",
            )
        return submission

    def _forget(self) -> None:
        old_ms = self._core.unix_ms() - SUBMISSION_LIFETIME_MS
        for number, submission in list(self._submissions.items()):
            if submission.made_at_ms < old_ms and submission.status != "waiting":
                del self._submissions[number]
                if submission.status == "prepared":
                    self._late[number] = None
        while len(self._late) > LATE_MAX:
            del self._late[next(iter(self._late))]

    def _make_room(self, *, has_signed_in: bool) -> None:
        """Let the oldest that waits for its signature go where there are too many.

        Anybody may ask for any account's transactions: what strangers asked for goes first, and
        for a stranger nothing else does. Raises Refused.
        """
        if len(self._submissions) < SUBMISSIONS_MAX:
            return
        waiting = {
            number: submission
            for number, submission in self._submissions.items()
            if submission.status == "prepared" and (has_signed_in or not submission.has_signed_in)
        }
        oldest = min(waiting, key=lambda number: waiting[number].has_signed_in, default=None)
        if oldest is not None:  # of equals `min` gives the first, and they are in their order
            del self._submissions[oldest]
            self._late[oldest] = None
        else:
            raise Refused(
                429,
                "too-many-submissions",
                "too many transactions wait for their signatures: try again in a minute",
                retry_after_s=60,
            )

    def _describe(self, number: str, submission: Submission) -> dict[str, Any]:
        described: dict[str, Any] = {"submission": number, "status": submission.status}
        if submission.status == "prepared":
            described["status"] = "waiting" if submission.detail is None else "failed"
        for name in ("block", "detail", "result"):
            value = getattr(submission, name)
            if value is not None:
                described[name] = value
        return described


def _late(why: str) -> Refused:
    return Refused(
        410,
        "signature-late",
        f"the signature came too late for this transaction: {why}. Nothing was sent. Prepare it "
        "again, and sign it within five minutes",
        field="submission",
    )


def _shown(amount: int, currency: Currency) -> str:
    return format_amount(amount, currency.symbol, currency.decimals)


def _beside(terms: Terms, currency: Currency) -> str:
    """Say what a grant allows beside its cap."""
    text = ""
    if terms.tips_max:
        text += f", tips up to {_shown(terms.tips_max, currency)}"
    if terms.renewals_max:
        text += f", {terms.renewals_max} periods of subscriptions"
    return text


def read_amount(text: str, field: str) -> int:
    """Read a decimal amount in the smallest unit. Raises Refused."""
    if not (text.isascii() and text.isdigit() and len(text) <= 39 and int(text) < 2**128):
        raise Refused(
            400,
            "amount-invalid",
            f"{field} is no amount: give a whole number of the smallest unit, as text",
            field=field,
        )
    return int(text)


def _positive(field: str, amount: int) -> None:
    if amount == 0:
        raise Refused(
            400, "amount-zero", f"{field} is 0: give more than nothing", field=field
        )  # fmt: skip


def _bounded(field: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise Refused(
            400,
            "out-of-range",
            f"{field} is {value}: this chain takes {lowest} to {highest}",
            field=field,
        )
