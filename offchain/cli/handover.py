"""`paystream stream transfer` and `refund`: what an owner gives away, and gives back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from offchain.cli import options
from offchain.cli.chain import Outcome, Plan, Sending, found_stream, planned, transact
from offchain.cli.claim import Division, division, paid_out, planned_rows
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money, money_of
from offchain.cli.output import Output, short
from offchain.cli.stream import app, refuse_foreign

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Receipt, Stream


@command(app, "transfer", "paystream stream transfer 1 --to ADDRESS --key creator --yes")
def transfer(
    out: Output,
    sending: Sending,
    stream: options.StreamId,
    *,
    to: Annotated[
        str,
        options.option(
            "--to",
            "New owner: an address, a name in the keystore, or //Alice.",
            "ACCOUNT",
            autocompletion=options.complete_key,
        ),
    ],
    yes: Annotated[bool, options.option("--yes", "Do not ask for confirmation.")] = False,
) -> None:
    """Give a stream to another account, with its deposit. What it has earned is claimed first.

    A payee that was the old owner is the new one from then on. Only the new owner can give it back.
    """
    heir = sending.wallets.address(to)
    if not yes and not sending.dry_run:
        typer.confirm(f"Give stream {stream} to {heir}?", abort=True, err=True)

    async def plan(ledger: Ledger, native: Money, account: str) -> Plan:
        from offchain.ledger.entries import account_value

        entry = await found_stream(ledger, stream)
        refuse_foreign(entry, stream, account)
        if heir == account:
            raise Failure(
                f"stream {stream} is yours already: name another account in --to",
                Exit.REFUSED,
                "owner-unchanged",
            )
        money = await money_of(ledger, entry.asset)
        return await planned(
            ledger,
            "PayStream",
            "transfer_stream",
            {"stream": stream, "to": account_value(heir)},
            [
                ("Owner", f"{short(account)} → {heir}"),
                ("Claimed before", money.write(entry.earned)),
                ("Deposit, moves with it", native.write(entry.deposit)),
            ],
            data={"stream": stream, "from": account, "to": heir, "deposit": entry.deposit},
        )

    async def tell(ledger: Ledger, _native: Money, receipt: Receipt) -> Outcome:
        del ledger
        owner = str(receipt.event("StreamTransferred").fields["to"])
        rows = [("Stream", f"{stream}, now of {owner}")]
        return Outcome(rows, {"stream": stream, "owner": owner})

    transact(out, sending, plan, tell)


@command(app, "refund", 'paystream stream refund 1 "0.5 UNIT" --viewer ADDRESS --key creator')
def refund(
    out: Output,
    sending: Sending,
    stream: options.StreamId,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help='Such as "0.5 UNIT".')],
    viewer: Annotated[
        str,
        options.option(
            "--viewer",
            "Whose vault it goes into: an address, a key's name, or //Alice.",
            "ACCOUNT",
            autocompletion=options.complete_key,
        ),
    ],
) -> None:
    """Give a viewer back of your own share of what a stream has earned and nobody has claimed.

    It is claimed at the same time: the operator and the other payees are paid, and so are you what
    remains of your share. Works for ended streams.
    """
    whose = sending.wallets.address(viewer)

    async def plan(ledger: Ledger, _native: Money, account: str) -> Plan:
        return await plan_refund(
            ledger, account, stream, whose, lambda money: money.read(amount, "AMOUNT")
        )

    async def tell(ledger: Ledger, _native: Money, receipt: Receipt) -> Outcome:
        entry = await found_stream(ledger, stream)
        money = await money_of(ledger, entry.asset)
        units = int(receipt.event("Refunded").fields["amount"])
        claims, paid = paid_out(receipt, money)
        rows = [("Refunded", money.write(units)), ("Into the vault of", whose), *claims]
        data = {"stream": stream, "viewer": whose, "asset": money.name, "amount": units}
        return Outcome(rows, {**data, **paid})

    transact(out, sending, plan, tell)


async def plan_refund(
    ledger: Ledger, account: str, stream: int, whose: str, units_of: Callable[[Money], int]
) -> Plan:
    """Plan a refund of `units_of` the stream's money. Raises Failure where it cannot be."""
    from offchain.ledger.entries import account_value

    entry = await found_stream(ledger, stream)
    refuse_foreign(entry, stream, account)
    money = await money_of(ledger, entry.asset)
    units = units_of(money)
    parts = await refundable(ledger, entry, stream, units, money)
    vault = await ledger.vault(whose, asset=entry.asset)
    return await planned(
        ledger,
        "PayStream",
        "refund",
        {"stream": stream, "viewer": account_value(whose), "amount": units},
        [
            (
                f"Vault of {short(whose)}",
                f"{money.write(vault)} → {money.write(vault + units)}",
            ),
            ("Claims beside that", money.write(entry.earned + entry.fees - parts.left - units)),
            *planned_rows(parts, money),
        ],
        data={
            "stream": stream,
            "viewer": whose,
            "asset": money.name,
            "amount": units,
            "treasury": parts.treasury,
            "payees": parts.listed,
        },
    )


async def refundable(
    ledger: Ledger, entry: Stream, stream: int, units: int, money: Money
) -> Division:
    """Share out a stream's earnings with a refund taken from the owner's part. Raises Failure."""
    asset = await ledger.asset_entry(entry.asset)
    if asset is not None and asset.status == "WrittenOff":
        raise Failure(
            f"nothing of stream {stream} can be refunded: {money.name} is written off",
            Exit.REFUSED,
            "asset-written-off",
        )
    parts = division(entry, await ledger.treasury_share())
    own = parts.of(entry.owner)
    if not 0 < units <= own:
        raise Failure(
            f"{money.write(units)} cannot be refunded: of the {money.write(entry.earned)} that "
            f"stream {stream} has unclaimed, your own share is {money.write(own)}. "
            "Name more than nothing, and no more than that",
            Exit.REFUSED,
            "earnings-too-low",
        )
    return parts.without(entry.owner, units)
