"""`paystream claim`: pay a stream's earnings to its payees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from offchain.cli import options
from offchain.cli.chain import Outcome, Plan, Sending, found_stream, planned, transact
from offchain.cli.command import command
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money, money_of
from offchain.cli.output import Output, Row, short
from offchain.cli.payees import share_text

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Receipt, Stream

PERMILL = 1_000_000


def add_to(app: typer.Typer, panel: str) -> None:
    """Register the command."""
    command(
        app,
        "claim",
        "paystream claim --stream 1 --key creator",
        "paystream claim --stream 1 --dry-run",
        panel=panel,
    )(claim)


def claim(
    out: Output,
    sending: Sending,
    stream: Annotated[int, options.option("--stream", "Number of the stream.", "STREAM", min=0)],
) -> None:
    """Pay what a stream has earned to its payees. Anyone may do this; the payees receive it."""

    async def plan(ledger: Ledger, _native: Money, account: str) -> Plan:
        del account
        entry = await found_stream(ledger, stream)
        money, share = await money_of(ledger, entry.asset), await ledger.treasury_share()
        if entry.earned + entry.fees == 0:
            raise Failure(
                f"stream {stream} has nothing to claim: it earned "
                f"{money.write(entry.earned_total)}, and all of it is claimed",
                Exit.REFUSED,
                "nothing-to-claim",
            )
        treasury = entry.fees + entry.earned * share // PERMILL
        rest = entry.earned - entry.earned * share // PERMILL
        parts = shares(entry, rest)
        effect: list[Row] = [("Claims", money.write(entry.earned + entry.fees))]
        if treasury:
            effect.append(("  to the operator", money.write(treasury)))
        for who, (ppm, amount) in parts.items():
            effect.append((f"  to {short(who)}", f"{money.write(amount)} ({share_text(ppm)})"))
        left = rest - sum(amount for _, amount in parts.values())
        if left:
            effect.append(("Stays", f"{money.write(left)}, too little to share"))
        payees = [{"account": who, "amount": amount} for who, (_, amount) in parts.items()]
        data = {
            "stream": stream,
            "asset": money.name,
            "earned": entry.earned,
            "treasury": treasury,
            "payees": payees,
        }
        return await planned(ledger, "PayStream", "claim", {"stream": stream}, effect, data=data)

    async def tell(ledger: Ledger, _native: Money, receipt: Receipt) -> Outcome:
        before = await ledger.stream(stream, at=await parent_of(ledger, receipt))
        money = await money_of(ledger, None if before is None else before.asset)
        claimed = [
            each.fields
            for each in receipt.events
            if (each.pallet, each.name) == ("PayStream", "Claimed")
        ]
        total = sum(int(each["amount"]) for each in claimed)
        rows: list[Row] = [("Claimed", money.write(total))]
        for each in claimed:
            where = " (into the vault)" if each["credited"] else ""
            who = short(str(each["payee"]))
            rows.append((f"  to {who}", f"{money.write(int(each['amount']))}{where}"))
        payees = [
            {
                "account": str(each["payee"]),
                "amount": int(each["amount"]),
                "credited": bool(each["credited"]),
            }
            for each in claimed
        ]
        treasury = sum(
            int(each.fields["amount"])
            for each in receipt.events
            if (each.pallet, each.name) == ("PayStream", "TreasuryPaid")
        )
        if treasury:
            rows.append(("  to the operator", money.write(treasury)))
        data = {"stream": stream, "asset": money.name, "claimed": total, "payees": payees}
        return Outcome(rows, {**data, "treasury": treasury})

    transact(out, sending, plan, tell)


async def parent_of(ledger: Ledger, receipt: Receipt) -> str | None:
    """Name the block before a receipt's: the last claim of a stream deletes it."""
    return await ledger.block_hash(receipt.block_number - 1)


def shares(entry: Stream, amount: int) -> dict[str, tuple[int, int]]:
    """Split what payees get: by payee, the share (parts per million) and the amount."""
    if not entry.payees:
        return {entry.owner: (PERMILL, amount)}
    return {each.account: (each.share, amount * each.share // PERMILL) for each in entry.payees}
