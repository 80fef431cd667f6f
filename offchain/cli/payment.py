"""What a viewer allows before watching: a deposit and a grant, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from offchain.amounts import format_duration
from offchain.cli.chain import Outcome, Plan, unpayable
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money, money_of
from offchain.cli.output import Row, moment, short

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger
    from offchain.ledger.outlay import Outlay
    from offchain.ledger.types import DelegateKey, Receipt, Terms

ALL = "all"
GAP_MS_DEFAULT = 120_000
EXPIRES_IN_DEFAULT = "30d"


@dataclass(frozen=True)
class Delegate:
    """A relayer's key, with its own signature that this viewer may grant it."""

    key: DelegateKey
    proof: bytes

    @classmethod
    def read(cls, key: str, proof: str) -> Delegate:
        """Read both from hexadecimal, the proof as SCALE (scheme byte first). Raises Failure."""
        from offchain.ledger.types import DelegateKey

        schemes = {0: "sr25519", 1: "ed25519"}
        try:
            raw_key = bytes.fromhex(key.removeprefix("0x"))
            raw_proof = bytes.fromhex(proof.removeprefix("0x"))
        except ValueError:
            raw_key, raw_proof = b"", b""
        if len(raw_key) != 32 or len(raw_proof) != 65 or raw_proof[0] not in schemes:
            raise Failure(
                "the delegate is no 32-byte key, or its proof is not a scheme byte and 64 bytes: "
                "take both from the server's terms",
                Exit.USAGE,
                "delegate-invalid",
            )
        scheme = schemes[raw_proof[0]]
        return cls(
            DelegateKey(scheme=scheme, public=raw_key),  # type: ignore[arg-type]
            raw_proof[1:],
        )

    @classmethod
    def of_terms(cls, terms: Mapping[str, Any]) -> Delegate:
        """Take the delegate that a server's terms name."""
        return cls.read(str(terms["delegate"]), str(terms["proof"]))


@dataclass(frozen=True)
class Allowance:
    """What the viewer allows, as written on the command line.

    `deposit` None deposits nothing, `cap` None grants nothing. `tips` and `renewals` are beside the
    cap: money for tips, and a number of periods of subscriptions.
    """

    cap: str | None
    deposit: str | None
    rate_max: str | None
    sessions_max: int
    gap_ms: int
    expires_in_s: int
    tips: str | None = None
    renewals: int = 0


async def plan_deposit(
    ledger: Ledger,
    money: Money,
    account: str,
    amount: str,
    *,
    call_of: Callable[[int], bytes] | None = None,
    held: int = 0,
) -> Plan:
    """Plan a deposit; `all` is as much as everything else leaves. Raises Failure.

    `call_of` makes the call from the deposit and `held` is that call's storage deposit, where it
    does more than to deposit.
    """
    from offchain.ledger.entries import asset_value
    from offchain.ledger.outlay import Outlay, least_deposit

    vault = await ledger.vault(account, asset=money.asset)
    free = await ledger.balance(account, asset=money.asset)
    least = least_deposit(vault, (await ledger.currency(money.asset)).minimum)
    outlay = Outlay(asset=money.asset, storage_deposit=held, least=least)
    make = call_of or (lambda deposit: ledger.calls.deposit(deposit, money.asset))
    if amount.strip() == ALL:
        units = await _all(ledger, money, account, make(max(free, least)), outlay)
    else:
        units = _checked_deposit(money, money.read(amount, "the deposit"), least)
    less = ", less the fee" if money.asset is None else ""
    return Plan(
        "PayStream.deposit",
        {"asset": asset_value(money.asset), "amount": units},
        make(units),
        [
            ("Vault", f"{money.write(vault)} → {money.write(vault + units)}"),
            ("Free balance", f"{money.write(free)} → {money.write(free - units)}{less}"),
        ],
        {
            "asset": money.name,
            "amount": units,
            "vault_before": vault,
            "vault_after": vault + units,
        },
        Outlay(asset=money.asset, deposit=units, storage_deposit=held, least=least),
        money,
    )


def _checked_deposit(money: Money, units: int, least: int) -> int:
    if units == 0:
        raise Failure("the deposit is zero: give more than nothing", Exit.USAGE, "amount-invalid")
    if units < least:
        raise Failure(
            f"the deposit is {money.write(units)}: deposit at least {money.write(least)}, with "
            "which the vault has what it must have",
            Exit.REFUSED,
            "deposit-too-low",
        )
    return units


async def _all(ledger: Ledger, money: Money, account: str, call: bytes, outlay: Outlay) -> int:
    """Give all that can be deposited. Raises Failure where that is less than a vault takes."""
    from offchain.ledger.affordability import read_reckoning

    reckoning = await read_reckoning(ledger, account, call, outlay)
    if reckoning.deposit_max < outlay.least:
        lacking = reckoning.with_deposit(outlay.least)
        raise unpayable(Money.of(ledger), money, lacking, account)
    return reckoning.deposit_max


