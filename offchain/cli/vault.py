"""`paystream vault`: an account's prepaid balance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from offchain.cli import options
from offchain.cli.chain import Money, Outcome, Plan, Sending, Teller, planned, transact, with_ledger
from offchain.cli.command import command, group
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.output import Output, facts
from offchain.cli.payment import plan_deposit
from offchain.cli.wallets import Names

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Receipt

app = group("The prepaid balance that sessions are paid from.")

Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help='Such as "1.5 UNIT".')]


@command(app, "deposit", 'paystream vault deposit "10 UNIT" --key viewer')
def deposit(
    out: Output,
    sending: Sending,
    amount: Amount,
) -> None:
    """Move money from the account into its vault. It stays the account's own."""

    async def plan(ledger: Ledger, money: Money, account: str) -> Plan:
        return await plan_deposit(ledger, money, account, amount)

    transact(out, sending, plan, _tell("Deposited"))


@command(app, "withdraw", 'paystream vault withdraw "2.5 UNIT" --key viewer')
def withdraw(
    out: Output,
    sending: Sending,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help='Such as "1.5 UNIT", or "all".')],
) -> None:
    """Move money from the vault back to the account. What open sessions hold is not in it."""

    async def plan(ledger: Ledger, money: Money, account: str) -> Plan:
        vault = await ledger.vault(account)
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
        return await planned(
            ledger,
            "PayStream",
            "withdraw",
            {"asset": "Native", "amount": units},
            [("Vault", f"{money.write(vault)} → {money.write(vault - units)}")],
            data={"amount": units, "vault_before": vault, "vault_after": vault - units},
        )

    transact(out, sending, plan, _tell("Withdrawn"))


@command(app, "show", "paystream vault show --account viewer")
def show(
    out: Output,
    names: Names,
    account: options.Account = None,
    chain: options.Chain = options.CHAIN_DEFAULT,
) -> None:
    """Show an account's vault, what its open sessions hold, and its free balance."""
    who = names.address(account)

    async def work(ledger: Ledger) -> None:
        money = Money.of(ledger)
        vault, free = await ledger.vault(who), await ledger.free_balance(who)
        held = 0
        for grant in await ledger.grants_of(who):
            for session in (await ledger.sessions(grant)).values():
                held += session.funds - session.paid
        if out.json_mode:
            out.json({"account": who, "vault": vault, "in_sessions": held, "free": free})
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


def _tell(event: str) -> Teller:
    """Tell what moved, from the receipt's own event."""

    async def tell(ledger: Ledger, money: Money, receipt: Receipt) -> Outcome:
        moved = receipt.event(event)
        amount = int(moved.fields["amount"])
        vault = await ledger.vault(str(moved.fields["who"]), at=receipt.block_hash)
        return Outcome(
            [(event, money.write(amount)), ("Vault", money.write(vault))],
            {"amount": amount, "vault_after": vault},
        )

    return tell
