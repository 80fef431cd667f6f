"""`paystream vault`: an account's prepaid balance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from offchain.cli import options
from offchain.cli.chain import Outcome, Plan, Sending, Teller, planned, transact, with_ledger
from offchain.cli.command import command, group
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money, money_of, named_money
from offchain.cli.output import Output, facts
from offchain.cli.payment import plan_deposit
from offchain.cli.wallets import Names

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Receipt

app = group("The prepaid balance that sessions are paid from.")


@command(
    app,
    "deposit",
    'paystream vault deposit "10 UNIT" --key viewer',
    'paystream vault deposit "10 USD" --asset usd --key viewer',
    "paystream vault deposit all --key viewer --dry-run",
)
def deposit(
    out: Output,
    sending: Sending,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help='Such as "1.5 UNIT", or "all".')],
    asset: options.AssetName = options.ASSET_DEFAULT,
) -> None:
    """Move money from the account into its vault. It stays the account's own.

    "all" leaves in the account what the fee takes and what an account must have to exist.
    """

    async def plan(ledger: Ledger, _native: Money, account: str) -> Plan:
        money = await named_money(ledger, asset)
        return await plan_deposit(ledger, money, account, amount)

    transact(out, sending, plan, _tell("Deposited"))


@command(app, "withdraw", 'paystream vault withdraw "2.5 UNIT" --key viewer')
def withdraw(
    out: Output,
    sending: Sending,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help='Such as "1.5 UNIT", or "all".')],
    asset: options.AssetName = options.ASSET_DEFAULT,
) -> None:
    """Move money from the vault back to the account. What open sessions hold is not in it."""

    async def plan(ledger: Ledger, _native: Money, account: str) -> Plan:
        from offchain.ledger.entries import asset_value

        money = await named_money(ledger, asset)
        vault = await ledger.vault(account, asset=money.asset)
        units = vault if amount.strip() == "all" else money.read(amount, "AMOUNT")
        if units > vault:
            raise Failure(
                f"{money.write(units)} is more than the {money.write(vault)} in the vault of "
                f"{account}: withdraw less; what open sessions hold returns when they close",
                Exit.REFUSED,
                "vault-too-low",
            )
        if units == 0:
            raise Failure("there is nothing to withdraw", Exit.USAGE, "amount-invalid")
        await _refuse_dust(ledger, money, vault - units)
        return await planned(
            ledger,
            "PayStream",
            "withdraw",
            {"asset": asset_value(money.asset), "amount": units},
            [("Vault", f"{money.write(vault)} → {money.write(vault - units)}")],
            data={"amount": units, "vault_before": vault, "vault_after": vault - units},
        )

    transact(out, sending, plan, _tell("Withdrawn"))


@command(
    app,
    "show",
    "paystream vault show --account viewer",
    "paystream vault show --account viewer --asset 1984",
)
def show(
    out: Output,
    names: Names,
    account: options.Account = None,
    asset: options.AssetName = options.ASSET_DEFAULT,
    chain: options.Chain = options.CHAIN_DEFAULT,
) -> None:
    """Show an account's vault, what its open sessions hold, and its free balance."""
    who = names.address(account)

    async def work(ledger: Ledger) -> None:
        money = await named_money(ledger, asset)
        vault = await ledger.vault(who, asset=money.asset)
        free = await ledger.balance(who, asset=money.asset)
        held = 0
        for grant, entry in (await ledger.grants_of(who)).items():
            if entry.asset == money.asset:
                for session in (await ledger.sessions(grant)).values():
                    held += session.funds - session.paid
        if out.json_mode:
            out.json(
                {
                    "account": who,
                    "asset": money.name,
                    "vault": vault,
                    "in_sessions": held,
                    "free": free,
                }
            )
            return
        out.show(
            facts(
                [
                    ("Account", who),
                    ("Vault", money.write(vault)),
                    ("In open sessions", money.write(held)),
                    ("Free balance", money.write(free)),
                ]
            )
        )

    with_ledger(chain, work)


async def _refuse_dust(ledger: Ledger, money: Money, left: int) -> None:
    """Raise Failure where a vault would have less than the ledger lets it have."""
    from offchain.ledger.errors import AssetUnknown

    if left == 0:
        return
    try:
        minimum = (await ledger.currency(money.asset)).minimum
    except AssetUnknown:  # gone from the chain, and so is its minimum
        return
    entry = await ledger.asset_entry(money.asset)
    if left < minimum and (entry is None or entry.status != "WrittenOff"):
        raise Failure(
            f"{money.write(left)} would be left in the vault: withdraw all of it, or leave at "
            f"least {money.write(minimum)}",
            Exit.REFUSED,
            "vault-dust",
        )


def _tell(event: str) -> Teller:
    """Tell what moved, from the receipt's own event."""

    async def tell(ledger: Ledger, _native: Money, receipt: Receipt) -> Outcome:
        from offchain.ledger.entries import asset_from

        moved = receipt.event(event)
        money = await money_of(ledger, asset_from(moved.fields["asset"]))
        amount, who = int(moved.fields["amount"]), str(moved.fields["who"])
        vault = await ledger.vault(who, asset=money.asset, at=receipt.block_hash)
        return Outcome(
            [(event, money.write(amount)), ("Vault", money.write(vault))],
            {"asset": money.name, "amount": amount, "vault_after": vault},
        )

    return tell