async def plan_grant(
    ledger: Ledger,
    money: Money,
    account: str,
    delegate: Delegate,
    allowance: Allowance,
    *,
    rate_per_second: int | None,
) -> Plan:
    """Plan `grant`, or deposit and grant together. Raises Failure where it cannot succeed.

    `rate_per_second` is the stream's price, the highest rate unless the allowance names one.
    """
    from offchain.ledger.entries import key_value, signature_value, terms_value
    from offchain.ledger.outlay import Outlay, grant_deposit
    from offchain.ledger.types import Terms

    rate_max = _rate_max(money, allowance, rate_per_second)
    cap = money.read(allowance.cap or "0", "--cap")
    if cap < rate_max:
        raise Failure(
            f"--cap is {money.write(cap)}, less than one second at {money.write(rate_max)}: give "
            "more",
            Exit.USAGE,
            "cap-too-low",
        )
    expires_at = await ledger.now_ms() + allowance.expires_in_s * 1000
    terms = Terms(
        rate_max_per_second=rate_max,
        cap=cap,
        sessions_max=allowance.sessions_max,
        gap_ms=allowance.gap_ms,
        expires_at=expires_at,
        asset=money.asset,
        tips_max=money.read(allowance.tips or "0", "--tips"),
        renewals_max=allowance.renewals,
    )
    grant_params = {
        "key": key_value(delegate.key),
        "proof": signature_value(delegate.key.scheme, delegate.proof),
        "terms": terms_value(terms),
    }
    effect: list[Row] = [
        ("Grants to", "0x" + delegate.key.public.hex()),
        ("Costs at most", money.write(cap)),
        ("Highest price", f"{money.write(rate_max)}/s"),
        ("At a time", f"{allowance.sessions_max} session(s)"),
        *_beside(money, terms),
        ("Ends", f"{moment(expires_at)} (in {format_duration(allowance.expires_in_s)})"),
    ]
    data = {
        "asset": money.name,
        "cap": cap,
        "rate_max_per_second": rate_max,
        "expires_at": expires_at,
        "tips_max": terms.tips_max,
        "renewals_max": terms.renewals_max,
    }
    key, proof = delegate.key, delegate.proof
    held = grant_deposit(ledger.constants, terms.sessions_max)
    if allowance.deposit is None:
        call = ledger.calls.grant(key, proof, terms)
        outlay = Outlay(asset=money.asset, storage_deposit=held)
        return Plan("PayStream.grant", grant_params, call, effect, data, outlay, money)
    deposit = await plan_deposit(
        ledger,
        money,
        account,
        allowance.deposit,
        call_of=lambda units: ledger.calls.deposit_and_grant(units, key, proof, terms),
        held=held,
    )
    return Plan(
        "Utility.batch_all",
        {"PayStream.deposit": deposit.params, "PayStream.grant": grant_params},
        deposit.call,
        [*deposit.effect, *effect],
        {**deposit.data, **data},
        deposit.outlay,
        money,
    )


def _beside(money: Money, terms: Terms) -> list[Row]:
    """Say what a grant allows beside its cap."""
    rows: list[Row] = []
    if terms.tips_max:
        rows.append(("Tips at most", f"{money.write(terms.tips_max)}, beside that"))
    if terms.renewals_max:
        rows.append(("Renews at most", f"{terms.renewals_max} period(s) of subscriptions"))
    return rows


async def tell_grant(ledger: Ledger, _native: Money, receipt: Receipt) -> Outcome:
    """Tell what was granted, from the receipt's own event."""
    from offchain.ledger.entries import asset_from

    fields = receipt.event("Granted").fields
    money = await money_of(ledger, asset_from(fields["asset"]))
    number, cap = int(fields["grant"]), int(fields["cap"])
    rows: list[Row] = [
        ("Grant", number),
        ("Viewer", short(str(fields["viewer"]))),
        ("Costs at most", money.write(cap)),
        ("Ends", moment(int(fields["expires_at"]))),
    ]
    return Outcome(rows, {"grant": number, "cap": cap, "expires_at": int(fields["expires_at"])})


def _rate_max(money: Money, allowance: Allowance, rate_per_second: int | None) -> int:
    if allowance.rate_max is not None:
        rate_max = money.read(allowance.rate_max, "--rate-max")
        if rate_per_second is not None and rate_max < rate_per_second:
            raise Failure(
                f"--rate-max is {money.write(rate_max)}, and the stream costs "
                f"{money.write(rate_per_second)} a second: allow at least that",
                Exit.USAGE,
                "rate-above-grant",
            )
        return rate_max
    if rate_per_second is None:
        raise Failure("give --stream or --rate-max", Exit.USAGE, "usage")
    return rate_per_second
